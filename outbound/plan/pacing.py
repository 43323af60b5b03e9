"""Decide how many calls may start now: a cap on calls at one time and a cap on calls per second. Reads no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

# A sum of time differences may come to 0.9999999 where 1 is meant.
_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class Pace:
    """A bucket of tokens, each the right to start one call; however full, no second has more calls than allowed."""

    channels: int
    calls_per_second: float
    tokens: float = 1.0
    #: When `tokens` was right; monotonic seconds.
    at_s: float
    #: Calls started in the second before `at_s`: (moment, how many).
    recent: tuple[tuple[float, int], ...] = ()

    def allowed(self, *, now_s: float, in_flight: int) -> int:
        """How many calls may start now."""
        free = self.channels - in_flight
        return max(0, min(free, int(self._refilled(now_s) + _ROUNDING), self._left_of_second(now_s)))

    def spent(self, started: int, *, now_s: float) -> Pace:
        """The pace after `started` calls were started."""
        recent = tuple(each for each in self.recent if each[0] > now_s - 1.0)
        recent += ((now_s, started),) if started else ()
        return replace(self, tokens=self._refilled(now_s) - started, at_s=now_s, recent=recent)

    def wait_s(self, *, now_s: float) -> float:
        """Seconds until calls may start again, however many are in flight.

        From 40 per second on several start together, so that a claim costs one transaction instead of several.
        """
        together = max(1, int(self.calls_per_second / 20))
        if self._left_of_second(now_s) == 0:
            return max(0.0, self.recent[0][0] + 1.0 - now_s)
        return max(0.0, (together - self._refilled(now_s)) / self.calls_per_second)

    def _refilled(self, now_s: float) -> float:
        # Calls that were missed because we came late are made up for, up to a fifth of a second's.
        most = max(1.0, self.calls_per_second / 5)
        return min(most, self.tokens + max(0.0, now_s - self.at_s) * self.calls_per_second)

    def _left_of_second(self, now_s: float) -> int:
        started = sum(count for moment, count in self.recent if moment > now_s - 1.0)
        return max(0, max(1, int(self.calls_per_second)) - started)
