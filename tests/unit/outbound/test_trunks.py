"""By which trunk a number is dialled, and when an attempt surely rang nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.settings import Trunk
from ivr.trunks import SiteTrunk, carrying
from outbound.plan.trunks import By, Carrier, NotNow, Signs, choose, not_taken, passed_over_s

NOW = 1000.0
FIRST, SECOND = Carrier(name="first", room=1), Carrier(name="second", room=1)
NONE_RANG = Signs(rang=False, no_channel=False, sip_status=None, silent=False)


def trunk(name: str, **how: object) -> SiteTrunk:
    return SiteTrunk(name=name, how=Trunk.model_validate({"host": "10.0.0.1", **how}))


def names(*trunks: SiteTrunk, number: str = "+380441234567", tenant: str = "shop") -> list[str]:
    return [each.name for each in carrying(trunks, number, tenant=tenant)]


def test_the_longest_beginning_wins_then_the_position_then_the_name() -> None:
    every, last = trunk("a"), trunk("b", position=9)
    ukraine, kyiv = trunk("ua", prefixes=["380"], position=5), trunk("kyiv", prefixes=["+38044", "+7"], position=9)
    assert names(last, every, ukraine, kyiv) == ["kyiv", "ua", "a", "b"]
    assert names(last, every, ukraine, kyiv, number="+380501234567") == ["ua", "a", "b"]
    assert names(ukraine, kyiv, number="+380501234567") == ["ua"]
    assert names(ukraine, number="+74951234567") == []
    # Inside somebody's own exchange.
    assert names(every, ukraine, kyiv, number="112") == ["a"]


def test_a_trunk_of_some_tenants_carries_nobody_elses_calls() -> None:
    theirs, everybodys = trunk("a", tenants=["mir"]), trunk("b")
    assert names(theirs, everybodys) == ["b"]
    assert names(theirs, everybodys, tenant="mir") == ["a", "b"]


@pytest.mark.parametrize("beginning", ["", "8 916", "0", "+", "3800000000000000", "７"])
def test_what_begins_no_number_is_refused(beginning: str) -> None:
    with pytest.raises(ValueError, match="begins no number"):
        trunk("a", prefixes=[beginning])


def test_the_first_with_room_is_taken() -> None:
    assert choose([FIRST, SECOND], now_s=NOW) == By(name="first")
    assert choose([replace(FIRST, room=0), SECOND], now_s=NOW) == By(name="second")
    assert isinstance(choose([replace(FIRST, room=0), replace(SECOND, room=-1)], now_s=NOW), NotNow)


def test_where_none_carries_the_number_it_waits_and_others_go_on() -> None:
    chosen = choose([], now_s=NOW)
    assert isinstance(chosen, NotNow)
    assert chosen.none_carries
    assert chosen.again_s > 0


def test_one_that_took_no_call_is_passed_over_for_a_while() -> None:
    passed_over = replace(FIRST, passed_over_until_s=NOW + 5)
    assert choose([passed_over, SECOND], now_s=NOW) == By(name="second")
    assert choose([passed_over, SECOND], now_s=NOW + 5) == By(name="first")
    assert choose([passed_over, replace(SECOND, passed_over_until_s=NOW + 3)], now_s=NOW) == NotNow(again_s=3)


def test_the_only_one_is_never_passed_over() -> None:
    assert choose([replace(FIRST, passed_over_until_s=NOW + 5, silent=True)], now_s=NOW) == By(name="first")


def test_who_is_silent_comes_last_and_takes_no_overflow() -> None:
    silent = replace(FIRST, silent=True)
    assert choose([silent, SECOND], now_s=NOW) == By(name="second")
    assert isinstance(choose([silent, replace(SECOND, room=0)], now_s=NOW), NotNow)
    # Some peers never answer but to calls.
    assert choose([silent, replace(SECOND, silent=True)], now_s=NOW) == By(name="first")
    assert choose([silent, replace(SECOND, passed_over_until_s=NOW + 5)], now_s=NOW) == By(name="first")


def test_it_is_passed_over_twice_as_long_each_time_up_to_a_bound() -> None:
    spans = [passed_over_s(times) for times in range(1, 100)]
    assert spans[1] == 2 * spans[0]
    assert spans == sorted(spans)
    assert spans[-1] == spans[-2] < 3600


@pytest.mark.parametrize(
    ("signs", "surely"),
    [
        (replace(NONE_RANG, sip_status=503), True),
        (replace(NONE_RANG, sip_status=500), True),
        (replace(NONE_RANG, sip_status=401), True),
        (replace(NONE_RANG, no_channel=True), True),
        (replace(NONE_RANG, sip_status=480, silent=True), True),
        # The phone may have rung without a word of it.
        (replace(NONE_RANG, sip_status=480), False),
        (NONE_RANG, False),
        # Of the number, not of the trunk.
        (replace(NONE_RANG, sip_status=404, silent=True), False),
        (replace(NONE_RANG, sip_status=486), False),
        (replace(NONE_RANG, sip_status=603), False),
        (replace(NONE_RANG, sip_status=503, rang=True), False),
        (replace(NONE_RANG, sip_status=480, silent=True, rang=True), False),
    ],
)
def test_only_what_surely_rang_nobody_goes_by_another_trunk(signs: Signs, surely: bool) -> None:
    assert not_taken(signs) is surely
