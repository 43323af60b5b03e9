"""Decide when the next call may leave: calls are spaced, never bunched. Reads no clock.

Spacing by 1/rate of what is allowed less two hundredths keeps every sliding second at the cap or below, though up to
`LATE_S` of our own lateness is made up for: (1 + LATE_S) * _SHARE < 1. What is left of that room is the network's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

#: Of the cap that is used.
_SHARE = 0.98
#: A call that leaves so late does not put off those after it.
LATE_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The pace of a campaign, or of the trunk that campaigns share. Monotonic seconds."""

    #: Fractions count: 0.5 is one call each two seconds.
    calls_per_second: float
    #: The next call leaves then, or later.
    next_s: float

    @property
    def apart_s(self) -> float:
        return 1.0 / (self.calls_per_second * _SHARE)

    def within(self, seconds: float) -> int:
        """How many calls may leave in so long; one at least."""
        return max(1, math.ceil(seconds / self.apart_s))

    def may(self, *, now_s: float) -> bool:
        """Whether a call may leave now."""
        return now_s >= self.next_s

    def left(self, *, now_s: float) -> Pace:
        """The pace after a call left. A rest saves nothing up."""
        return replace(self, next_s=max(self.next_s, now_s - LATE_S) + self.apart_s)
