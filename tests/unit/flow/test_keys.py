from __future__ import annotations

import pytest

from ivr.flow.keys import Match, match_digits, match_key

INCOMPLETE, COMPLETE, INVALID = Match.INCOMPLETE, Match.COMPLETE, Match.INVALID


@pytest.mark.parametrize(
    ("keys", "typed", "silent", "result"),
    [
        (("1", "9"), "1", False, COMPLETE),
        (("1", "9"), "2", False, INVALID),
        (("1", "12"), "1", False, INCOMPLETE),
        (("1", "12"), "1", True, COMPLETE),
        (("1", "12"), "12", False, COMPLETE),
        (("1", "12"), "13", False, INVALID),
        (("123",), "12", False, INCOMPLETE),
        (("123",), "12", True, INVALID),
        (("*", "#"), "#", False, COMPLETE),
    ],
)
def test_menu_key(keys: tuple[str, ...], typed: str, silent: bool, result: Match) -> None:
    assert match_key(keys, typed, silent=silent) is result


@pytest.mark.parametrize(
    ("typed", "terminator", "silent", "result", "digits"),
    [
        ("1", "#", False, INCOMPLETE, "1"),
        ("12", "#", False, INCOMPLETE, "12"),
        ("12#", "#", False, COMPLETE, "12"),
        ("1#", "#", False, INVALID, "1"),
        ("#", "#", False, INVALID, ""),
        ("1234", "#", False, COMPLETE, "1234"),
        ("12", "#", True, COMPLETE, "12"),
        ("1", "#", True, INVALID, "1"),
        ("1*", "#", False, INVALID, "1*"),
        ("12#", None, False, INVALID, "12#"),
        ("12*", "*", False, COMPLETE, "12"),
    ],
)
def test_gathered_digits(typed: str, terminator: str | None, silent: bool, result: Match, digits: str) -> None:
    found = match_digits(typed, min_digits=2, max_digits=4, terminator=terminator, silent=silent)
    assert found == (result, digits)
