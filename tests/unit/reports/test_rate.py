from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.rate import Rate, wilson


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        # Newcombe 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=0.00005)


@given(st.integers(1, 3_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_mirrors(part_whole: tuple[int, int]) -> None:
    part, whole = part_whole
    low, high = wilson(part, whole)
    assert 0 <= low <= part / whole <= high <= 1
    assert low < high
    assert wilson(whole - part, whole) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("part", "whole"), [(0, 0), (1, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_has_none(part: int, whole: int) -> None:
    assert Rate(part, whole).share is None
    assert Rate(part, whole).interval is None
    with pytest.raises(ValueError, match="no share"):
        wilson(part, whole)


def test_nobody_of_somebody_is_zero_not_unknown() -> None:
    assert Rate(0, 7).share == 0
