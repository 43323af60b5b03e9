from __future__ import annotations

import pytest

from outbound.plan.outcome import Outcome
from outbound.plan.retry import Retry, rest_ms

RETRY = Retry.after(60, max_attempts=3)
AGAIN = (Outcome.BUSY, Outcome.NO_ANSWER, Outcome.CANCELLED)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_is_tried_again(outcome: Outcome) -> None:
    assert rest_ms(RETRY, outcome, spent=1) == (60_000 if outcome in AGAIN else None)


@pytest.mark.parametrize(("spent", "again"), [(1, True), (2, True), (3, False), (4, False)])
def test_attempts_are_counted_with_the_first(spent: int, again: bool) -> None:
    assert (rest_ms(RETRY, Outcome.BUSY, spent=spent) is not None) is again


def test_what_we_gave_up_ourselves_is_always_tried_again() -> None:
    assert rest_ms(RETRY, Outcome.CANCELLED, spent=3) == 60_000


@pytest.mark.parametrize(("ended_ago_ms", "left_ms"), [(0, 60_000), (20_000, 40_000), (90_000, 0), (-3600_000, 60_000)])
def test_the_rest_began_at_the_end_of_the_attempt(ended_ago_ms: int, left_ms: int) -> None:
    """One that ended "in the future", by a clock that was put back, has just ended."""
    assert rest_ms(RETRY, Outcome.BUSY, spent=1, ended_ago_ms=ended_ago_ms) == left_ms
