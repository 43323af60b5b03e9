"""Choose by which of a person's numbers the next attempt goes. Reads no clock, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outbound.plan.outcome import NO_GOOD, Outcome


@dataclass(frozen=True, kw_only=True)
class Try:
    """An attempt of the lead."""

    number: int
    #: None: in flight.
    outcome: Outcome | None


def still_good(numbers: Sequence[int], tries: Sequence[Try]) -> list[int]:
    """Those that nothing has shown to be nobody's."""
    bad = {each.number for each in tries if each.outcome in NO_GOOD}
    return [number for number in numbers if number not in bad]


def choose(numbers: Sequence[int], tries: Sequence[Try]) -> int:
    """The next of `numbers`, which are in the order in which they are tried, after `tries`, the oldest first.

    The first attempt goes by the first, each further one by the next that is still good, round and round. An attempt
    that we gave up ourselves has tried nothing.
    """
    last = next((each.number for each in reversed(tries) if each.outcome is not Outcome.CANCELLED), None)
    begin = numbers.index(last) + 1 if last in numbers else 0
    good = still_good(numbers, tries)
    return next((number for number in [*numbers[begin:], *numbers[:begin]] if number in good), numbers[begin - 1])
