"""The tenants that this engine serves: the site's own, those with a folder in it, and those that only the store has.

A folder in tenants/ is read as the site's own is: registered, its numbers imported, published and looked at. One with
faults stops nobody else: they are told, and that tenant goes on with what was good last. A tenant without a folder here
is served from the store when a number leads to it or a campaign of it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.service.publishing import Publishing
from app.service.reporter import Reporter
from faults import UserError
from ivr.settings import TENANT_FILE, Site
from ivr.settings_files import tenant_folders
from ivr.tenant_site import site_of_tenant
from ivr.tenants import Served, Tenants
from ivr.versions.folder import Seen, look
from ivr.versions.loaded import Versions
from outbound.clock import Clock
from outbound.trouble import Trouble
from people.hotline_numbers import import_numbers, numbers_of_all
from people.store.scope import Scope
from people.store.versions import Version, find_version
from people.tenants import keep_settings, register, settings_of, wanted_tenants
from prompts.workers import Workers

log = structlog.get_logger(__name__)

#: Between two looks for new folders, numbers and tenants.
_LOOK_EVERY_S = 5.0


#: What of a tenant is looked at. Of a folder: the settings' file as it lies there, None where there is none; and the
#: rest. Of the store: what it keeps of the settings, and the newest version.
_Look = tuple[tuple[int, int] | None, frozenset[Seen]] | tuple[Mapping[str, Any] | None, Version | None]


@dataclass(kw_only=True)
class _Tenant:
    """One that is served."""

    publishing: Publishing
    #: The settings' file when it was read.
    seen: tuple[int, int] | None
    watching: asyncio.Task[None] | None = None


class Serving:
    """`begin`, then run `watch` beside the calls; `close` at the end."""

    def __init__(self, site: Site, database: AsyncEngine, reporter: Reporter, *, clock: Clock | None = None) -> None:
        self._site, self._database, self._reporter = site, database, reporter
        self._clock = clock or Clock()
        #: They make the audio of all tenants.
        self.workers = Workers()
        self._known: dict[str, _Tenant] = {}
        #: Of those that could not be taken, what there was: an edit is looked at again.
        self._refused: dict[str, _Look] = {}
        self._trouble = Trouble(event="tenants_not_looked_at", clock=self._clock)

    def close(self) -> None:
        for each in self._known.values():
            each.publishing.close()
        self.workers.close()

    # ------------------------------------------------------------ the start

    async def begin(self) -> Tenants:
        """All that can be served. Raises AuthorError when the site's own tenant has nothing that could answer."""
        versions = await self._take(self._site, where="ivr.toml")
        tenants = Tenants(own=Served(settings=self._site.settings, versions=versions), numbers={})
        await self._look_for_others(tenants)
        tenants.numbers = await numbers_of_all(self._database)
        return tenants

    async def _take(self, site: Site, *, where: str) -> Versions:
        """What a tenant's callers hear; its row, settings and numbers are as its folder has them, if it has one.

        `where`: the settings' file; "": it has none here. Raises UserError when there is nothing that could answer.
        """
        settings, seen = site.settings, _seen(site.folder)
        scope = Scope(self._database, settings.tenant)
        await register(scope, now_ms=self._clock.now_ms())
        if where:
            await keep_settings(scope, settings.of_tenant.model_dump(mode="json"), title=settings.title)
            numbers = settings.hotline.numbers
            for fault in await import_numbers(scope, numbers, region=settings.region, where=where):
                self._reporter.warning(fault)
        publishing = Publishing(site, scope, self._reporter, workers=self.workers, clock=self._clock)
        try:
            versions = await publishing.begin()
        except BaseException:
            publishing.close()
            raise
        if (before := self._known.get(settings.tenant)) is not None:
            await _stop_watching(before)
            before.publishing.close()
        self._known[settings.tenant] = _Tenant(publishing=publishing, seen=seen)
        return versions

    async def _look_for_others(self, tenants: Tenants) -> None:
        """Serve those that are not served yet and can be; those of the store that nobody needs any more stay."""
        folders = tenant_folders(self._site)
        for name, folder in folders.items():
            if name in tenants.others and self._known[name].seen == _seen(folder):
                continue
            holds = (_seen(folder), await asyncio.to_thread(look, folder))
            if self._refused.get(name) != holds:
                await self._serve(tenants, name, folder, holds)
        for name in await wanted_tenants(self._database):
            if tenants.get(name) is None and name not in folders:
                scope = Scope(self._database, name)
                stored = (await settings_of(scope), await find_version(scope))
                if self._refused.get(name) != stored:
                    await self._serve(tenants, name, None, stored)

    async def _serve(self, tenants: Tenants, name: str, folder: Path | None, holds: _Look) -> None:
        """Serve a tenant as its settings are now; with faults, as it was served before, if it was.

        What the database refuses is tried again.
        """
        try:
            site = await site_of_tenant(self._site, self._database, name)
            versions = await self._take(site, where="" if folder is None else str(folder / TENANT_FILE))
        except UserError as error:
            self._refused[name] = holds
            for fault in error.faults:
                self._reporter.warning(fault)
            return
        self._refused.pop(name, None)
        tenants.others[name] = Served(settings=site.settings, versions=versions)
        log.info("tenant_served", tenant=name, version=versions.current.number, folder=folder is not None)

    # ------------------------------------------------------------ beside the calls

    async def watch(self, tenants: Tenants, changed: Callable[[], Awaitable[object]]) -> None:
        """Keep `tenants` up to date until cancelled; `changed` is awaited when the site's own voice is another."""
        try:
            while True:
                self._watch_each(tenants, changed)
                await self._clock.sleep(self._clock.to_beat_s(_LOOK_EVERY_S))
                await self.look(tenants)
        finally:
            for each in self._known.values():
                await _stop_watching(each)

    async def look(self, tenants: Tenants) -> None:
        """Take new folders, numbers and tenants."""
        try:
            await self._look_for_others(tenants)
            tenants.numbers = await numbers_of_all(self._database)
            self._trouble.over()
        except (SQLAlchemyError, OSError, UserError) as error:
            self._trouble.met(error)

    def _watch_each(self, tenants: Tenants, changed: Callable[[], Awaitable[object]]) -> None:
        for served in tenants.all:
            known = self._known[served.name]
            if known.watching is None:
                own = served is tenants.own
                watching = known.publishing.watch(served.versions, changed if own else _nobody_else)
                known.watching = asyncio.create_task(watching, name=f"versions-{served.name}")
            elif known.watching.done():
                # Whatever it died of ends the whole, which is started again.
                known.watching.result()


async def _nobody_else() -> None:
    """Files for the dialplan are in the voice of the site's own tenant."""


async def _stop_watching(known: _Tenant) -> None:
    if known.watching is not None:
        known.watching.cancel()
        await asyncio.gather(known.watching, return_exceptions=True)
        known.watching = None


def _seen(folder: Path) -> tuple[int, int] | None:
    """The settings' file of a tenant's folder as it lies there."""
    try:
        there = (folder / TENANT_FILE).stat()
    except OSError:
        return None
    return there.st_mtime_ns, there.st_size
