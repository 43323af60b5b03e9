"""Which of a person's numbers is next."""

from __future__ import annotations

import pytest

from outbound.plan.numbers import Try, choose
from outbound.plan.outcome import Outcome
from outbound.plan.retry import Retry, rest_ms

NUMBERS = [7, 3, 5]


def tried(*tries: tuple[int, str]) -> list[Try]:
    return [Try(number=number, outcome=Outcome(outcome)) for number, outcome in tries]


@pytest.mark.parametrize(
    ("tries", "next_number"),
    [
        ([], 7),
        ([(7, "busy")], 3),
        ([(7, "busy"), (3, "no_answer"), (5, "busy")], 7),
        ([(7, "invalid_number")], 3),
        ([(7, "invalid_number"), (3, "busy"), (5, "busy")], 3),
        ([(7, "busy"), (3, "invalid_number")], 5),
        # We stopped ringing it ourselves.
        ([(7, "cancelled")], 7),
        ([(7, "busy"), (3, "cancelled")], 3),
        # A number that was taken away since.
        ([(9, "busy")], 7),
        ([(7, "invalid_number"), (3, "invalid_number"), (5, "invalid_number")], 5),
    ],
)
def test_the_next_number(tries: list[tuple[int, str]], next_number: int) -> None:
    assert choose(NUMBERS, tried(*tries)) == next_number


@pytest.mark.parametrize(
    ("outcome", "others", "left_ms"),
    [
        (Outcome.INVALID_NUMBER, 0, None),
        (Outcome.INVALID_NUMBER, 1, 0),
        (Outcome.REJECTED, 1, None),
        (Outcome.HUMAN, 1, None),
        (Outcome.UNKNOWN, 1, None),
        (Outcome.BUSY, 1, None),
    ],
)
def test_only_a_number_that_is_nobodys_costs_no_attempt(outcome: Outcome, others: int, left_ms: int | None) -> None:
    retry = Retry.after(60, max_attempts=1)
    assert rest_ms(retry, outcome, spent=1, other_numbers=others) == left_ms
