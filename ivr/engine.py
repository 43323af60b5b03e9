"""The engine that answers calls: journal, FastAGI server, fallback and spool, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from faults import MachineError
from ivr.agi.server import FastAgiServer, Limits
from ivr.call import Answering
from ivr.flow.model import Flow
from ivr.journal import Journal
from ivr.settings import Settings
from ivr.spool import keep_picking_up
from ivr.store.calls import find_outbound
from ivr.store.group_commit import group_writer
from prompts.voice import Voice


class Engine:
    """`start`, then `drain` (or `stop`). Made inside the running loop; the database stays its opener's."""

    def __init__(
        self,
        settings: Settings,
        *,
        flows: Mapping[str, Flow],
        voice: Voice,
        database: AsyncEngine,
        #: var/ of the site: the journal's spill file and spool/ lie there.
        var: Path,
    ) -> None:
        agi = settings.agi
        self._settings = settings
        self._database = database
        self._spool = var / "spool"
        self.journal = Journal(group_writer(database), var / "journal.jsonl")
        answering = Answering(settings, flows, voice, self.journal, functools.partial(find_outbound, database))
        self.server = FastAgiServer(answering, Limits(header_timeout_s=agi.header_timeout_s, max_call_s=agi.max_call_s))
        self._picking_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer calls from now on. Raises MachineError when the port is taken."""
        agi = self._settings.agi
        await self.journal.start()
        try:
            await self.server.start(agi.host, agi.port)
        except MachineError:
            await self.journal.close()
            raise
        self._picking_up = asyncio.create_task(
            keep_picking_up(self._database, self._spool, tenant=self._settings.tenant, region=self._settings.region),
            name="spool",
        )

    async def drain(self, seconds: float | None = None) -> None:
        """Take no new calls, let those in progress finish within `seconds` (agi.drain_s), then end everything."""
        if self._picking_up is not None:
            self._picking_up.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._picking_up
            self._picking_up = None
        await self.server.drain(self._settings.agi.drain_s if seconds is None else seconds)
        await self.journal.close()

    async def stop(self) -> None:
        """The same with no time to finish: calls in progress are told goodbye at once."""
        await self.drain(0)
