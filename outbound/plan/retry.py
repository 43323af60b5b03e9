"""Decide whether a lead is dialled again, and when. Does nothing itself; reads no clock, no database."""

from __future__ import annotations

from outbound.plan.outcome import Outcome

_WORTH_ANOTHER_TRY = frozenset({Outcome.BUSY, Outcome.NO_ANSWER})


def next_due_ms(
    outcome: Outcome, *, attempts: int, max_attempts: int, retry_after_s: int, ended_at_ms: int
) -> int | None:
    """Not before this moment (UTC, ms) the lead is dialled again; None: never.

    Only a busy or unanswered phone is tried again. `attempts` counts the one that has just ended.
    """
    if outcome not in _WORTH_ANOTHER_TRY or attempts >= max_attempts:
        return None
    return ended_at_ms + retry_after_s * 1000
