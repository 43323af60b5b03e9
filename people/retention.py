"""What is kept how long: which rule removes what from before when. Pure.

What has no rule is kept for ever, and so are the do-not-call list, attempts and figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Kind = Literal["journal", "calls", "requests", "people", "logs", "copies"]
#: In the order in which they are applied: a call goes with its journal.
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Rule:
    kind: Kind
    #: UTC ms: a midnight of the site. What is of before goes.
    before_ms: int


def rules(days: Mapping[Kind, int], *, now_ms: int, zone: ZoneInfo) -> Iterator[Rule]:
    """The rules that are set. `days` is how many whole days are kept beside today; 0: all."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).date()
    for kind in KINDS:
        if kept := days.get(kind, 0):
            midnight = datetime.combine(today - timedelta(days=kept), time(), zone)
            yield Rule(kind=kind, before_ms=round(midnight.timestamp() * 1000))


def next_run_ms(now_ms: int, *, hour: int, zone: ZoneInfo) -> int:
    """The next instant at which the zone's clocks come to that hour; where they leave it out, the hour after."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).date()
    for days in range(3):
        at = datetime.combine(today + timedelta(days=days), time(hour), zone)
        at_ms = round(at.timestamp() * 1000)
        if at_ms > now_ms:
            return at_ms
    raise AssertionError("the day after tomorrow comes")
