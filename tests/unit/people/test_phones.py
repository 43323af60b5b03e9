"""Numbers as the network gives and takes them."""

from __future__ import annotations

import pytest

from people.phones import dial_string, normal_form


@pytest.mark.parametrize(
    ("given", "e164"),
    [
        ("+79161234567", "+79161234567"),
        ("89161234567", "+79161234567"),
        ("79161234567", "+79161234567"),
        ("9161234567", "+79161234567"),
        ("380441234567", "+380441234567"),
        ("", ""),
        ("100", "100"),
        ("anonymous", "anonymous"),
        ("*", "*"),
    ],
)
def test_normal_form(given: str, e164: str) -> None:
    assert normal_form(given, "RU") == e164


@pytest.mark.parametrize(
    ("number", "dial_format", "dialled"),
    [
        ("+74951234567", "{digits}", "74951234567"),
        ("8 (495) 123-45-67", "{e164}", "+74951234567"),
        ("+74951234567", "8{national}", "84951234567"),
        ("112", "{digits}", "112"),
    ],
)
def test_dial_string(number: str, dial_format: str, dialled: str) -> None:
    assert dial_string(normal_form(number, "RU"), dial_format) == dialled
