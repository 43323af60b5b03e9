"""Settle attempts that were lost from sight: after a crash, a lost link, a lost event.

Live channels are asked for first, then Asterisk's records and our journal are read. What can't be learned within
`grace_s` is unknown, and is not dialled again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from outbound.ami import Ami
from outbound.ami_protocol import AmiError
from outbound.campaigns import Rules
from outbound.dialer import Dialer, settlement
from outbound.ledger import Claim, Ledger
from outbound.plan.recovery import learn
from outbound.records import Records

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
    rules_of: Callable[[int], Rules]
    #: Begin to watch an attempt that is live and that nobody watches.
    adopt: Callable[[Claim, Rules], None]
    #: How long a record may take to be written when the channel is gone.
    grace_s: float = 10.0
    _running: asyncio.Lock = field(default_factory=asyncio.Lock)

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
            records = Records(self.asterisk_log, {claim.attempt_id for claim in lost})
            until = asyncio.get_running_loop().time() + self.grace_s
            try:
                while True:
                    lost = await self._settle_some(lost, records, until)
                    if not lost:
                        return
                    await asyncio.sleep(_LOOK_AGAIN_S)
            except AmiError as error:
                log.warning("recovery_broken_off", error=str(error))

    async def _settle_some(self, lost: Iterable[Claim], records: Records, until: float) -> list[Claim]:
        """Those of `lost` whose channel is gone and whose end is not yet known."""
        waited_enough = asyncio.get_running_loop().time() >= until
        live = await self.ami.live_channels()
        open_ids = {claim.attempt_id for claim in await self.ledger.in_flight(planned_before_ms=self.clock_ms() + 1)}
        gone = []
        for claim in lost:
            if claim.attempt_id not in open_ids:
                continue
            if claim.attempt_id in live:
                if claim.attempt_id not in self.dialer.watched:
                    self.adopt(claim, self.rules_of(claim.campaign_id))
                self.dialer.seen_live(claim.attempt_id, up=live[claim.attempt_id].channelstate == "6")
            else:
                gone.append(claim)
        if not gone:
            return []
        # Asked for after the channels were: a call that has just ended is in one of the two.
        found = await asyncio.to_thread(records.read)
        journalled = await self.ledger.journalled([claim.attempt_id for claim in gone])
        unknown = []
        for claim in gone:
            learned = learn(
                record=found.get(claim.attempt_id),
                journalled=journalled.get(claim.attempt_id),
                waited_enough=waited_enough,
            )
            if learned is None:
                unknown.append(claim)
            elif claim.attempt_id in self.dialer.watched:
                self.dialer.learn(claim.attempt_id, learned)
            else:
                end = settlement(claim, self.rules_of(claim.campaign_id), learned, now_ms=self.clock_ms())
                await self.ledger.settle(end)
                log.info("settled", attempt=end.attempt_id, outcome=end.outcome.value, by=end.settled_by)
        return unknown
