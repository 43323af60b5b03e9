"""Decide how many calls may start now: a cap on calls at one time and a cap on calls per second. Reads no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Pace:
    """A token bucket: a token is the right to start one call."""

    channels: int
    calls_per_second: float
    tokens: float = 1.0
    #: When `tokens` was right; monotonic seconds.
    at_s: float

    @property
    def _capacity(self) -> float:
        # A bucket of one token never starts more than `calls_per_second` in any second. Above 20 per second a twentieth
        # of a second's calls may go out together, so that a claim costs one transaction instead of several.
        return max(1.0, self.calls_per_second / 20)

    def _refilled(self, now_s: float) -> float:
        return min(self._capacity, self.tokens + max(0.0, now_s - self.at_s) * self.calls_per_second)

    def allowed(self, *, now_s: float, in_flight: int) -> int:
        """How many calls may start now."""
        # A sum of time differences may come to 0.9999999 where 1 is meant.
        return max(0, min(self.channels - in_flight, int(self._refilled(now_s) + 1e-6)))

    def spent(self, started: int, *, now_s: float) -> Pace:
        """The pace after `started` calls were started."""
        return replace(self, tokens=self._refilled(now_s) - started, at_s=now_s)

    def wait_s(self, *, now_s: float) -> float:
        """Seconds until the next token, however many calls are in flight."""
        return max(0.0, (1.0 - self._refilled(now_s)) / self.calls_per_second)
