"""One reader for callers, contacts, lists and opt-outs: what is one person for one of them is the same for all."""

from __future__ import annotations

import random
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from people import numbers
from people.contacts import Contact, open_contacts
from people.numbers import Unreadable, dial_string, mask_phone, normal_form, read_phone


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
        ("380441234567", "RU", "+380441234567"),
        ("0079162914177", "RU", "+79162914177"),
        ("00380501234567", "UA", "+380501234567"),
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


@pytest.mark.parametrize("given", ["", "100", "anonymous", "*", "1234567", "+", "+++7", "\ud800", "7" * 400])
def test_a_caller_who_has_no_number_stays_as_the_network_gave_him(given: str) -> None:
    assert normal_form(given, "RU") == given


@pytest.mark.parametrize(
    ("number", "dial_format", "dialled"),
    [
        ("+74951234567", "{digits}", "74951234567"),
        ("8 (495) 123-45-67", "{e164}", "+74951234567"),
        ("+74951234567", "8{national}", "84951234567"),
        ("+380501234567", "0{national}", "0501234567"),
        ("112", "{digits}", "112"),
        ("+", "{digits}", "+"),
    ],
)
def test_dial_string(number: str, dial_format: str, dialled: str) -> None:
    assert dial_string(normal_form(number, "RU"), dial_format) == dialled


def test_a_masked_number_says_neither_the_number_nor_nothing() -> None:
    assert mask_phone("+79161234567") == "+7916***4567"
    assert (mask_phone("112"), mask_phone("")) == ("***", "")


#: Country -> its code, the prefix of its national numbers, and a mobile number of it.
_COUNTRIES = {"RU": ("7", "8", "916"), "KZ": ("7", "8", "701"), "UA": ("380", "0", "50"), "GB": ("44", "0", "7400")}


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, str]:
    """A region, a number of it in E.164, and one of the ways in which networks and people write it."""
    region = draw(st.sampled_from(sorted(_COUNTRIES)))
    code, trunk, start = _COUNTRIES[region]
    length = {"RU": 10, "KZ": 10, "UA": 9, "GB": 10}[region]
    national = start + draw(st.text("0123456789", min_size=length - len(start), max_size=length - len(start)))
    e164 = f"+{code}{national}"
    bare = draw(st.sampled_from([e164, e164[1:], trunk + national, "00" + e164[1:]]))
    cuts = sorted(draw(st.sets(st.integers(2, len(bare) - 1), max_size=4)))
    blank = draw(st.sampled_from(["", " ", "-", "\u00a0", " - "]))
    parts = [bare[a:b] for a, b in zip([0, *cuts], [*cuts, len(bare)], strict=True)]
    return region, e164, blank.join(parts)


@given(written())
def test_a_caller_and_a_list_mean_the_same_person(each: tuple[str, str, str]) -> None:
    region, e164, text = each
    assert read_phone(text, region=region) == e164
    assert normal_form(text, region) == e164
    assert normal_form(e164, region) == e164


@given(st.text(max_size=40), st.sampled_from(sorted(_COUNTRIES)))
def test_whatever_comes_is_read_alike_or_by_nobody(text: str, region: str) -> None:
    read = read_phone(text, region=region)
    assert normal_form(text, region) == (text if isinstance(read, Unreadable) else read)
    if isinstance(read, str):
        assert phonenumbers.is_possible_number(phonenumbers.parse(read))
        assert read_phone(read, region=region) == read


def test_the_quick_way_reads_as_the_slow_one_does() -> None:
    chance = random.Random(7)  # noqa: S311 - examples, not secrets
    for _ in range(20_000):
        text = chance.choice(["+7", "7", "8", "", "+"]) + "".join(
            chance.choices("0123456789", k=chance.choice([9, 10, 11]))
        )
        assert read_phone(text, region="RU") == numbers._read_phone(text, "RU"), text


def test_an_opt_out_of_a_caller_meets_the_contact_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone\n8 (916) 291-41-77\n")
    (contact,) = open_contacts(file, region="RU", language="ru").rows()
    assert isinstance(contact, Contact)
    for caller in ("0079162914177", "89162914177", "+79162914177", "79162914177", "9162914177"):
        assert normal_form(caller, "RU") == contact.phone
