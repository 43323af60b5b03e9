"""Which rule removes what from before when, and when the night's run is."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from people.retention import KINDS, Kind, Rule, next_run_ms, rules

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)).map(
    lambda at: round(at.timestamp() * 1000)
)


def ms(text: str, zone: ZoneInfo) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def test_without_rules_nothing_goes() -> None:
    assert list(rules({}, now_ms=0, zone=MOSCOW)) == []
    assert list(rules(dict.fromkeys(KINDS, 0), now_ms=0, zone=MOSCOW)) == []


def test_whole_days_of_the_site_are_kept_beside_today() -> None:
    now = ms("2026-11-30 00:30", MOSCOW)
    assert list(rules({"calls": 30}, now_ms=now, zone=MOSCOW)) == [
        Rule(kind="calls", before_ms=ms("2026-10-31 00:00", MOSCOW))
    ]


@given(moments, st.dictionaries(st.sampled_from(KINDS), st.integers(0, 3650)), st.sampled_from([MOSCOW, BERLIN]))
def test_a_rule_never_reaches_into_the_days_that_are_kept(now: int, days: dict[Kind, int], zone: ZoneInfo) -> None:
    found = list(rules(days, now_ms=now, zone=zone))
    assert [rule.kind for rule in found] == [kind for kind in KINDS if days.get(kind)]
    for rule in found:
        before = datetime.fromtimestamp(rule.before_ms / 1000, zone)
        assert (before.hour, before.minute) == (0, 0)
        assert (datetime.fromtimestamp(now / 1000, zone).date() - before.date()).days == days[rule.kind]


@given(moments, st.integers(0, 23), st.sampled_from([MOSCOW, BERLIN]))
def test_a_night_is_never_left_out_and_never_run_twice(now: int, hour: int, zone: ZoneInfo) -> None:
    first = next_run_ms(now, hour=hour, zone=zone)
    second = next_run_ms(first, hour=hour, zone=zone)
    assert now < first <= now + 25 * 3_600_000
    assert 23 * 3_600_000 <= second - first <= 25 * 3_600_000
    # Where clocks are put forward over it, the hour after.
    assert datetime.fromtimestamp(first / 1000, zone).hour in (hour, hour + 1)
