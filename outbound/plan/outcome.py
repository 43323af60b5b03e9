"""Decide what became of an attempt. Reads no clock, no database.

Facts measured on Asterisk 22.10.1 with PJSIP: OriginateResponse says Reason 4 for answered and 3 for no answer; busy,
congestion, rejected and unallocated all come as 0, and only the Hangup event after it tells them apart by Cause and
TechCause (the SIP status).
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of one attempt. The values are stored and exported."""

    HUMAN = "human"
    MACHINE = "machine"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    CONGESTION = "congestion"
    FAILED = "failed"
    #: We stopped ringing it ourselves, so it is not the person's: no attempt is spent.
    CANCELLED = "cancelled"
    #: The engine could not learn it. Shown, never hidden; not dialled again by itself.
    UNKNOWN = "unknown"


#: The number is nobody's: who has others is dialled by those, and it costs no attempt.
NO_GOOD = frozenset({Outcome.INVALID_NUMBER})

#: OriginateResponse Reason of a call that was answered (AST_CONTROL_ANSWER).
ANSWERED = 4

# The subscriber's own phone and network speak in SIP statuses, so they are the closest to the truth.
_BY_SIP_STATUS = {
    401: Outcome.FAILED,  # the operator does not take our name and password; nobody's phone was asked
    404: Outcome.INVALID_NUMBER,
    407: Outcome.FAILED,
    408: Outcome.NO_ANSWER,
    410: Outcome.INVALID_NUMBER,
    480: Outcome.NO_ANSWER,
    484: Outcome.INVALID_NUMBER,
    486: Outcome.BUSY,
    487: Outcome.NO_ANSWER,  # our CANCEL, after the ring time
    503: Outcome.CONGESTION,
    600: Outcome.BUSY,
    603: Outcome.REJECTED,
    604: Outcome.INVALID_NUMBER,
    607: Outcome.REJECTED,  # unwanted
    608: Outcome.REJECTED,  # by the network, for the subscriber
}

# Q.850 causes, as Asterisk translates SIP statuses into them.
_BY_CAUSE = {
    1: Outcome.INVALID_NUMBER,  # unallocated
    17: Outcome.BUSY,
    18: Outcome.NO_ANSWER,  # no user responding
    19: Outcome.NO_ANSWER,
    20: Outcome.NO_ANSWER,  # subscriber absent
    21: Outcome.REJECTED,
    22: Outcome.INVALID_NUMBER,  # number changed
    28: Outcome.INVALID_NUMBER,  # incomplete or badly formed
    34: Outcome.CONGESTION,  # no circuit
    42: Outcome.CONGESTION,  # switching equipment
}

# Local channels say more in Reason than SIP trunks do: 5 busy and 8 congestion are AST_CONTROL_BUSY and _CONGESTION.
_BY_REASON = {3: Outcome.NO_ANSWER, 5: Outcome.BUSY, 8: Outcome.CONGESTION}


def decide(*, reason: int | None, cause: int | None, sip_status: int | None, answered: bool, machine: bool) -> Outcome:
    """What became of an attempt, from OriginateResponse (`reason`) and Hangup (`cause`, `sip_status`), None for unseen.

    Who answered and hung up before anything was said is a person: `machine` must be known to be true. When the two
    events disagree the SIP status wins, then the cause, then the reason. With nothing seen at all it is UNKNOWN.
    """
    if answered or reason == ANSWERED:
        return Outcome.MACHINE if machine else Outcome.HUMAN
    found = (
        (_BY_SIP_STATUS.get(sip_status) if sip_status is not None else None)
        or (_BY_CAUSE.get(cause) if cause is not None else None)
        or (_BY_REASON.get(reason) if reason is not None else None)
    )
    if found is not None:
        return found
    return Outcome.UNKNOWN if reason is None and not cause and not sip_status else Outcome.FAILED
