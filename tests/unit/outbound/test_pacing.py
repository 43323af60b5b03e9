from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outbound.plan.pacing import Pace


def started_at(pace: Pace, seconds: float, tick_s: float, in_flight: int = 0) -> list[float]:
    """The instants at which calls start when one asks every `tick_s` and no call ends."""
    now = 0.0
    starts: list[float] = []
    while now < seconds:
        count = pace.allowed(now_s=now, in_flight=in_flight + len(starts))
        pace = pace.spent(count, now_s=now)
        starts += [now] * count
        now += tick_s
    return starts


@settings(deadline=None)
@given(rate=st.integers(1, 200), tick_s=st.sampled_from([0.005, 0.01, 0.05, 0.2, 0.7]))
def test_no_second_has_more_calls_than_the_cap(rate: int, tick_s: float) -> None:
    starts = started_at(Pace(channels=10_000, calls_per_second=rate, at_s=0.0), 5, tick_s)
    assert starts[0] == 0.0
    assert all(sum(start <= other < start + 0.999 for other in starts) <= rate for start in starts)


@pytest.mark.parametrize(("rate", "calls"), [(0.5, 5), (2, 20), (50, 500), (200, 2000)])
def test_the_rate_is_reached(rate: float, calls: int) -> None:
    starts = started_at(Pace(channels=10_000, calls_per_second=rate, at_s=0.0), 10, 0.01)
    assert calls * 0.95 <= len(starts) <= calls * 1.01 + 1


def test_the_channel_cap_holds_whatever_the_rate() -> None:
    assert len(started_at(Pace(channels=7, calls_per_second=200, at_s=0.0), 10, 0.01, in_flight=3)) == 4
    assert Pace(channels=2, calls_per_second=1, at_s=0.0).allowed(now_s=9, in_flight=5) == 0


def test_lateness_is_made_up_for_within_the_cap() -> None:
    pace = Pace(channels=1000, calls_per_second=50, at_s=0.0)
    starts = started_at(pace, 10, 0.15)
    assert len(starts) >= 50 * 10 * 0.9
    assert all(sum(start <= other < start + 0.999 for other in starts) <= 50 for start in starts)


def test_a_rest_saves_up_no_burst() -> None:
    pace = Pace(channels=100, calls_per_second=2, at_s=0.0).spent(1, now_s=0)
    assert pace.allowed(now_s=3600, in_flight=0) == 1


def test_the_wait_ends_when_a_call_may_start() -> None:
    pace = Pace(channels=100, calls_per_second=4, at_s=10.0).spent(1, now_s=10.0)
    assert pace.wait_s(now_s=10.0) == pytest.approx(0.25)
    assert pace.allowed(now_s=10.0 + pace.wait_s(now_s=10.0), in_flight=0) == 1


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    pace = Pace(channels=100, calls_per_second=4, at_s=10.0).spent(1, now_s=10.0)
    assert pace.allowed(now_s=3.0, in_flight=0) == 0
