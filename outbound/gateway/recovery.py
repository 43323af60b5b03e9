"""Settle attempts that were lost from sight: after a crash, a lost link, a lost event.

Which they are is told by their ids, never by the time of day. Live channels are asked for first, then Asterisk's
records and our journal are read. What can't be learned within `grace_s` is unknown, and is not dialled again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from outbound.attempts import Claim
from outbound.clock import Clock
from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import AmiError
from outbound.gateway.dialer import Dialer
from outbound.gateway.records import Records
from outbound.ledger import Ledger
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
    clock: Clock
    #: Begin to watch attempts that an earlier engine dialled; of campaigns that can't be understood, none.
    adopt: Callable[[list[Claim]], Awaitable[None]]
    #: How long a record may take to be written when the channel is gone.
    grace_s: float = 10.0
    _running: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def settle_lost(self, *, after_ring_s: float | None = None) -> None:
        """Settle every attempt in flight that has no live channel now.

        Those of an earlier engine; and ours, that ring for `after_ring_s` longer than they should, or None: all.
        Returns when each is settled or live. When the link is lost meanwhile it returns too: the next log-in comes here
        again.
        """
        async with self._running:
            # Asked on both sides of the reading: what is ours may be settled, or begin, while we read.
            ours = set(self.ledger.ours)
            strangers = [
                claim
                for claim in await self.ledger.in_flight()
                if claim.attempt_id not in ours and claim.attempt_id not in self.ledger.ours
            ]
            lost = [*self.dialer.in_flight(after_ring_s=after_ring_s), *strangers]
            if not lost or self._stopped.is_set():
                return
            log.info("recovery", attempts=len(lost))
            # Watched before Asterisk is asked: what happens after its answer comes as an event.
            await self.adopt(strangers)
            ids = {claim.attempt_id for claim in lost} & self.dialer.watched.keys()
            records = Records(self.asterisk_log, frozenset(ids))
            until_s = self.clock.monotonic_s() + self.grace_s
            try:
                while (ids := await self._still_lost(ids, records, until_s)) and not self._stopped.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with self.clock.timeout(_LOOK_AGAIN_S):
                            await self._stopped.wait()
            except AmiError as error:
                log.warning("recovery_broken_off", error=str(error))

    def stop(self) -> None:
        """Look no longer; what is not settled stays in flight in the ledger."""
        self._stopped.set()

    async def _still_lost(self, ids: Set[str], records: Records, until_s: float) -> set[str]:
        """Those of `ids` whose channel is gone and whose end is not yet known."""
        waited_enough = self.clock.monotonic_s() >= until_s
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
            watch = self.dialer.watched.get(attempt_id)
            if watch is None:
                gone.discard(attempt_id)
                continue
            learned = learn(
                record=found.get(attempt_id),
                journalled=journalled.get(attempt_id),
                detects=watch.rules.machines == "detect",
                waited_enough=waited_enough,
            )
            if learned is not None:
                self.dialer.learn(attempt_id, learned)
                gone.discard(attempt_id)
        return gone
