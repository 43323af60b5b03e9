"""How often refused peers are told of."""

from __future__ import annotations

from ivr.agi.refusals import EVERY_S, Refusals


def test_the_first_of_each_kind_is_told_at_once_and_the_rest_a_minute_later() -> None:
    refusals = Refusals()
    assert [refusals.count("junk", second) for second in (0.0, 1.0, 2.0)] == [1, 0, 0]
    assert refusals.count("key", 3.0) == 1
    assert refusals.take(EVERY_S) == {"junk": 2}
    assert refusals.take(EVERY_S) == {}


def test_after_a_quiet_minute_the_next_one_is_told_with_those_before_it() -> None:
    refusals = Refusals()
    assert [refusals.count("junk", second) for second in (0.0, 1.0, EVERY_S, EVERY_S + 1)] == [1, 0, 2, 0]
