"""The trunks of a gateway while it dials: what of each is taken, when its next call may leave, what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from ivr.trunks import InUse, SiteTrunk, carrying
from outbound.attempts import Claim
from outbound.clock import Clock
from outbound.plan.pacing import Pace
from outbound.plan.trunks import By, Carrier, NotNow, choose, passed_over_s
from outbound.trouble import Trouble

log = structlog.get_logger(__name__)

#: Of a number no more is told than this beginning.
_BEGINNING = 5


@dataclass(kw_only=True)
class _State:
    pace: Pace
    trouble: Trouble
    passed_over_until_s: float = 0.0
    #: Calls that it did not take, in succession.
    refused: int = 0


@dataclass
class Trunks:
    """Counted by name, so that what is in flight stays counted where a trunk changes while the site runs."""

    in_use: InUse
    clock: Clock
    #: Leads are claimed so long before they leave.
    ahead_s: float
    #: Asterisk asks them now and again, and these do not answer.
    silent: Collection[str] = frozenset()
    #: Asterisk is about to take changes of these: until then nobody is dialled by them.
    changing: Collection[str] = frozenset()
    _taken: Counter[str] = field(default_factory=Counter)
    #: Of these, those that have not left yet.
    _ready: Counter[str] = field(default_factory=Counter)
    _states: dict[str, _State] = field(default_factory=dict)
    #: Gateways that dial: those that share a trunk have equal parts of it.
    _engines: int = 1
    #: Beginnings of numbers that no trunk carries.
    _uncarried: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._trouble = Trouble(event="no_trunk", clock=self.clock)

    def use(self, trunks: Sequence[SiteTrunk]) -> None:
        """These from now on."""
        self.in_use.trunks, self.changing = trunks, frozenset()
        self._uncarried.clear()
        self._trouble.over()

    # ------------------------------------------------------------ which one

    def find(self, name: str) -> SiteTrunk | None:
        """None: it is gone, or changes just now."""
        return next((each for each in self.in_use.trunks if each.name == name and name not in self.changing), None)

    def offer(self, tenant: str) -> Offer:
        """What may be claimed now. Each claim takes some of it, so that a whole batch fits."""
        return Offer(self, tenant)

    def carrier(self, each: SiteTrunk) -> Carrier:
        return Carrier(
            name=each.name,
            room=0 if each.name in self.changing else min(self._free(each), self._ahead(each)),
            passed_over_until_s=self._state(each).passed_over_until_s,
            silent=each.name in self.silent,
        )

    # ------------------------------------------------------------ how much there is room for

    def share(self, engines: int) -> None:
        """So many gateways dial, this one included."""
        self._engines = engines

    def free(self, tenant: str) -> int:
        """Channels that nobody has, of all trunks that the tenant may use."""
        return sum(max(0, self._free(each)) for each in self.in_use.of_tenant(tenant))

    def ahead(self, tenant: str) -> int:
        """How many more calls of the tenant may leave in the next moments, by all its trunks together."""
        return sum(max(0, self._ahead(each)) for each in self.in_use.of_tenant(tenant))

    def next_s(self, tenant: str) -> float:
        """The first moment at which a call of the tenant may leave, by one of them."""
        return min((self._state(each).pace.next_s for each in self.in_use.of_tenant(tenant)), default=0.0)

    def leaves_s(self, name: str) -> float:
        """When the next call may leave by this one; where it is gone, that is found at the sending."""
        found = self.find(name)
        return 0.0 if found is None else self._state(found).pace.next_s

    # ------------------------------------------------------------ what is taken

    def claimed(self, claims: Iterable[Claim], offer: Offer) -> None:
        """These are to leave. Of numbers that nobody dials because no trunk carries them, it is told once."""
        for claim in claims:
            self._taken[claim.trunk] += 1
            self._ready[claim.trunk] += 1
        if offer.uncarried:
            self._uncarried |= offer.uncarried
            what = f"no trunk carries numbers that begin with {', '.join(sorted(self._uncarried))}"
            self._trouble.met(LookupError(what), mend="See: ivr trunk list. They are looked at again each minute.")

    def left(self, name: str, *, now_s: float) -> None:
        """The Originate left."""
        self._ready[name] -= 1
        if (state := self._states.get(name)) is not None:
            state.pace = state.pace.left(now_s=now_s)

    def given_back(self, name: str) -> None:
        """It does not leave; its channel is free when that is written (`ended`)."""
        self._ready[name] -= 1

    def adopted(self, name: str) -> None:
        """In flight since before."""
        self._taken[name] += 1

    def ended(self, name: str) -> bool:
        """Its channel is free again; whether it had none free before, or is gone."""
        found = self.find(name)
        full = found is None or self._free(found) <= 0
        self._taken[name] -= 1
        return full

    # ------------------------------------------------------------ how it fares

    def answering(self, silent: Collection[str]) -> None:
        """Asterisk asks them now and again: which do not answer, by name."""
        if set(silent) != set(self.silent):
            log.warning("trunks_silent", trunks=sorted(silent))
        self.silent = frozenset(silent)

    def took(self, name: str) -> None:
        """The trunk took a call, whatever became of it."""
        if (state := self._states.get(name)) is not None and state.refused:
            state.refused, state.passed_over_until_s = 0, 0.0
            state.trouble.over()

    def instead_of(self, name: str, phone: str, tenant: str, why: str) -> bool:
        """The trunk surely took no call: whether another one carries the number now.

        If so, it is passed over for a while.
        """
        now_s, state = self.clock.monotonic_s(), self._states.get(name)
        carrying = self.in_use.carrying(phone, tenant=tenant)
        others = [self.carrier(each) for each in carrying if each.name != name]
        if state is None or not any(each.passed_over_until_s <= now_s and not each.silent for each in others):
            return False
        if state.passed_over_until_s <= now_s:
            state.refused += 1
            state.passed_over_until_s = now_s + passed_over_s(state.refused)
        state.trouble.met(ConnectionError(why), trunk=name)
        return True

    def _state(self, each: SiteTrunk) -> _State:
        rate = each.how.calls_per_second / (self._engines if each.shared else 1)
        state = self._states.get(each.name)
        if state is None:
            pace = Pace(calls_per_second=rate, next_s=0.0)
            state = self._states[each.name] = _State(
                pace=pace, trouble=Trouble(event="trunk_takes_no_calls", clock=self.clock)
            )
        elif state.pace.calls_per_second != rate:
            state.pace = replace(state.pace, calls_per_second=rate)
        return state

    def _free(self, each: SiteTrunk) -> int:
        return self._channels(each) - self._taken[each.name]

    def _ahead(self, each: SiteTrunk) -> int:
        return self._state(each).pace.within(self.ahead_s) - self._ready[each.name]

    def _channels(self, each: SiteTrunk) -> int:
        return max(1, each.how.channels // self._engines) if each.shared else each.how.channels


class Offer:
    """The room that trunks have at one moment, for the claims of one transaction."""

    def __init__(self, trunks: Trunks, tenant: str) -> None:
        self._trunks, self._tenant, self._now_s = tuple(trunks.in_use.trunks), tenant, trunks.clock.monotonic_s()
        self._carriers = {each.name: trunks.carrier(each) for each in self._trunks}
        #: Beginnings of numbers that no trunk carries.
        self.uncarried: set[str] = set()

    def trunk_for(self, phone: str) -> By | NotNow:
        """By which trunk the number (E.164) is dialled, if it is."""
        names = [each.name for each in carrying(self._trunks, phone, tenant=self._tenant)]
        chosen = choose([self._carriers[name] for name in names], now_s=self._now_s)
        if isinstance(chosen, NotNow) and chosen.none_carries:
            self.uncarried.add(phone[:_BEGINNING])
        return chosen

    def promise(self, name: str) -> None:
        """A call is to leave by it."""
        self._carriers[name] = replace(self._carriers[name], room=self._carriers[name].room - 1)
