"""The engine that answers calls: journal, FastAGI server, fallback and spool, started and stopped together."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import MachineError, UserError
from ivr.agi.server import FastAgiServer, Limits
from ivr.answering import Answering
from ivr.fallback.prepare import prepare_fallback
from ivr.flow.model import Flow
from ivr.journal import Journal
from ivr.settings import Settings
from ivr.spool import keep_picking_up, try_to_pick_up
from people.store.calls import find_outbound
from people.store.group_commit import group_writer
from prompts.voice import Voice

log = structlog.get_logger()


class Engine:
    """`start`, then `drain` (or `stop`). Made inside the running loop; the database stays its opener's."""

    def __init__(
        self,
        settings: Settings,
        *,
        flows: Mapping[str, Flow],
        voice: Voice,
        database: AsyncEngine,
        #: Site.agi_key: what the dialplan sends along.
        agi_key: str,
        #: var/ of the site: spool/, fallback.json and the journal's spill file lie there.
        var: Path,
    ) -> None:
        agi = settings.agi
        self._settings = settings
        self._database = database
        self._voice = voice
        self._spool = var / "spool"
        self._fallback_plan = var / "fallback.json"
        self.journal = Journal(group_writer(database), var / "journal.jsonl")
        answering = Answering(settings, flows, voice, self.journal, functools.partial(find_outbound, database))
        limits = Limits(header_timeout_s=agi.header_timeout_s, max_call_s=agi.max_call_s)
        self.server = FastAgiServer(answering, key=agi_key, limits=limits)
        #: The local fallback has its audio and its plan.
        self.fallback_ready = asyncio.Event()
        self._aside: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Answer calls from now on. Raises MachineError when the port is taken."""
        agi = self._settings.agi
        await self.journal.start()
        try:
            await self.server.start(agi.host, agi.port)
        except MachineError:
            await self.journal.close()
            raise
        tenant, region = self._settings.tenant, self._settings.region
        await try_to_pick_up(self._database, self._spool, tenant=tenant, region=region)
        keep = keep_picking_up(self._database, self._spool, tenant=tenant, region=region)
        self._aside = (
            asyncio.create_task(self._prepare_fallback(), name="fallback"),
            asyncio.create_task(keep, name="spool"),
        )

    async def _prepare_fallback(self) -> None:
        try:
            await prepare_fallback(self._settings, self._voice, plan=self._fallback_plan, spool=self._spool)
            self.fallback_ready.set()
        except (OSError, UserError) as error:
            log.error("fallback.not_prepared", what=str(error), where=str(self._fallback_plan))

    async def drain(self, seconds: float | None = None) -> None:
        """Take no new calls, let those in progress finish within `seconds` (agi.drain_s), then end everything."""
        aside, self._aside = self._aside, ()
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
        await self.server.drain(self._settings.agi.drain_s if seconds is None else seconds)
        await self.journal.close()

    async def stop(self) -> None:
        """The same with no time to finish: calls in progress are told goodbye at once."""
        await self.drain(0)
