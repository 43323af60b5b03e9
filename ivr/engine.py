"""The engine that answers calls: journal and FastAGI server, and what it does beside the calls."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import MachineError
from ivr.agi.server import FastAgiServer, Limits
from ivr.agi.session import Session
from ivr.answering import Answering
from ivr.fallback.prepare import prepare_fallback
from ivr.journal import Journal
from ivr.spool import keep_picking_up, try_to_pick_up
from ivr.tenants import Tenants
from ivr.trunks import InUse
from people.store.calls import find_outbound
from people.store.group_commit import group_writer

log = structlog.get_logger()

_LOOK_EVERY_S = 0.05
_WATCH_EVERY_S = 5.0


class Engine:
    """`start`; run `prepare_fallback` and `pick_up` beside it; `drain` (or `stop`) ends it.

    Made inside the running loop; the database stays its opener's. Of `tenants` it takes what is there at the moment.
    """

    def __init__(
        self,
        tenants: Tenants,
        *,
        database: AsyncEngine,
        #: Site.agi_key: what the dialplan sends along.
        agi_key: str,
        #: var/ of the site: spool/, fallback/ and the journal's files lie there.
        var: Path,
        #: By which calls are transferred; None: those of the settings.
        trunks: InUse | None = None,
    ) -> None:
        settings = tenants.own.settings
        agi = settings.agi
        self._settings = settings
        self._database = database
        self.tenants = tenants
        self._spool, self._fallback = var / "spool", var / "fallback"
        self.journal = Journal(group_writer(database), var / "journal.jsonl")
        found = functools.partial(find_outbound, database)
        self._answering = Answering(tenants, self.journal, found, trunks=trunks)
        limits = Limits(header_timeout_s=agi.header_timeout_s, max_call_s=agi.max_call_s)
        self.server = FastAgiServer(self._answer, key=agi_key, limits=limits)
        self._callers_refused = False

    async def start(self) -> None:
        """Answer calls from now on. Raises MachineError when the port is taken."""
        agi = self._settings.agi
        await self.journal.start()
        try:
            await self.server.start(agi.host, agi.port)
        except MachineError:
            await self.journal.close()
            raise
        await try_to_pick_up(self._database, self._spool, self.tenants)

    # ------------------------------------------------------------ beside the calls

    async def prepare_fallback(self) -> None:
        """Make ready what is played when this engine is gone. Raises OSError or UserError when it can't be."""
        await prepare_fallback(self.tenants.own.versions.current.voice, self._fallback)

    async def pick_up(self) -> None:
        """Bring what the fallback noted into the database, now and again until cancelled."""
        await keep_picking_up(self._database, self._spool, self.tenants)

    async def watch(self) -> None:
        """Raises JournalDied or RuntimeError when the journal or the server does no work any more."""
        journal = asyncio.ensure_future(self.journal.watch())
        try:
            while not journal.done():
                await asyncio.wait({journal}, timeout=_WATCH_EVERY_S)
                # Raises when the server does not listen.
                _ = self.server.port
            journal.result()
        finally:
            journal.cancel()

    # ------------------------------------------------------------ the end

    def refuse_callers(self) -> None:
        """Leave whoever calls from now on to the dialplan's fallback. Those whom we called are still served."""
        self._callers_refused = True

    async def calls_ended(self, within_s: float) -> None:
        """Wait until no call is in progress, at most so long."""
        until_s = asyncio.get_running_loop().time() + within_s
        while self.server.calls and asyncio.get_running_loop().time() < until_s:  # noqa: ASYNC110 - a count, no event
            await asyncio.sleep(_LOOK_EVERY_S)

    async def close_calls(self) -> None:
        """Take no calls; those in progress are told goodbye."""
        await self.server.drain(0)

    async def close_journal(self) -> None:
        """Write down what is left of the calls."""
        await self.journal.close()

    async def drain(self, seconds: float | None = None) -> None:
        """Take no new calls, let those in progress finish within `seconds` (agi.drain_s), then end everything."""
        await self.server.drain(self._settings.agi.drain_s if seconds is None else seconds)
        await self.journal.close()

    async def stop(self) -> None:
        """The same with no time to finish: calls in progress are told goodbye at once."""
        await self.drain(0)

    async def _answer(self, session: Session) -> None:
        if self._callers_refused and session.opening.script == "inbound":
            # Without IVR_DONE the dialplan goes on to its fallback.
            log.info("call.refused", uniqueid=session.opening.uniqueid)
            return
        await self._answering(session)
