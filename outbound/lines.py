"""What is being dialled: running campaigns, the share of each tenant, their pace, and whose turn it is. No I/O.

Tenants take turns on the trunks, and the campaigns of each among themselves: none takes it all for itself.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from outbound.attempts import Claim
from outbound.clock import Clock
from outbound.gateway.trunks import Offer, Trunks
from outbound.plan.pacing import Pace
from outbound.running import Open
from outbound.trouble import Trouble
from people.tenants import Limits

#: Leads are claimed so long before they leave, several in one transaction.
AHEAD_S = 0.1


@dataclass(kw_only=True)
class Share:
    """What all campaigns of a tenant may use together."""

    limits: Limits = field(default_factory=Limits)
    #: None: as the trunks'.
    pace: Pace | None = None
    #: Calls of all its campaigns, and what is claimed and not sent.
    in_flight: int = 0
    ready: int = 0
    #: Turn of its last claim.
    claimed_at: int = 0

    @property
    def next_s(self) -> float:
        """The next call of the tenant may leave then (monotonic)."""
        return 0.0 if self.pace is None else self.pace.next_s

    @property
    def ahead(self) -> float:
        """How many more leads may be claimed for it, by its pace alone."""
        return float("inf") if self.pace is None else self.pace.within(AHEAD_S) - self.ready

    def limit(self, limits: Limits, *, engines: int, now_s: float) -> None:
        """Keep to these from now on; engines that dial have an equal part of the pace."""
        self.limits, rate = limits, limits.calls_per_second
        if rate is None:
            self.pace = None
        else:
            pace = self.pace or Pace(calls_per_second=rate, next_s=now_s)
            self.pace = replace(pace, calls_per_second=rate / engines)

    def left(self, *, now_s: float) -> None:
        """A call of the tenant left."""
        if self.pace is not None:
            self.pace = self.pace.left(now_s=now_s)


@dataclass(kw_only=True)
class Line:
    """A running campaign as the worker has it."""

    open: Open
    pace: Pace
    share: Share
    #: Claimed; they leave in this order.
    ready: deque[Claim] = field(default_factory=deque)
    #: Turn of its last claim.
    claimed_at: int = 0
    claimed_at_s: float = 0.0
    #: An error that is this campaign's own keeps it from being dialled until then; the others go on.
    not_before_s: float = 0.0
    trouble: Trouble

    @property
    def tenant(self) -> str:
        return self.open.campaign.tenant

    @property
    def next_s(self) -> float:
        """The next call may leave then (monotonic), if a trunk takes it."""
        return max(self.pace.next_s, self.share.next_s)


class Free(NamedTuple):
    """Channels that are free; what is claimed has its channel already."""

    of_campaign: int
    #: Of the trunks that the tenant may use, and of its share in them.
    of_trunks: int


@dataclass(kw_only=True)
class Lines:
    """Those of the campaigns that are running, and the calls of whichever campaign."""

    clock: Clock
    trunks: Trunks
    #: Attempts that are dialled and not settled, by campaign.
    in_flight: Counter[int] = field(default_factory=Counter)
    _lines: dict[int, Line] = field(default_factory=dict)
    #: Of campaigns that may run again, and of all tenants that ever had one.
    _paces: dict[int, Pace] = field(default_factory=dict)
    _shares: dict[str, Share] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Line]:
        return iter(list(self._lines.values()))

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, campaign_id: int) -> bool:
        return campaign_id in self._lines

    # ------------------------------------------------------------ which there are

    def gone(self, running: Sequence[Open]) -> list[Line]:
        """Let go of the lines of campaigns that run no more; whoever asks gives back what is ready in them."""
        ids = self._lines.keys() - {each.campaign.id for each in running}
        for id in ids:
            self._paces[id] = self._lines[id].pace
        return [self._lines.pop(id) for id in ids]

    def follow(self, each: Open, *, engines: int) -> Line:
        """The line of a running campaign, as its row is now. Every gateway that dials has an equal part of the pace."""
        id, now_s, rate = each.campaign.id, self.clock.monotonic_s(), each.rules.calls_per_second / engines
        if id not in self._lines:
            pace = self._paces.pop(id, Pace(calls_per_second=rate, next_s=now_s))
            trouble = Trouble(event="campaign_not_dialled", clock=self.clock)
            self._lines[id] = Line(open=each, pace=pace, share=self._share(each.campaign.tenant), trouble=trouble)
        line = self._lines[id]
        line.open, line.pace = each, replace(line.pace, calls_per_second=rate)
        line.share.limit(each.limits, engines=engines, now_s=now_s)
        return line

    def _share(self, tenant: str) -> Share:
        return self._shares.setdefault(tenant, Share())

    def in_turn(self) -> list[Line]:
        """Of each tenant that campaign first which was served longest ago; and that tenant first of all tenants."""
        before: Counter[str] = Counter()
        turns: dict[int, tuple[int, int]] = {}
        for line in sorted(self._lines.values(), key=lambda line: line.claimed_at):
            campaign = line.open.campaign
            turns[campaign.id] = (before[campaign.tenant], line.share.claimed_at)
            before[campaign.tenant] += 1
        return [self._lines[id] for id in sorted(turns, key=turns.__getitem__)]

    # ------------------------------------------------------------ what there is room for

    def free(self, line: Line) -> Free:
        share = line.share
        own = line.open.rules.channels - self.in_flight[line.open.campaign.id] - len(line.ready)
        trunks = self.trunks.free(line.tenant)
        if share.limits.channels is not None:
            trunks = min(trunks, share.limits.channels - share.in_flight - share.ready)
        return Free(own, trunks)

    def claims_at_s(self, line: Line) -> float:
        """Leads are claimed then, or later (monotonic)."""
        next_s = max(line.next_s, self.trunks.next_s(line.tenant))
        return max(next_s - AHEAD_S / 2, line.not_before_s)

    def room(self, line: Line) -> int:
        """How many leads of a campaign may be claimed, so that they are there when they may leave."""
        within = line.pace.within(AHEAD_S)
        if len(line.ready) > within // 2:
            return 0
        ahead = min(within - len(line.ready), line.share.ahead, self.trunks.ahead(line.tenant))
        return max(0, min(int(ahead), *self.free(line)))

    # ------------------------------------------------------------ what became of it

    def claimed(self, line: Line, claims: Sequence[Claim], offer: Offer) -> None:
        """These are to leave."""
        self.trunks.claimed(claims, offer)
        line.claimed_at_s = self.clock.monotonic_s()
        line.ready.extend(claims)
        line.share.ready += len(claims)

    def first(self, line: Line) -> tuple[Claim, float]:
        """Who of those that are ready leaves first, and when (monotonic).

        Who goes by a trunk with room does not wait for who came before and goes by another.
        """
        leaves_s = {name: self.trunks.leaves_s(name) for name in {each.trunk for each in line.ready}}
        claim = line.ready[0] if len(leaves_s) == 1 else min(line.ready, key=lambda each: leaves_s[each.trunk])
        return claim, max(line.next_s, leaves_s[claim.trunk])

    def left(self, line: Line, claim: Claim, *, now_s: float) -> None:
        """The Originate left."""
        line.ready.remove(claim)
        line.share.ready -= 1
        line.pace = line.pace.left(now_s=now_s)
        line.share.left(now_s=now_s)
        self.trunks.left(claim.trunk, now_s=now_s)

    def give_back(self, line: Line) -> Claim:
        """One that does not leave; its channel is free when that is written (`ended`)."""
        line.share.ready -= 1
        claim = line.ready.popleft()
        self.trunks.given_back(claim.trunk)
        return claim

    def began(self, claim: Claim) -> None:
        """An attempt goes on by itself."""
        self.in_flight[claim.campaign_id] += 1
        self._share(claim.tenant).in_flight += 1

    def ended(self, claim: Claim) -> bool:
        """It has come to its end; whether more calls may start at once, where all channels were taken."""
        share = self._share(claim.tenant)
        self.in_flight[claim.campaign_id] -= 1
        share.in_flight -= 1
        line = self._lines.get(claim.campaign_id)
        return (
            self.trunks.ended(claim.trunk)
            or (share.limits.channels is not None and share.in_flight == share.limits.channels - 1)
            or (line is not None and self.in_flight[claim.campaign_id] == line.open.rules.channels - 1)
        )
