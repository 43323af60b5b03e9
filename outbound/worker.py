"""Run every running campaign of the tenant: claim leads that are due as the caps allow, dial them, end what is done.

It reads the campaigns' states from the database, so that `ivr campaign pause` needs no way to reach it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Settings
from outbound.campaigns import Campaign, Rules, finish_if_done, list_campaigns
from outbound.gateway.ami import Ami
from outbound.gateway.dialer import Dialer
from outbound.gateway.recovery import Recovery
from outbound.ledger import Claim, Ledger
from outbound.plan.pacing import Pace
from outbound.running import RunningCampaigns

log = structlog.get_logger(__name__)

#: How soon a change of state, or a lead that has come due, is seen; and a start, while no campaign runs.
_POLL_S, _IDLE_POLL_S = 0.25, 0.4
#: Asterisk is asked about attempts that have been in flight for longer than their ring time and so much more.
_LOST_AFTER_S = 20.0
_LOOK_FOR_LOST_EVERY_S = 30.0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Worker:
    """One per tenant and Asterisk. `run()` until `stop()`."""

    def __init__(
        self,
        engine: AsyncEngine,
        ami: Ami,
        settings: Settings,
        *,
        asterisk_log: Path,
        clock_ms: Callable[[], int] = _now_ms,
        grace_s: float = 10.0,
    ) -> None:
        self._engine, self._ami, self._settings, self._clock_ms = engine, ami, settings, clock_ms
        self._ledger = Ledger(engine=engine, tenant=settings.tenant, clock_ms=clock_ms)
        self._dialer = Dialer(ami=ami, ledger=self._ledger, trunk=settings.trunk, clock_ms=clock_ms)
        self._recovery = Recovery(
            ami=ami,
            dialer=self._dialer,
            ledger=self._ledger,
            asterisk_log=asterisk_log,
            clock_ms=clock_ms,
            adopt=self._adopt,
            grace_s=grace_s,
        )
        self._rules: dict[int, Rules] = {}
        #: Of each campaign, and of the trunk that they share.
        self._paces: dict[int, Pace] = {}
        self._trunk = settings.trunk
        self._trunk_pace = Pace(
            channels=self._trunk.channels, calls_per_second=self._trunk.calls_per_second, at_s=time.monotonic()
        )
        self._turns = 0
        self._campaigns = RunningCampaigns(engine, settings.tenant)
        self._running: list[Campaign] = []
        self._read_at_s = -_POLL_S
        self._in_flight: Counter[int] = Counter()
        self._calls: set[asyncio.Task[None]] = set()
        self._recoveries: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """Attempts that are dialled and not settled."""
        return self._in_flight.total()

    async def run(self) -> None:
        """Dial until `stop()`. Attempts that an earlier engine left in flight are settled first."""
        await self._read_rules()
        self._ami.on_up(lambda *_: self._recover())
        self._recover()
        lost_check = asyncio.create_task(self._look_for_lost())
        try:
            while not self._stopping:
                try:
                    wait_s = await self._turn()
                except DBAPIError as error:
                    log.error("campaigns_unreadable", error=str(error.orig))
                    wait_s = 1.0
                await self._rest(wait_s)
        finally:
            lost_check.cancel()
            await asyncio.gather(lost_check, return_exceptions=True)
            self._campaigns.close()

    async def stop(self, *, drain_s: float) -> None:
        """Dial nobody any more; return when the calls in flight are settled, or after `drain_s`.

        What is still in flight then stays so in the database, and the next start settles it.
        """
        self._stopping = True
        self._wake.set()
        if self._calls:
            await asyncio.wait(self._calls, timeout=drain_s)
        self._dialer.abandon()
        self._recovery.stop()
        await asyncio.gather(*self._calls, *self._recoveries, return_exceptions=True)

    # ------------------------------------------------------------ dialling

    async def _turn(self) -> float:
        """Start what may be started now; seconds until there may be more to do."""
        # A claim looks at the campaign's state again, so a list that is a moment old dials nobody after a pause.
        if time.monotonic() >= self._read_at_s + _POLL_S:
            self._read_at_s = time.monotonic()
            self._running = await self._campaigns.read()
            self._rules |= {campaign.id: campaign.rules for campaign in self._running}
            await self._ledger.flush()
        wait_s = _POLL_S if self._running else _IDLE_POLL_S
        # Another one is first at each turn: none takes the whole trunk for itself.
        self._turns += 1
        first = self._turns % max(1, len(self._running))
        for campaign in self._running[first:] + self._running[:first]:
            wait_s = min(wait_s, await self._start_calls(campaign))
        return wait_s

    async def _start_calls(self, campaign: Campaign) -> float:
        now_s, rules = time.monotonic(), campaign.rules
        pace = self._paces.get(campaign.id) or Pace(
            channels=rules.channels, calls_per_second=rules.calls_per_second, at_s=now_s
        )
        in_flight = self._in_flight[campaign.id]
        wanted = min(
            pace.allowed(now_s=now_s, in_flight=in_flight),
            self._trunk_pace.allowed(now_s=now_s, in_flight=self.in_flight),
        )
        claims: list[Claim] = []
        if wanted and self._ami.up and not self._stopping:
            claims = await self._ledger.claim(campaign.id, wanted)
        self._paces[campaign.id] = pace.spent(len(claims), now_s=now_s)
        self._trunk_pace = self._trunk_pace.spent(len(claims), now_s=now_s)
        for claim in claims:
            self._take(claim.campaign_id, self._dialer.dial(claim, rules), name=claim.attempt_id)
        idle = wanted and not claims and not in_flight
        if idle and await finish_if_done(self._engine, campaign.id, now_ms=self._clock_ms()):
            log.info("campaign_finished", campaign=campaign.name)
        if len(claims) < wanted or in_flight + len(claims) >= rules.channels or self.in_flight >= self._trunk.channels:
            # Nobody is due, or every channel is taken: the end of a call wakes us.
            return _POLL_S
        now_s = time.monotonic()
        return max(self._paces[campaign.id].wait_s(now_s=now_s), self._trunk_pace.wait_s(now_s=now_s))

    def _take(self, campaign_id: int, call: Coroutine[None, None, None], *, name: str) -> None:
        task = asyncio.create_task(call, name=name)
        self._in_flight[campaign_id] += 1
        self._calls.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._in_flight[campaign_id] -= 1
            self._calls.discard(task)
            # More calls may start at once only where the channels were all taken, or where the campaign is over.
            own, all_calls = self._in_flight[campaign_id], self.in_flight
            if own in (0, self._rules[campaign_id].channels - 1) or all_calls == self._trunk.channels - 1:
                self._wake.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("attempt_failed", attempt=name, exc_info=error)

        task.add_done_callback(ended)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    # ------------------------------------------------------------ what was lost from sight

    def _recover(self) -> None:
        self._settle_lost(older_than_s=0.0)

    def _settle_lost(self, *, older_than_s: float) -> None:
        task = asyncio.create_task(self._recovery.settle_lost(older_than_s=older_than_s))
        self._recoveries.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._recoveries.discard(task)
            self._wake.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("recovery_failed", exc_info=error)

        task.add_done_callback(ended)

    async def _look_for_lost(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_FOR_LOST_EVERY_S)
            longest_ring_s = max((rules.ring_s for rules in self._rules.values()), default=0)
            if self._ami.up:
                self._settle_lost(older_than_s=longest_ring_s + _LOST_AFTER_S)

    def _adopt(self, claim: Claim) -> None:
        rules = self._rules[claim.campaign_id]
        self._take(claim.campaign_id, self._dialer.adopt(claim, rules), name=claim.attempt_id)

    async def _read_rules(self) -> None:
        for campaign in await list_campaigns(self._engine, tenant=self._settings.tenant):
            self._rules[campaign.id] = campaign.rules
