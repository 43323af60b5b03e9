"""Settle attempts that were lost from sight: after a crash, a lost link, a lost event.

Live channels are asked for first, then Asterisk's records and our journal are read. What can't be learned within
`grace_s` is unknown, and is not dialled again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import AmiError
from outbound.gateway.dialer import Dialer
from outbound.gateway.records import Records
from outbound.ledger import Claim, Ledger
from outbound.plan.recovery import learn

log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = 0.5


@dataclass(kw_only=True)
class Recovery:
    ami: Ami
    dialer: Dialer
    ledger: Ledger
    #: log/ of the Asterisk, with cdr-custom/ and cel-custom/.
    asterisk_log: Path
    clock_ms: Callable[[], int]
    #: Begin to watch an attempt that an earlier engine dialled.
    adopt: Callable[[Claim], None]
    #: How long a record may take to be written when the channel is gone.
    grace_s: float = 10.0
    _running: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def settle_lost(self, *, older_than_s: float = 0.0) -> None:
        """Settle every attempt in flight that was planned `older_than_s` ago and has no live channel now.

        Returns when each is settled or live. When the link is lost meanwhile it returns too: the next log-in comes here
        again.
        """
        async with self._running:
            lost = await self.ledger.in_flight(planned_before_ms=self.clock_ms() - round(older_than_s * 1000))
            if not lost:
                return
            log.info("recovery", attempts=len(lost))
            # Watched before Asterisk is asked: what happens after its answer comes as an event.
            for claim in lost:
                if claim.attempt_id not in self.dialer.watched:
                    self.adopt(claim)
            ids = {claim.attempt_id for claim in lost}
            records = Records(self.asterisk_log, ids)
            until = asyncio.get_running_loop().time() + self.grace_s
            try:
                while (ids := await self._still_lost(ids, records, until)) and not self._stopped.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopped.wait(), _LOOK_AGAIN_S)
            except AmiError as error:
                log.warning("recovery_broken_off", error=str(error))

    def stop(self) -> None:
        """Look no longer; what is not settled stays in flight in the ledger."""
        self._stopped.set()

    async def _still_lost(self, ids: Set[str], records: Records, until: float) -> set[str]:
        """Those of `ids` whose channel is gone and whose end is not yet known."""
        waited_enough = asyncio.get_running_loop().time() >= until
        live = await self.ami.live_channels()
        for attempt_id in ids & live.keys():
            self.dialer.seen_live(attempt_id, up=live[attempt_id].channelstate == "6")
        gone = (ids - live.keys()) & self.dialer.watched.keys()
        if not gone:
            return set()
        # Read after the channels were asked for: a call that has just ended is in one of the two.
        found = await asyncio.to_thread(records.read)
        journalled = await self.ledger.journalled(gone)
        for attempt_id in list(gone):
            learned = learn(
                record=found.get(attempt_id), journalled=journalled.get(attempt_id), waited_enough=waited_enough
            )
            if learned is not None:
                self.dialer.learn(attempt_id, learned)
                gone.discard(attempt_id)
        return gone
