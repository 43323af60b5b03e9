"""The trunks that calls go by: look now and again at ivr.toml and at the rows of others, and take what is good.

Asterisk takes a change by a reload: calls in progress go on as they began, the next ones by the new configuration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.service.reporter import Reporter
from faults import Fault, UserError
from ivr.asterisk import conf, running
from ivr.asterisk.running import Running
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.trunks import InUse, SiteTrunk, named_trunks, trunk_faults
from outbound.clock import Clock
from outbound.gateway.trunks import Trunks
from outbound.trouble import Trouble
from outbound.trunks import take_from_file, trunks_in_use
from people.store.direct import Glance

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 5.0
#: Asterisk asks the trunks as often.
_ASK_EVERY_S = 15.0
_FILES = ("ivr.toml", "secrets.toml")
_CHANGED = "SELECT gateway, name, changed_at_ms FROM trunk"


class TrunksKept:
    """`begin`, then run `watch` beside the calls; `close` at the end."""

    def __init__(self, site: Site, database: AsyncEngine, reporter: Reporter, *, clock: Clock | None = None) -> None:
        #: As it was at the start, but for its trunks.
        self._site = site
        self._database, self._reporter, self._clock = database, reporter, clock or Clock()
        self.in_use = InUse(())
        #: The files at the last look, and when they were last read.
        self._seen = self._read = self._stamps()
        self._rows = Glance(database, _CHANGED)
        self._known_rows: Sequence[Any] | None = None
        self._ask_at_s = 0.0
        #: Each told once.
        self._told: frozenset[str] = frozenset()
        self._trouble = Trouble(event="trunks_not_looked_at", clock=self._clock)

    def close(self) -> None:
        self._rows.close()

    async def begin(self) -> None:
        """Take the trunks that there are. What keeps one from being used is told; the others are used."""
        await take_from_file(self._database, self._site, now_ms=self._clock.now_ms())
        self.in_use.trunks = await self._good()

    # ------------------------------------------------------------ beside the calls

    async def watch(self, asterisk: Callable[[], Running] | None, trunks: Trunks) -> None:
        """Keep them up to date until cancelled. `asterisk` is the present one; None: somebody else's."""
        while True:
            await self._clock.sleep(self._clock.to_beat_s(_LOOK_EVERY_S))
            await self.look(asterisk, trunks)

    async def look(self, asterisk: Callable[[], Running] | None, trunks: Trunks) -> None:
        """Do what there is to be done now."""
        try:
            stamps = await asyncio.to_thread(self._stamps)
            # What differs from the last look is still being written.
            from_files = stamps == self._seen != self._read
            self._seen = stamps
            if from_files:
                await self._read_files()
                self._read, self._known_rows = stamps, None
            rows = self._rows.at_once()
            if from_files or rows is None or rows != self._known_rows:
                good = await self._good()
                if good != self.in_use.trunks:
                    await self._take(good, asterisk, trunks)
                self._known_rows = rows
            if asterisk is not None:
                await self._ask(asterisk(), trunks)
            self._trouble.over()
        except (SQLAlchemyError, OSError, UserError) as error:
            self._trouble.met(error)

    async def _read_files(self) -> None:
        """Take the trunks of the files, or tell their faults: then all is as before."""
        try:
            read = await asyncio.to_thread(load_site, self._site.folder)
            named = named_trunks(read.settings).items()
            faults: Sequence[Fault] = [
                fault for name, how in named if how.enabled for fault in trunk_faults(read, name, how)
            ]
        except UserError as error:
            faults = error.faults
        if faults:
            log.error("trunks_refused", faults=[str(fault) for fault in faults])
            return
        new = {"trunk": read.settings.trunk, "trunks": read.settings.trunks}
        secrets = {"trunk_secret": read.secrets.trunk_secret, "trunk_secrets": read.secrets.trunk_secrets}
        self._site = self._site.model_copy(
            update={
                "settings": self._site.settings.model_copy(update=new),
                "secrets": self._site.secrets.model_copy(update=secrets),
            }
        )
        await take_from_file(self._database, self._site, now_ms=self._clock.now_ms())

    async def _good(self) -> Sequence[SiteTrunk]:
        found = await trunks_in_use(self._database, self._site)
        told = frozenset(map(str, found.faults))
        for fault in found.faults:
            if str(fault) not in self._told:
                self._reporter.warning(fault)
        self._told = told
        return found.good

    async def _take(self, good: Sequence[SiteTrunk], asterisk: Callable[[], Running] | None, trunks: Trunks) -> None:
        """Raises UserError when it is to be tried again."""
        before = {each.name for each in self.in_use.trunks}
        trunks.changing = frozenset(each.name for each in self.in_use.trunks if each not in good)
        if asterisk is None:
            what = "The trunks have changed, and somebody else's Asterisk does not know it."
            self._reporter.warning(Fault(what=what, mend="Give it what shows: ivr asterisk render --into DIR."))
        else:
            present = asterisk()
            files = conf.site_files(self._site, present.program, good)
            running.write_files(present.home.etc, {name: files[name] for name in conf.OF_TRUNKS})
            for line in conf.TAKE_TRUNKS:
                await present.command(line)
        trunks.use(good)
        log.info("trunks_taken", trunks=[each.name for each in good], before=sorted(before))

    async def _ask(self, asterisk: Running, trunks: Trunks) -> None:
        """Learn which of several do not answer."""
        now_s = self._clock.monotonic_s()
        if len(self.in_use.trunks) < 2:
            trunks.answering(())
        elif now_s >= self._ask_at_s:
            self._ask_at_s = now_s + _ASK_EVERY_S
            silent = conf.silent_endpoints(await asterisk.command(conf.SHOW_ANSWERING))
            trunks.answering([each.name for each in self.in_use.trunks if each.endpoint in silent])

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_stamp(self._site.folder / name) for name in _FILES)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes with the file; zeros: it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
