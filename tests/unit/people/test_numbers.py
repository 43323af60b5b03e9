"""One reader for callers, contacts, lists and opt-outs: what is one person for one of them is the same for all."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from people import numbers
from people.contacts import Contact, open_contacts
from people.do_not_call import parse_phone
from people.numbers import Unreadable, dial_string, mask_phone, normal_form, read_callable, read_phone, read_phones
from tests.plain_numbers import draw


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


_PLUS = "the plus is in the wrong place: without it this is a number of ours"
_NO_SUCH = "the numbering plan has no such number"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+8 (495) 123-45-67", _PLUS),
        ("+8 (499) 123-45-67", _PLUS),
        ("+8 (863) 123-45-67", _PLUS),
        ("+8 (900) 123-45-67", "no such country code"),
        ("+9161234567", _PLUS),
        ("+495 123-45-67", _PLUS),
        ("+812 123 45 67", _PLUS),
        ("0000000000", "no such country code"),
        ("+79999999999", "a placeholder"),
        ("9999999999", "a placeholder"),
        ("1234567890", "a placeholder"),
        ("+71000123456", _NO_SUCH),
        ("+70000123456", _NO_SUCH),
        ("+7 212 345-67-89", _NO_SUCH),
        ("8 (567) 123-45-67", _NO_SUCH),
        ("8 800 555-35-35", "a toll-free number"),
        ("+1 800 234 5678", "a toll-free number"),
        ("+7 809 123 45 67", "a premium number"),
        ("+881 6 1234 5678", "a satellite or worldwide number"),
        ("+1 555 123", "too short"),
    ],
)
def test_a_number_of_nobody_or_of_a_stranger_is_not_rung(text: str, why: str) -> None:
    assert read_callable(text, region="RU") == Unreadable(why=why)
    assert read_phones(text, region="RU").phones == ()


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("+84 90 123 4567", "+84901234567"),
        ("+380 67 123 45 67", "+380671234567"),
        ("+84951234567", "+84951234567"),
        ("7.9161234567E10", "+79161234567"),
        ("7.9161234568E+10", "+79161234568"),
        ("7,9161234569E+10", "+79161234569"),
    ],
)
def test_a_number_that_is_right_stays_so(text: str, phone: str) -> None:
    assert read_phones(text, region="RU").phones == (phone,)


def test_who_calls_from_such_a_number_is_known_by_it() -> None:
    assert normal_form("+84951234567", "RU") == "+84951234567"
    assert normal_form("8 800 555-35-35", "RU") == "+78005553535"


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


@dataclass(frozen=True)
class Plan:
    """How people of a country write one of its mobile numbers."""

    code: str
    trunk: str
    #: What they dial before the code of a country; 00 is understood everywhere.
    abroad: str
    start: str
    length: int


_PLANS = {
    "RU": Plan("7", "8", "810", "916", 10),
    "KZ": Plan("7", "8", "810", "701", 10),
    "UA": Plan("380", "0", "00", "50", 9),
    "GB": Plan("44", "0", "00", "7400", 10),
    "US": Plan("1", "1", "011", "415555", 10),
}
_BLANKS = ("", " ", "-", " - ", ".", "\u00a0", "\u202f", "\u2009", "\u2011", "\u2013", "\u200b", "\u2060")


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, str]:
    """A region, a number of it in E.164, and one of the ways in which networks and people write it."""
    region = draw(st.sampled_from(sorted(_PLANS)))
    plan = _PLANS[region]
    left = plan.length - len(plan.start)
    national = plan.start + draw(st.text("0123456789", min_size=left, max_size=left))
    e164 = f"+{plan.code}{national}"
    before = draw(st.sampled_from(["+" + plan.code, plan.code, plan.trunk, "00" + plan.code, plan.abroad + plan.code]))
    cuts = sorted(draw(st.sets(st.integers(1, plan.length - 1), max_size=4)))
    blank = draw(st.sampled_from(_BLANKS))
    parts = [national[a:b] for a, b in zip([0, *cuts], [*cuts, plan.length], strict=True)]
    if draw(st.booleans()):
        parts[0] = f"({parts[0]})"
    text = before + draw(st.sampled_from(["", " ", "-"])) + blank.join(parts)
    around = draw(st.sampled_from(["{}", " {} ", "{}\u00a0", "\u202a{}\u202c", "\u200e{}"]))
    if text.startswith("+") and draw(st.booleans()):
        around = "tel:{}"
    return region, e164, around.format(text)


@settings(max_examples=500)
@given(written())
def test_a_caller_and_a_list_mean_the_same_person(each: tuple[str, str, str]) -> None:
    region, e164, text = each
    assert read_phone(text, region=region) == e164
    assert normal_form(text, region) == e164
    assert normal_form(e164, region) == e164
    assert parse_phone(text, region=region) == e164


@given(st.text(max_size=40), st.sampled_from(sorted(_PLANS)))
def test_whatever_comes_is_read_alike_or_by_nobody(text: str, region: str) -> None:
    read = read_phone(text, region=region)
    assert normal_form(text, region) == (text if isinstance(read, Unreadable) else read)
    if isinstance(read, str):
        assert phonenumbers.is_possible_number(phonenumbers.parse(read))
        assert read_phone(read, region=region) == read


def test_the_quick_way_reads_as_the_slow_one_does() -> None:
    chance, plain = random.Random(7), 0  # noqa: S311 - examples, not secrets
    for _ in range(3_000):
        region, text = draw(chance)
        assert read_phone(text, region=region) == numbers._read_phone(text, region), (region, text)
        plain += numbers._OWN[region][1].fullmatch(text) is not None
    assert 600 < plain < 2_700


@pytest.mark.parametrize(
    "text", ["+7 (916) 123-45-67", "8 916 123-45-67", "8-916-123-45-67", "9161234567", "79161234567"]
)
def test_what_files_have_is_read_without_the_library(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "_read_phone", None)
    assert read_phone(text, region="RU") == "+79161234567"


def test_an_opt_out_of_a_caller_meets_the_contact_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone\n8 (916) 291-41-77\n")
    (contact,) = open_contacts(file, region="RU", language="ru").rows()
    assert isinstance(contact, Contact)
    for caller in ("0079162914177", "89162914177", "+79162914177", "79162914177", "9162914177"):
        assert normal_form(caller, "RU") == contact.phones[0]


@pytest.mark.parametrize(
    ("text", "phones", "wrong"),
    [
        ("89161234567", ["+79161234567"], []),
        ("+7 916 123-45-67, 8 (903) 765-43-21", ["+79161234567", "+79037654321"], []),
        ("89037654321;89161234567", ["+79037654321", "+79161234567"], []),
        ("89161234567 / 89037654321", ["+79161234567", "+79037654321"], []),
        ("8-916-123-45-67\n8-903-765-43-21", ["+79161234567", "+79037654321"], []),
        ("89161234567 или 89037654321", ["+79161234567", "+79037654321"], []),
        ("89161234567 та 89037654321", ["+79161234567", "+79037654321"], []),
        ("89161234567 or 89037654321", ["+79161234567", "+79037654321"], []),
        ("89161234567 89037654321", ["+79161234567", "+79037654321"], []),
        ("+7(916)1234567+7(903)7654321", ["+79161234567", "+79037654321"], []),
        ("+7 (916) 123-45-67 (моб), раб. 8 495 123-45-67", ["+79161234567", "+74951234567"], []),
        ("89161234567, +7 916 123-45-67", ["+79161234567"], []),
        ("89161234567, +380501234567", ["+79161234567", "+380501234567"], []),
        ("89161234567, 123", ["+79161234567"], ["too short"]),
        ("495 123-45-67/68", ["+74951234567"], ["too short"]),
        ("нет, 89161234567", ["+79161234567"], []),
        ("79161234567,0", ["+79161234567"], []),
        ("79161234567.0, 79037654321.0", ["+79161234567", "+79037654321"], []),
        ("7,91612E+10", [], ["a spreadsheet shortened it (7.9E+10); format the column as text"]),
        ("8 495 123-45-67 доб. 12", [], ["has an extension or a second number"]),
        ("", [], ["empty"]),
        ("нет", [], ["not a phone number"]),
    ],
)
def test_all_numbers_of_a_cell(text: str, phones: list[str], wrong: list[str]) -> None:
    read = read_phones(text, region="RU")
    assert (list(read.phones), [each.why for each in read.unreadable]) == (phones, wrong)
