"""Decide whether a lead is dialled again after an attempt, and how long it rests. Reads no clock, no database.

The rule is data: outcome -> rest. An outcome without a rest is final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outbound.plan.outcome import NO_GOOD, Outcome


@dataclass(frozen=True, kw_only=True)
class Rest:
    """How long a person is left alone after an attempt that came to nothing."""

    seconds: int
    #: Whether the attempt is one of those that the campaign allows itself.
    counts: bool = True


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When a campaign tries again."""

    #: Attempts per lead that count, the first one included.
    max_attempts: int
    rests: Mapping[Outcome, Rest]

    @property
    def longest_rest_s(self) -> int:
        """No lead of the campaign waits longer than that."""
        return max((rest.seconds for rest in self.rests.values()), default=0)

    @classmethod
    def after(cls, seconds: int, *, max_attempts: int) -> Retry:
        """A busy or unanswered phone is tried again; so is one that we ourselves stopped ringing, whatever it cost."""
        rest = Rest(seconds=seconds)
        rests = {Outcome.BUSY: rest, Outcome.NO_ANSWER: rest, Outcome.CANCELLED: Rest(seconds=seconds, counts=False)}
        return cls(max_attempts=max_attempts, rests=rests)


def rest_ms(retry: Retry, outcome: Outcome, *, spent: int, ended_ago_ms: int = 0, other_numbers: int = 0) -> int | None:
    """How much longer the lead rests before it is dialled again; None: it never is.

    `spent` counts the attempts that count, the one that has just ended included unless its outcome does not. Where the
    number was nobody's, a person who has `other_numbers` is dialled by the next at once: nobody was disturbed.
    """
    if outcome in NO_GOOD and other_numbers:
        return 0
    rest = retry.rests.get(outcome)
    if rest is None or (rest.counts and spent >= retry.max_attempts):
        return None
    return max(0, rest.seconds * 1000 - max(0, ended_ago_ms))
