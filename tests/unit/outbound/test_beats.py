"""What is done now and again is done on a beat, together."""

from __future__ import annotations

import pytest

from outbound.clock import Clock


class At(Clock):
    def __init__(self, passed_s: float) -> None:
        self._passed_s = passed_s

    def monotonic_s(self) -> float:
        return self._passed_s


@pytest.mark.parametrize(
    ("passed_s", "every_s", "beat_s"),
    [(100.3, 1.0, 101.0), (100.3, 5.0, 105.0), (100.0, 4.0, 104.0), (104.95, 1.0, 106.0), (103.9, 4.0, 108.0)],
)
def test_a_beat_is_a_multiple_and_a_whole_wait_away_when_woken_early(
    passed_s: float, every_s: float, beat_s: float
) -> None:
    assert passed_s + At(passed_s).to_beat_s(every_s) == pytest.approx(beat_s)
