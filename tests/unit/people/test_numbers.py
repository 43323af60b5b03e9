from __future__ import annotations

import pytest

from people.numbers import Unreadable, read_phone


@pytest.mark.parametrize(
    "text",
    [
        "+79161234567",
        "89161234567",
        "79161234567",
        "9161234567",
        "8 (916) 123-45-67",
        "+7 916 123 45 67",
        "8-916-123-45-67",
        " 8\u00a0916\u00a0123\u00a045\u00a067 ",
        "тел. 89161234567",
        "tel:+79161234567",
        "79161234567.0",
        "８９１６１２３４５６７",
        "+7 (916) 123–45–67",
    ],
)
def test_the_ways_a_russian_number_is_written(text: str) -> None:
    assert read_phone(text, region="RU") == "+79161234567"


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("0501234567", "UA", "+380501234567"),
        ("+380 50 123-45-67", "RU", "+380501234567"),
        ("380501234567", "UA", "+380501234567"),
        ("810380501234567", "RU", "+380501234567"),
        # Not in today's numbering plan, but of its form.
        ("70000000001", "RU", "+70000000001"),
        ("80000000001", "RU", "+70000000001"),
        ("+70000000001", "RU", "+70000000001"),
    ],
)
def test_other_countries_and_new_ranges(text: str, region: str, e164: str) -> None:
    assert read_phone(text, region=region) == e164


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("123", "too short"),
        ("не звонить", "not a phone number"),
        ("+3805012345678910", "too long"),
        ("7,91612E+10", "a spreadsheet shortened it (7.9E+10); format the column as text"),
        ("7.91612E+10", "a spreadsheet shortened it (7.9E+10); format the column as text"),
        ("8-800-FLOWERS", "has letters"),
        ("89161234567 доб. 12", "has an extension or a second number"),
        ("89161234567, 89031234567", "not a phone number"),
        ("+999 123 4567890", "no such country code"),
        ("8916\x001234567", "not a phone number"),
    ],
)
def test_what_is_no_number(text: str, why: str) -> None:
    refused = read_phone(text, region="RU")
    assert isinstance(refused, Unreadable), refused
    assert refused.why == why
