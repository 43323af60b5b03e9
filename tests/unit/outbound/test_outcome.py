"""What Asterisk reports of an attempt, and what it means: the table that was measured on 22.10.1 with PJSIP."""

from __future__ import annotations

import pytest

from outbound.plan.outcome import Outcome, decide


@pytest.mark.parametrize(
    ("reason", "cause", "sip_status", "outcome"),
    [
        # OriginateResponse says 0 for four different things; Hangup tells them apart.
        (0, 17, 486, Outcome.BUSY),
        (0, 34, 503, Outcome.CONGESTION),
        (0, 1, 404, Outcome.INVALID_NUMBER),
        (0, 21, 603, Outcome.REJECTED),
        (0, 127, 607, Outcome.REJECTED),
        (0, 127, 608, Outcome.REJECTED),
        (0, 19, 480, Outcome.NO_ANSWER),
        (3, 19, 480, Outcome.NO_ANSWER),
        # Our ring time is over: CANCEL, 487.
        (3, 16, 487, Outcome.NO_ANSWER),
        (3, 16, None, Outcome.NO_ANSWER),
        (3, 0, None, Outcome.NO_ANSWER),
        (3, None, None, Outcome.NO_ANSWER),
        # Local channels.
        (5, None, None, Outcome.BUSY),
        (5, 16, None, Outcome.BUSY),
        (8, None, None, Outcome.CONGESTION),
        # Only one of the two events came.
        (None, 17, 486, Outcome.BUSY),
        (None, 17, None, Outcome.BUSY),
        (None, None, 603, Outcome.REJECTED),
        (0, None, None, Outcome.FAILED),
        (None, 16, None, Outcome.FAILED),
        # The trunk itself refused: nobody's phone rang.
        (0, 57, 403, Outcome.FAILED),
        # The operator does not know our name and password.
        (0, 21, 401, Outcome.FAILED),
        (0, 21, 407, Outcome.FAILED),
        (0, 127, 500, Outcome.FAILED),
        (0, 0, None, Outcome.FAILED),
        # Nothing was learned.
        (None, None, None, Outcome.UNKNOWN),
        (None, 0, None, Outcome.UNKNOWN),
    ],
)
def test_not_answered(reason: int | None, cause: int | None, sip_status: int | None, outcome: Outcome) -> None:
    assert decide(reason=reason, cause=cause, sip_status=sip_status, answered=False, machine=False) is outcome


@pytest.mark.parametrize(
    ("reason", "cause", "answered", "machine", "outcome"),
    [
        (4, 16, False, False, Outcome.HUMAN),
        # The far end hung up: Asterisk gives cause 0.
        (4, 0, True, False, Outcome.HUMAN),
        (4, 0, True, True, Outcome.MACHINE),
        # OriginateResponse was lost; the channel was seen up, or the call was journalled.
        (None, 16, True, False, Outcome.HUMAN),
        (None, None, True, True, Outcome.MACHINE),
        # An answered call that ends in an odd cause was answered all the same.
        (4, 17, True, False, Outcome.HUMAN),
    ],
)
def test_answered(reason: int | None, cause: int, answered: bool, machine: bool, outcome: Outcome) -> None:
    assert decide(reason=reason, cause=cause, sip_status=None, answered=answered, machine=machine) is outcome
