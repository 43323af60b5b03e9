"""Fold quarter-hour counts into hours of the day and dates of a time zone. Pure.

SQL can't do time zones the same way everywhere; every zone in use is a multiple of 15 minutes away from UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from reports.figures import TimeFigure
from reports.rate import Rate

SLOT_MS = 900_000

Key = TypeVar("Key", int, date)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Counts of one quarter of an hour of UTC: `number` quarters since 1970."""

    number: int
    attempts: int = 0
    answered: int = 0
    reached: int = 0
    listened: int = 0
    follow_up: int = 0


def _fold(slots: Iterable[Slot], key: Callable[[datetime], Key], zone: ZoneInfo) -> dict[Key, TimeFigure]:
    sums: dict[Key, list[int]] = defaultdict(lambda: [0] * 5)
    for slot in slots:
        local = datetime.fromtimestamp(slot.number * SLOT_MS // 1000, UTC).astimezone(zone)
        counts = (slot.attempts, slot.answered, slot.reached, slot.listened, slot.follow_up)
        sums[key(local)] = [a + b for a, b in zip(sums[key(local)], counts, strict=True)]
    return {
        key: TimeFigure(attempts_answered=Rate(answered, attempts), reached=reached, listened=listened, follow_up=asked)
        for key, (attempts, answered, reached, listened, asked) in sorted(sums.items())
    }


def by_hour(slots: Iterable[Slot], zone: ZoneInfo) -> Mapping[int, TimeFigure]:
    """Figures per hour of the day, 0..23, of those hours that have any."""
    return _fold(slots, lambda local: local.hour, zone)


def by_date(slots: Iterable[Slot], zone: ZoneInfo) -> Mapping[date, TimeFigure]:
    """Figures per local date, in order."""
    return _fold(slots, lambda local: local.date(), zone)
