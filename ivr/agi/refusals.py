"""Which refused peers to tell of, so that nobody can fill the log: the first of a kind at once, then a count a minute.

Pure: time is an argument.
"""

from __future__ import annotations

#: Further refusals of a kind are told together, so often.
EVERY_S = 60.0


class Refusals:
    """Counts refusals by why. The reasons are few and our own words."""

    def __init__(self) -> None:
        #: When each was told last.
        self._told_s: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def count(self, why: str, now_s: float) -> int:
        """Count one refusal; how many to tell of now: this one alone, this one and earlier ones, or 0 for later."""
        count = self._untold.pop(why, 0) + 1
        last_s = self._told_s.get(why)
        if last_s is not None and now_s - last_s < EVERY_S:
            self._untold[why] = count
            return 0
        self._told_s[why] = now_s
        return count

    def take(self, now_s: float) -> dict[str, int]:
        """Everything not told yet, by why."""
        untold, self._untold = self._untold, {}
        self._told_s.update(dict.fromkeys(untold, now_s))
        return untold
