from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outbound.plan.pacing import LATE_S, Pace


def left_at(rate: float, seconds: float, late_s: list[float]) -> list[float]:
    """The instants at which calls leave when each is late by the next of `late_s`, over and over."""
    pace, now, leaves = Pace(calls_per_second=rate, next_s=0.0), 0.0, list[float]()
    while now < seconds:
        assert pace.may(now_s=now)
        leaves.append(now)
        pace = pace.left(now_s=now)
        now = max(now, pace.next_s + late_s[len(leaves) % len(late_s)])
    return leaves


def busiest_second(instants: list[float]) -> int:
    first, most = 0, 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


RATES = st.one_of(st.floats(0.05, 200), st.integers(1, 200).map(float))


@settings(deadline=None)
@given(rate=RATES, late_s=st.lists(st.floats(0.0, 0.3) | st.just(0.0) | st.floats(0.0, 0.01), min_size=1, max_size=30))
def test_no_sliding_second_has_more_calls_than_the_cap_rounded_up(rate: float, late_s: list[float]) -> None:
    assert busiest_second(left_at(rate, 4, late_s)) <= math.ceil(rate)


@settings(deadline=None)
@given(rate=RATES, late_s=st.lists(st.floats(0.0, LATE_S), min_size=1, max_size=10))
def test_a_little_lateness_does_not_slow_it_down(rate: float, late_s: list[float]) -> None:
    seconds = max(4.0, 10 / rate)
    assert len(left_at(rate, seconds, late_s)) >= math.floor(rate * 0.98 * (seconds - LATE_S))


@pytest.mark.parametrize(("rate", "apart_s"), [(0.5, 2.0), (1.5, 1 / 1.5), (50, 0.02)])
def test_fractions_are_kept_and_calls_are_spaced(rate: float, apart_s: float) -> None:
    leaves = left_at(rate, 60, [0.0])
    gaps = [after - before for before, after in itertools.pairwise(leaves)]
    assert min(gaps) >= apart_s
    assert max(gaps) == pytest.approx(apart_s / 0.98)


def test_a_rest_saves_up_no_burst() -> None:
    pace = Pace(calls_per_second=2, next_s=0.0).left(now_s=0.0).left(now_s=3600.0)
    assert not pace.may(now_s=3600.0 + 0.4)
    assert pace.may(now_s=3600.0 + 0.52)
