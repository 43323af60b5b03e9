"""What a tenant's callers hear: look at the site's folder now and again, publish what is good in it, and take that.

Calls in progress go on as they began, and campaigns with the version that they were made with. What has faults is told,
and the last good version stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.service.reporter import Reporter
from faults import AuthorError, Fault, MachineError, UserError
from ivr.flow.check import unread_texts
from ivr.flow.model import Flow
from ivr.settings import TENANT_FILE, Site
from ivr.speech import fixed_speech, open_library
from ivr.versions.folder import Script, Seen, dialplans_in, look, read_script
from ivr.versions.loaded import LoadedVersion, Versions
from ivr.versions.manifest import changes
from ivr.versions.publishing import last_good, publish
from ivr.versions.stored import find, folder_of
from outbound.campaigns import adopt_version, list_campaigns
from outbound.clock import Clock
from outbound.rendering import release_finished
from outbound.trouble import Trouble, unexpected, words
from people.store.direct import Glance
from people.store.scope import Scope
from people.store.versions import RUNNING_VERSIONS, Version, find_version, running_versions
from prompts.library import Library
from prompts.workers import Workers

log = structlog.get_logger(__name__)

#: Between two looks at the folder, and so many times as long as a look took: many thousand recordings, or a slow disk,
#: cost no more than half a hundredth of a processor.
_LOOK_EVERY_S, _REST = 5.0, 200
#: What the audio of whatever callers may hear is kept under in the cache.
_PIN = "hotline"


class Publishing:
    """`begin`, then run `watch` beside the calls; `close` at the end."""

    def __init__(
        self,
        site: Site,
        scope: Scope,
        reporter: Reporter,
        *,
        workers: Workers | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`workers`, which stay their opener's, make the audio of every version."""
        self._site, self._scope, self._reporter = site, scope, reporter
        self._clock = clock or Clock()
        self.workers = workers
        self._pin = _PIN if site.machine is None else f"{_PIN}-{scope.tenant}"
        self._hashes: dict[Seen, str] = {}
        #: At the last look, and when something was last made of them.
        self._seen: frozenset[Seen] | None = None
        self._taken: frozenset[Seen] | None = None
        #: Numbers of versions that can't be had here, each told once.
        self._missing: set[int] = set()
        self._running = Glance(scope.database, RUNNING_VERSIONS)
        self._trouble = Trouble(event="versions_not_looked_at", clock=self._clock)

    @property
    def _from_store(self) -> bool:
        """Whether the tenant has no folder on this machine."""
        return self._site.machine is not None and not self._site.folder.is_dir()

    def close(self) -> None:
        self._running.close()

    # ------------------------------------------------------------ the start

    async def begin(self) -> Versions:
        """What callers hear first, with its audio: what the folder holds, else the last good version.

        Where none was ever published, the flows without faults. Raises AuthorError when there is none.
        """
        self._taken = await asyncio.to_thread(look, self._site.folder)
        script = await asyncio.to_thread(read_script, self._site.folder)
        version = await self._first(script)
        number, library, flows = await self._opened(version, script)
        for fault in unread_texts(script.flows.values(), script.sentences):
            self._reporter.warning(fault)
        self._tell_numbers(flows)
        if number is not None:
            promos = [flow.name for flow in flows.values() if flow.kind == "promo"]
            await adopt_version(self._scope, flows=promos, version=number)
        await release_finished(self._scope, library)
        try:
            await self._render(library, flows, self._pin)
        except MachineError as error:
            # Without engine or disk, what is cached is still played.
            self._warn(error)
        return Versions(LoadedVersion.of(number, flows, library), self._load)

    async def _first(self, script: Script) -> Version | None:
        """Raises AuthorError when nothing can answer a call."""
        if self._from_store:
            if (stored := await last_good(self._scope, self._site)) is None:
                what = f"The tenant {self._scope.tenant!r} has no folder here, and nothing was ever published for it."
                raise AuthorError(Fault(what=what, mend="Make its folder: ivr tenant add NAME --folder."))
            return stored
        try:
            return await publish(self._scope, self._site, now_ms=self._clock.now_ms(), known=self._hashes)
        except AuthorError as error:
            faults = error.faults
        except MachineError as error:
            faults = ()
            self._warn(error)
        except SQLAlchemyError as error:
            faults = ()
            log.error("version_not_published", why=words(error), exc_info=unexpected(error))
        version = await last_good(self._scope, self._site)
        if version is None and not script.flows:
            where, mend = dialplans_in(self._site.folder), "Check: ivr flow check."
            none = Fault(what="There is no flow that can answer a call.", where=where, mend=mend)
            raise AuthorError(faults or none)
        for fault in faults:
            self._reporter.left_out(fault)
        if version is not None:
            what = f"Until that is mended, callers hear version {version.number}."
            mend = "Check with: ivr flow check. What is good is heard at once, without a restart."
            self._reporter.warning(Fault(what=what, where=self._site.folder, mend=mend))
        return version

    async def _opened(self, version: Version | None, script: Script) -> tuple[int | None, Library, Mapping[str, Flow]]:
        """What is to be heard first: the version, or the site's files where there is none that can be had."""
        if version is not None:
            try:
                return version.number, *await self._open(version)
            except UserError as error:
                if not script.flows:
                    raise
                self._warn(error)
        return None, open_library(self._site, workers=self.workers), script.flows

    def _tell_numbers(self, flows: Mapping[str, Flow]) -> None:
        for number, name in self._site.settings.hotline.numbers.items():
            if name not in flows:
                what = f"hotline.numbers leads {number!r} to the flow {name!r}, which is not there."
                mend = "Callers of it hear an apology until you mend it."
                where = "ivr.toml" if self._site.machine is None else self._site.folder / TENANT_FILE
                self._reporter.warning(Fault(what=what, where=where, mend=mend))

    def _warn(self, error: UserError) -> None:
        for fault in error.faults:
            self._reporter.warning(fault)

    # ------------------------------------------------------------ a version

    async def _open(self, version: Version) -> tuple[Library, Mapping[str, Flow]]:
        """Raises UserError."""
        folder = await folder_of(self._scope, self._site, version)

        def read() -> tuple[Library, Mapping[str, Flow]]:
            script = read_script(folder)
            if script.faults:
                # It had none for the release that published it.
                faults = [str(fault) for fault in script.faults]
                log.warning("version_has_faults", version=version.number, faults=faults)
            return open_library(self._site, folder, workers=self.workers), script.flows

        return await asyncio.to_thread(read)

    async def _render(self, library: Library, flows: Mapping[str, Flow], pin: str) -> None:
        """Make the audio of all that is the same on every call. Raises MachineError."""
        await asyncio.to_thread(self._reporter.render, library, fixed_speech(library, flows.values()), pin)

    async def _load(self, number: int) -> LoadedVersion:
        """For a call of a version that is not ready yet. Raises UserError, SQLAlchemyError."""
        library, flows = await self._open(await find(self._scope, number))
        return LoadedVersion.of(number, flows, library)

    # ------------------------------------------------------------ beside the calls

    async def watch(self, versions: Versions, changed: Callable[[], Awaitable[object]]) -> None:
        """Keep `versions` up to date until cancelled; `changed` is awaited when callers hear something else."""
        while True:
            took_s = await self.look(versions, changed)
            await self._clock.sleep(max(self._clock.to_beat_s(_LOOK_EVERY_S), took_s * _REST))

    async def look(self, versions: Versions, changed: Callable[[], Awaitable[object]]) -> float:
        """Do what there is to be done now; how many seconds it took to look at the folder."""
        began_s = self._clock.monotonic_s()
        seen = await asyncio.to_thread(look, self._site.folder)
        took_s = self._clock.monotonic_s() - began_s
        try:
            # What differs from the last look is still being written.
            if self._from_store:
                await self._take_stored(versions)
            elif seen == self._seen != self._taken:
                await self._take(versions, changed)
                self._taken = seen
            await self._have_ready(versions)
            self._trouble.over()
        except (SQLAlchemyError, OSError, UserError) as error:
            self._trouble.met(error)
        self._seen = seen
        return took_s

    async def _take(self, versions: Versions, changed: Callable[[], Awaitable[object]]) -> None:
        """Raises MachineError when it is to be tried again."""
        before = versions.current.number
        try:
            version = await publish(self._scope, self._site, now_ms=self._clock.now_ms(), known=self._hashes)
        except AuthorError as error:
            log.error("version_refused", callers_hear=before, faults=[str(fault) for fault in error.faults])
            for fault in error.faults:
                self._reporter.left_out(fault)
            return
        if version.number != before:
            await self._let_hear(versions, version)
            await changed()

    async def _take_stored(self, versions: Versions) -> None:
        """What another machine, which has the folder, has published last."""
        newest = await find_version(self._scope)
        if newest is not None and newest.number != versions.current.number:
            await self._let_hear(versions, newest)

    async def _let_hear(self, versions: Versions, version: Version) -> None:
        before = versions.current.number
        library, flows = await self._open(version)
        self._tell_numbers(flows)
        await self._render(library, flows, self._pin)
        versions.current = LoadedVersion.of(version.number, flows, library)
        was = None if before is None else await find_version(self._scope, id=before)
        names = changes(was.files, version.files).names if was else ()
        whose = self._scope.tenant
        log.info("version_heard", tenant=whose, version=version.number, before=before, changed=names)
        for campaign in await list_campaigns(self._scope):
            if campaign.state in ("ready", "running", "paused") and campaign.version not in (None, version.number):
                mend = "Make a new campaign for the new text."
                log.info("campaign_keeps_version", campaign=campaign.name, version=campaign.version, mend=mend)

    async def _wanted(self) -> frozenset[int]:
        """Versions that calls may be of at any moment."""
        rows = self._running.at_once(tenant=self._scope.tenant)
        return await running_versions(self._scope) if rows is None else frozenset(number for (number,) in rows)

    async def _have_ready(self, versions: Versions) -> None:
        """Load what running campaigns need: they are not dialled before. Let go of what none needs any more."""
        wanted = await self._wanted()
        for number in sorted(wanted - versions.ready):
            try:
                library, flows = await self._open(await find(self._scope, number))
                await self._render(library, flows, "")
            except UserError as error:
                if number not in self._missing:
                    mend = "Its campaigns are not dialled before it is there."
                    log.error("version_not_ready", version=number, why=str(error), mend=mend)
                self._missing.add(number)
            else:
                self._missing.discard(number)
                versions.add(LoadedVersion.of(number, flows, library))
        versions.keep(wanted)
