"""What is known of one attempt in flight, and what it came to: the dialler gathers, this concludes. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from panoramisk.message import Message

from outbound.attempts import Claim, Settlement
from outbound.campaigns import Rules
from outbound.plan.outcome import ANSWERED, Outcome, decide
from outbound.plan.recovery import Learned
from outbound.plan.retry import rest_ms


@dataclass(kw_only=True)
class Watch:
    """What is known of one attempt in flight."""

    claim: Claim
    rules: Rules
    #: Monotonic; None: an earlier engine sent it.
    sent_at_s: float | None = None
    #: Asterisk's answer to the Originate; None: it was not ours to send.
    answer: Awaitable[Message] | None = None
    #: Whether events may have been missed: it was sent by an earlier engine, or the link was down since.
    blind: bool = False
    #: We have told Asterisk to stop ringing it.
    given_up: bool = False
    answered_at_ms: int | None = None
    #: Ringing, or a sound before the answer, was told of.
    rang: bool = False
    #: AMD's verdict; None: it has not spoken.
    machine: bool | None = None
    #: Asterisk itself apologised, for no engine was there.
    fallback: bool = False
    reason: int | None = None
    cause: int | None = None
    sip_status: int | None = None
    hung_up_at_ms: int | None = None
    #: Settled from elsewhere.
    learned: Learned | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def over(self) -> bool:
        """The phone is out of it, whatever else may be learned."""
        return self.hung_up_at_ms is not None or self.learned is not None

    @property
    def no_channel(self) -> bool:
        """Asterisk could make none: it says of the Originate that it failed, and of no channel that it is gone."""
        return self.reason == 0 and self.hung_up_at_ms is None

    @property
    def heard_both(self) -> bool:
        return self.hung_up_at_ms is not None and (self.reason is not None or self.answered_at_ms is not None)

    @property
    def heard_one(self) -> bool:
        """The end is certain, and the second event is only an addition to it."""
        return self.hung_up_at_ms is not None or self.reason not in (None, ANSWERED)


def from_learned(watch: Watch, learned: Learned, *, now_ms: int) -> Settlement:
    """The end of an attempt as the records have it."""
    outcome = learned.outcome
    if learned.answered_at_ms is not None and watch.machine is not None:
        # AMD's verdict was heard before the link was lost.
        human = Outcome.HUMAN if learned.served and not watch.fallback else Outcome.UNKNOWN
        outcome = Outcome.MACHINE if watch.machine else human
    elif learned.answered_at_ms is None and watch.given_up:
        outcome = Outcome.CANCELLED
    return Settlement(
        attempt_id=watch.claim.attempt_id,
        tenant=watch.claim.tenant,
        lead_id=watch.claim.lead_id,
        number=watch.claim.number,
        outcome=outcome,
        settled_by=learned.settled_by,
        ended_at_ms=learned.ended_at_ms or now_ms,
        dialled_at_ms=learned.dialled_at_ms,
        answered_at_ms=learned.answered_at_ms,
        cause=learned.cause,
        rest_ms=_rest_ms(watch, outcome, ended_ago_ms=now_ms - (learned.ended_at_ms or now_ms)),
    )


def from_events(watch: Watch, *, in_journal: bool, now_ms: int) -> Settlement:
    """The end of an attempt as Asterisk's events tell it. `in_journal`: our journal has the call as answered."""
    answered = watch.answered_at_ms is not None
    if watch.given_up and not in_journal:
        # Nobody answered, or our hanging up met the answer on its way: there was nothing to hear.
        outcome = Outcome.CANCELLED
    elif answered and not watch.machine and watch.fallback and not in_journal:
        # A person who heard that we are sorry, and nothing else.
        outcome = Outcome.UNKNOWN
    elif answered and watch.machine is None and watch.blind and watch.rules.machines == "detect":
        outcome = Outcome.UNKNOWN
    else:
        outcome = decide(
            reason=watch.reason,
            cause=watch.cause,
            sip_status=watch.sip_status,
            answered=answered,
            machine=bool(watch.machine),
        )
    return Settlement(
        attempt_id=watch.claim.attempt_id,
        tenant=watch.claim.tenant,
        lead_id=watch.claim.lead_id,
        number=watch.claim.number,
        outcome=outcome,
        settled_by="events",
        ended_at_ms=watch.hung_up_at_ms or now_ms,
        dialled_at_ms=watch.claim.planned_at_ms,
        answered_at_ms=None if outcome is Outcome.CANCELLED else watch.answered_at_ms,
        reason=watch.reason,
        cause=watch.cause,
        sip_status=watch.sip_status,
        rest_ms=_rest_ms(watch, outcome, ended_ago_ms=now_ms - (watch.hung_up_at_ms or now_ms)),
    )


def _rest_ms(watch: Watch, outcome: Outcome, *, ended_ago_ms: int) -> int | None:
    spent = watch.claim.spent - int(outcome is Outcome.CANCELLED)
    return rest_ms(
        watch.rules.retry, outcome, spent=spent, ended_ago_ms=ended_ago_ms, other_numbers=watch.claim.other_numbers
    )
