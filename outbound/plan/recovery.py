"""Decide what an attempt came to when its events were lost: from Asterisk's own records and our journal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ivr.amd import is_machine
from outbound.plan.outcome import Outcome, decide

# CDR dispositions as the OriginateResponse Reason that would have said the same.
_REASONS = {"NO ANSWER": 3, "ANSWERED": 4, "BUSY": 5, "CONGESTION": 8, "FAILED": 0}
#: Causes that leave it open why nobody answered; 16 is our own giving up. A phone that rang to its end has 19,
#: never 0.
_NO_CAUSE = (None, 16)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What Asterisk wrote down when the channel was gone (UTC, ms)."""

    #: ANSWERED, NO ANSWER, BUSY, FAILED, CONGESTION
    disposition: str
    started_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int
    #: Q.850; None: Asterisk has not noted it.
    cause: int | None = None
    #: AMDSTATUS-AMDCAUSE; "" when there was no verdict, or an older release wrote the record.
    amd: str = ""
    #: Asterisk itself apologised, for no engine was there.
    fallback: bool = False

    @property
    def machine(self) -> bool | None:
        return _verdict(self.amd)


@dataclass(frozen=True, kw_only=True)
class Journalled:
    """What our own journal has of the call that came of the attempt."""

    answered_at_ms: int | None
    ended_at_ms: int | None
    #: AMDSTATUS-AMDCAUSE; "" when not asked.
    amd: str

    @property
    def machine(self) -> bool | None:
        return _verdict(self.amd)


def _verdict(amd: str) -> bool | None:
    """Whether a machine took the call; None: AMD did not come to a verdict."""
    status, _, cause = amd.partition("-")
    return None if status in ("", "HANGUP") else is_machine(status, cause)


@dataclass(frozen=True, kw_only=True)
class Learned:
    outcome: Outcome
    #: cdr, call, or none: where it was learned.
    settled_by: Literal["cdr", "call", "none"]
    dialled_at_ms: int | None = None
    answered_at_ms: int | None = None
    ended_at_ms: int | None = None
    cause: int | None = None
    #: False: whoever answered heard the dialplan's fallback alone.
    served: bool = True


def learn(
    *, record: Record | None, journalled: Journalled | None, detects: bool, waited_enough: bool
) -> Learned | None:
    """What became of an attempt whose channel is gone; None: wait, a record or its cause may still be written.

    Asterisk's record wins; our journal alone proves an answer. With neither, and enough waiting, it is UNKNOWN. Where
    the campaign `detects` machines, so is an answer of which nobody knows whether it was one's. So is the answer of a
    person who heard the fallback alone.
    """
    answered_at_ms = journalled.answered_at_ms if journalled else None
    machine = journalled.machine if journalled else None
    if machine is None and record is not None:
        machine = record.machine
    if record is not None:
        answered_at_ms = answered_at_ms or record.answered_at_ms
        if answered_at_ms is None and record.cause is None and not waited_enough:
            # The cause is written by another thread, and tells a refusal from a phone that rang.
            return None
        reason = _REASONS.get(record.disposition, 0)
        if record.disposition == "NO ANSWER" and record.cause not in _NO_CAUSE:
            # Asterisk writes NO ANSWER of every call that was not answered and has no better word, a SIP 500 too.
            reason = 0
        outcome = decide(
            reason=reason,
            cause=record.cause,
            sip_status=None,
            answered=answered_at_ms is not None,
            machine=bool(machine),
        )
        served = not record.fallback or (journalled is not None and journalled.answered_at_ms is not None)
        if outcome is Outcome.HUMAN and (not served or (detects and machine is None)):
            outcome = Outcome.UNKNOWN
        return Learned(
            outcome=outcome,
            settled_by="cdr",
            dialled_at_ms=record.started_at_ms,
            answered_at_ms=answered_at_ms,
            ended_at_ms=record.ended_at_ms,
            cause=record.cause,
            served=served,
        )
    if not waited_enough:
        return None
    if journalled is not None and answered_at_ms is not None:
        answered = Outcome.MACHINE if machine else Outcome.HUMAN
        return Learned(
            outcome=Outcome.UNKNOWN if detects and machine is None else answered,
            settled_by="call",
            dialled_at_ms=answered_at_ms,
            answered_at_ms=answered_at_ms,
            ended_at_ms=journalled.ended_at_ms,
        )
    return Learned(outcome=Outcome.UNKNOWN, settled_by="none")
