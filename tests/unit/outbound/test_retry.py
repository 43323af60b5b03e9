from __future__ import annotations

import pytest

from outbound.plan.outcome import Outcome
from outbound.plan.retry import next_due_ms


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_busy_and_no_answer_are_dialled_again(outcome: Outcome) -> None:
    due = next_due_ms(outcome, attempts=1, max_attempts=3, retry_after_s=60, ended_at_ms=1_000)
    assert due == (61_000 if outcome in (Outcome.BUSY, Outcome.NO_ANSWER) else None)


@pytest.mark.parametrize(("attempts", "again"), [(1, True), (2, True), (3, False), (4, False)])
def test_attempts_are_counted_with_the_first(attempts: int, again: bool) -> None:
    due = next_due_ms(Outcome.BUSY, attempts=attempts, max_attempts=3, retry_after_s=1, ended_at_ms=0)
    assert (due is not None) is again
