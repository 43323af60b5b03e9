"""Run the running campaigns of every tenant: claim leads that are due, dial them as the caps allow, end what is done.

A lead's way: `_claim` (the ledger decides) -> `_send` (the Originate leaves) -> Dialer.attend (watch, outcome, settle).
It reads the campaigns' states from the database, so that `ivr campaign pause` needs no way to reach it.

The end, in this order: `stop_claiming`, `give_back`, `calls_ended`, `close`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Settings
from ivr.trunks import InUse
from outbound.attempts import Claim
from outbound.campaigns import Campaign, finish_if_done, list_campaigns
from outbound.clock import Clock
from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import NotSent
from outbound.gateway.dialer import Dialer
from outbound.gateway.lease import Lease
from outbound.gateway.recovery import Recovery
from outbound.gateway.trunks import Trunks
from outbound.ledger import Ledger, MostOpen
from outbound.lines import AHEAD_S, Line, Lines
from outbound.plan.decide import CampaignRules, Caps
from outbound.running import Open, RunningCampaigns
from outbound.trouble import Trouble, unexpected, words
from people.store.scope import Scope

log = structlog.get_logger(__name__)

#: How soon a change of state, or a lead that has come due, is seen; and a start, while no campaign runs.
_POLL_S, _IDLE_POLL_S = 0.25, 1.0
#: What could not leave by then is decided anew: somebody may have asked not to be called.
_DECIDED_FOR_S = 1.0
#: Asterisk is asked about attempts that have been in flight for longer than their ring time and so much more.
_LOST_AFTER_S, _LOOK_FOR_LOST_EVERY_S = 20.0, 30.0
#: After an error of a turn, the next waits so long; twice as long each further time.
_AGAIN_FIRST_S, _AGAIN_MOST_S = 0.5, 15.0
#: What rings is hung up within so long, or the next start settles it.
_GIVE_BACK_S = 5.0
#: While calls in progress finish, it is looked so often whether the database still takes their ends.
_LOOK_AGAIN_S = 1.0


class Worker:
    """One per gateway, for all tenants."""

    def __init__(
        self,
        database: AsyncEngine,
        ami: Ami,
        settings: Settings,
        *,
        lease: Lease,
        asterisk_log: Path,
        may_dial: Callable[[Campaign], bool] = lambda _: True,
        clock: Clock | None = None,
        grace_s: float = 10.0,
        trunks: InUse | None = None,
    ) -> None:
        """`trunks`: else those of the settings. `may_dial` is asked before every claim: a text may not be ready yet."""
        self._database, self._ami, self._may_dial = database, ami, may_dial
        self._lease, self._clock = lease, (clock := clock or Clock())
        self._ledger = ledger = Ledger(database=database, owner=lease.owner, clock=clock)
        self.trunks = Trunks(in_use=trunks or InUse.of(settings), clock=clock, ahead_s=AHEAD_S)
        self._dialer = Dialer(ami=ami, ledger=ledger, trunks=self.trunks, clock=clock, asterisk_log=asterisk_log)
        self._recovery = Recovery(
            ami=ami,
            dialer=self._dialer,
            ledger=ledger,
            asterisk_log=asterisk_log,
            clock=clock,
            adopt=self._adopt,
            grace_s=grace_s,
        )
        self._longest_call_s = settings.agi.max_call_s
        self._campaigns = RunningCampaigns(database, clock)
        self._lines = Lines(clock=clock, trunks=self.trunks)
        self._read_at_s, self._turns = -math.inf, 0
        self._calls: set[asyncio.Task[None]] = set()
        self._recoveries: set[asyncio.Task[None]] = set()
        self._wake, self._closed = asyncio.Event(), asyncio.Event()
        self._turning, self._stopping = asyncio.Lock(), False
        self._trouble = Trouble(event="dialling_broken_off", clock=self._clock)

    @property
    def in_flight(self) -> int:
        """Attempts that are dialled and not settled."""
        return self._lines.in_flight.total()

    @property
    def trouble(self) -> str | None:
        """What keeps it from dialling now, such as a database that can't be written; None: nothing."""
        each = (self._lease.trouble, self._trouble, *(line.trouble for line in self._lines))
        return next((trouble.what for trouble in each if trouble.what is not None), None)

    async def run(self) -> None:
        """Dial until `close()`, errors or not. Attempts that an earlier engine left in flight are settled first."""
        while not self._lease.taken and not self._stopping:
            await self._rest(_POLL_S)
        self._ami.on_up(lambda *_: self._look_for_lost(after_ring_s=None))
        self._look_for_lost(after_ring_s=None)
        looking = asyncio.create_task(self._keep_looking_for_lost(), name="lost-attempts")
        again_s = _AGAIN_FIRST_S
        try:
            while not self._stopping and not self._lease.lost:
                try:
                    async with self._turning:
                        wait_s = await self._turn()
                    again_s = _AGAIN_FIRST_S
                    self._trouble.over()
                except Exception as error:
                    self._trouble.met(error, exc_info=unexpected(error))
                    wait_s, again_s = again_s, min(2 * again_s, _AGAIN_MOST_S)
                await self._rest(wait_s)
            if self._lease.lost:
                self._let_go()
            await self._closed.wait()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await self._campaigns.close()

    # ------------------------------------------------------------ a turn

    async def _turn(self) -> float:
        """Start what may be started now; seconds until there may be more to do."""
        self._turns += 1
        # A claim looks at the campaign's state again, so a list that is a moment old dials nobody after a pause.
        if self._clock.monotonic_s() >= self._read_at_s + _POLL_S:
            await self._read()
        wait_s = _POLL_S if self._lines else self._clock.to_beat_s(_IDLE_POLL_S)
        for line in self._lines.in_turn():
            if self._clock.monotonic_s() >= self._lines.claims_at_s(line) and (count := self._room(line)):
                await self._claim(line, count)
        return min(wait_s, self._send())

    def _ready_to_dial(self, line: Line) -> bool:
        return self._lease.relied_on and self._dialer.ready and self._may_dial(line.open.campaign)

    def _scope(self, campaign: Campaign) -> Scope:
        return Scope(self._database, campaign.tenant)

    async def _read(self) -> None:
        await self._ledger.follow_clock(self._lease.common_ahead_ms)
        running = await self._campaigns.read()
        self._read_at_s, engines = self._clock.monotonic_s(), 1 + self._lease.others
        self.trunks.share(engines)
        for line in self._lines.gone(running):
            self._release(line)
        for each in running:
            id, longest_s = each.campaign.id, each.rules.retry.longest_rest_s
            farthest_ms = self._ledger.due_now_ms() + longest_s * 1000
            if id not in self._lines or (each.first_due_ms or 0) > farthest_ms:
                await self._ledger.shorten_rests(self._scope(each.campaign), id, longest_s=longest_s)
            self._lines.follow(each, engines=engines)
            if each.first_due_ms is None and not each.dialling and not self._lines.in_flight[id]:
                await self._finish(each)
        await self._ledger.flush()

    async def _finish(self, each: Open) -> None:
        if await finish_if_done(self._scope(each.campaign), each.campaign.id, now_ms=self._clock.now_ms()):
            log.info("campaign_finished", tenant=each.campaign.tenant, campaign=each.campaign.name)

    # ------------------------------------------------------------ claim

    def _room(self, line: Line) -> int:
        """How many leads of a campaign may be claimed now; 0 when none is due."""
        due_ms = line.open.first_due_ms
        if due_ms is None or due_ms > self._ledger.due_now_ms() or self._stopping:
            return 0
        room = self._lines.room(line)
        return room if room and self._ready_to_dial(line) else 0

    def _most_open(self, line: Line) -> MostOpen:
        rules = line.open.rules
        longest_s = rules.ring_s + self._longest_call_s + _LOST_AFTER_S
        return MostOpen(rules.channels, line.open.limits.channels, longest_s)

    async def _claim(self, line: Line, count: int) -> None:
        campaign, (own, trunks) = line.open.campaign, self._lines.free(line)
        offer = self.trunks.offer(campaign.tenant)
        rules = CampaignRules(state="running", retry=line.open.rules.retry)
        # Of the pace is taken care at the instant at which each leaves.
        caps = Caps(campaign_channels=own, trunk_channels=trunks)
        most_open = self._most_open(line) if self._lease.shared else None
        line.claimed_at = line.share.claimed_at = self._turns
        try:
            claims = await self._ledger.claim(
                self._scope(campaign), campaign.id, count, rules=rules, caps=caps, most_open=most_open, offer=offer
            )
        except Exception as error:
            line.trouble.met(error, tenant=campaign.tenant, campaign=campaign.name, exc_info=unexpected(error))
            line.not_before_s = self._clock.monotonic_s() + _AGAIN_FIRST_S
            return
        line.trouble.over()
        self._lines.claimed(line, claims, offer)
        if len(claims) < count:
            # Nobody more is due: the next reading says who is.
            line.open = replace(line.open, first_due_ms=None)

    # ------------------------------------------------------------ send

    def _send(self) -> float:
        """Let leave what may leave now; seconds until the next may, without end when nobody waits to leave."""
        waits_s = [math.inf]
        for line in self._lines.in_turn():
            while line.ready and not self._stopping:
                now_s = self._clock.monotonic_s()
                claim, next_s = self._lines.first(line)
                if not self._ready_to_dial(line) or now_s > line.claimed_at_s + _DECIDED_FOR_S:
                    self._release(line)
                    break
                if now_s < next_s:
                    waits_s.append(next_s - now_s)
                    break
                try:
                    watch = self._dialer.send(claim, line.open.rules)
                except NotSent:
                    self._release(line)
                    break
                self._lines.left(line, claim, now_s=now_s)
                self._take(claim, self._dialer.attend(watch))
            if self._room(line):
                waits_s.append(self._lines.claims_at_s(line) - self._clock.monotonic_s())
        return max(0.0, min(waits_s))

    def _release(self, line: Line) -> None:
        """Give back what was claimed and not sent: it is decided anew."""
        while line.ready:
            claim = self._lines.give_back(line)
            self._take(claim, self._dialer.release(claim))

    def _take(self, claim: Claim, call: Coroutine[None, None, None]) -> None:
        """Let an attempt go on by itself to its end."""
        task = asyncio.create_task(call, name=claim.attempt_id)
        self._lines.began(claim)
        self._calls.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._calls.discard(task)
            self._one_ended(claim)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("attempt_failed", attempt=claim.attempt_id, error=words(error), exc_info=unexpected(error))

        task.add_done_callback(ended)

    def _one_ended(self, claim: Claim) -> None:
        """Wake up where more calls may start at once, or the campaign may be over."""
        wakes = self._lines.ended(claim)
        if not self._lines.in_flight[claim.campaign_id]:
            self._read_at_s, wakes = -math.inf, True
        if wakes:
            self._wake.set()

    async def _rest(self, seconds: float) -> None:
        if not self._wake.is_set() and seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(seconds):
                    await self._wake.wait()
        else:
            await self._clock.sleep(0)
        self._wake.clear()

    # ------------------------------------------------------------ what was lost from sight

    def _look_for_lost(self, *, after_ring_s: float | None) -> None:
        task = asyncio.create_task(self._recovery.settle_lost(after_ring_s=after_ring_s))
        self._recoveries.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._recoveries.discard(task)
            self._wake.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("recovery_failed", error=words(error), exc_info=unexpected(error))

        task.add_done_callback(ended)

    async def _keep_looking_for_lost(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_FOR_LOST_EVERY_S)
            if self._ami.up and not self._recoveries:
                self._look_for_lost(after_ring_s=_LOST_AFTER_S)

    async def _adopt(self, claims: list[Claim]) -> None:
        """Watch what an earlier engine dialled. Of a campaign that can't be understood it stays as it is."""
        ids: dict[str, set[int]] = {}
        for claim in claims:
            ids.setdefault(claim.tenant, set()).add(claim.campaign_id)
        found = [await list_campaigns(Scope(self._database, tenant), ids=its) for tenant, its in ids.items()]
        rules = {each.id: each.rules for its in found for each in its}
        for claim in claims:
            if (known := rules.get(claim.campaign_id)) is not None:
                self.trunks.adopted(claim.trunk)
                self._take(claim, self._dialer.attend(self._dialer.adopt(claim, known)))

    # ------------------------------------------------------------ the end

    def _let_go(self) -> None:
        """Watch no longer, hang up and settle nothing; the calls are the next owner's."""
        self.stop_claiming()
        self._dialer.abandon()
        self._recovery.stop()

    def stop_claiming(self) -> None:
        """Dial nobody any more: no Originate leaves after this has returned."""
        self._stopping = True
        self._wake.set()

    async def give_back(self) -> None:
        """Hang up what rings and give back what was not sent: nobody meets a line without a voice.

        Who was rung rests as after a call that was not answered, and no attempt is spent. Who has answered is served.
        """
        self.stop_claiming()
        if not self._lease.lost:
            await self._dialer.give_back(within_s=_GIVE_BACK_S)
        await self._release_ready()

    async def _release_ready(self) -> None:
        """Give back what was claimed and not sent, when the turn that is being taken is over."""
        async with self._turning:
            for line in self._lines:
                self._release(line)

    async def calls_ended(self, within_s: float) -> None:
        """Return when every call in progress is settled, or after `within_s`.

        Sooner when all calls are over and the database takes nothing of them: the next start settles them.
        """
        until_s = self._clock.monotonic_s() + within_s
        while self._calls and not self._dialer.stuck and (left_s := until_s - self._clock.monotonic_s()) > 0:
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(min(left_s, _LOOK_AGAIN_S)):
                    await asyncio.wait(self._calls)

    async def close(self) -> None:
        """Watch no longer. What is in flight stays so in the database, and the next start settles it."""
        self._let_go()
        await self._release_ready()
        await asyncio.gather(*self._calls, *self._recoveries, return_exceptions=True)
        self._closed.set()

    async def stop(self, *, drain_s: float) -> None:
        """The whole end; calls in progress may finish within `drain_s`."""
        await self.give_back()
        await self.calls_ended(drain_s)
        await self.close()
