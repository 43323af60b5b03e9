"""Parts, fallbacks, and values that can't be read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.reading import (
    LANGUAGE_CODES,
    Kind,
    Part,
    ReadingError,
    TemplateError,
    read,
    read_or_fallback,
    read_parts,
    read_parts_or_fallback,
)


def test_parts_keep_the_authors_words_apart() -> None:
    assert read_parts("ru", "Ждём вас в {d:weekday}, {n:name}!", {"d": "2026-12-01", "n": "Анна"}) == (
        Part("Ждём вас во "),
        Part("вторник", "d"),
        Part(", "),
        Part("Анна", "n"),
        Part("!"),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{x:money}", "дорого"),
        ("{x:money}", "12 рублей 50"),
        ("{x:money}", "1e5"),
        ("{x:money}", "1.2.3"),
        ("{x:money}", "10 20"),
        ("{x:number}", "9" * 40),
        ("{x:number}", "0x10"),
        ("{x:number}", "٣"),
        ("{x:number}", "1.23456789"),
        ("{x:percent}", "%"),
        ("{x:count стол}", "много"),
        ("{x:ordinal этаж}", "2.5"),
        ("{x:ordinal этаж}", "-1"),
        ("{x:date}", "2026-02-30"),
        ("{x:date}", "12/2026"),
        ("{x:date}", "завтра"),
        ("{x:weekday}", "вторник"),
        ("{x:time}", "25:00"),
        ("{x:time}", "9"),
        ("{x:time}", "13:60"),
        ("{x:measure}", "5 попугаев"),
        ("{x:measure}", "кг"),
        ("{x:phone}", "позвоните"),
        ("{x:phone}", "+7 812 345-67-89 доб. 5"),
        ("{x:digits}", "12a"),
        ("{x:address}", "---"),
        ("{x:address}", "12"),
        ("{x:name}", "user@example.com"),
        ("{x:name}", "R2D2"),
        ("{x:name}", "<b>"),
        *((f"{{x:{kind}}}", "") for kind in Kind if kind is not Kind.COUNT),
        *(("{x:name}", nothing) for nothing in (" ", "None", "null", "NaN", "-", "n/a")),
    ],
)
def test_unreadable_values(text: str, value: str) -> None:
    for language in LANGUAGE_CODES:
        with pytest.raises(ReadingError) as raised:
            read(language, text, {"x": value})
        fault = raised.value.faults[0]
        assert fault.where == "x"
        assert fault.what
        assert fault.mend


def test_missing_value_is_named() -> None:
    with pytest.raises(ReadingError, match="price has no value"):
        read("ru", "{price:money}", {})


def test_fallback_is_spoken_when_a_value_is_missing_or_unreadable() -> None:
    text, fallback = "Здравствуйте, {name:name}!", "Здравствуйте!"
    assert read_or_fallback("ru", text, fallback, {"name": "Иван"}) == "Здравствуйте, Иван!"
    assert read_or_fallback("ru", text, fallback, {"name": "None"}) == "Здравствуйте!"
    assert read_or_fallback("ru", text, fallback, {}) == "Здравствуйте!"
    assert read_parts_or_fallback("ru", text, fallback, {}) == (Part("Здравствуйте!"),)


def test_without_a_fallback_the_fault_stays() -> None:
    with pytest.raises(ReadingError):
        read_or_fallback("ru", "{name:name}", None, {})


def test_a_malformed_text_is_never_hidden_by_its_fallback() -> None:
    with pytest.raises(TemplateError):
        read_or_fallback("ru", "{name:nam}", "Здравствуйте!", {})


@pytest.mark.parametrize(
    "written",
    ["1201.50", "1201,50", "1 201,50", "1\u00a0201,50", "1\u2009201.50", "1\u202f201,5", "1,201.50", "1.201,50"],
)
def test_amounts_as_files_write_them(written: str) -> None:
    for language in LANGUAGE_CODES:
        assert read(language, "{m:money}", {"m": written}) == read(language, "{m:money}", {"m": "1201.50"})


@pytest.mark.parametrize(
    "written", ["2026-12-01", "01.12.2026", "1.12.2026", "2026-12-01T10:00:00", "01.12.2026 10:00"]
)
def test_dates_as_files_write_them(written: str) -> None:
    assert read("ru", "до {d:date}", {"d": written}) == "до первого декабря"


@settings(max_examples=300, deadline=None)
@given(
    language=st.sampled_from(LANGUAGE_CODES),
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.COUNT]),
    before=st.sampled_from(["", "в ", "с ", "от ", "по ", "о ", "at ", "не хватает ", "первых ", "{x:number} и "]),
    value=st.one_of(
        st.text(max_size=30),
        st.from_regex(r"-?\d{1,12}([.,]\d{1,3})?( ?(кг|л|%|\"|cm|₽))?", fullmatch=True),
        st.from_regex(r"\d{1,2}[:.]\d{2}([.]\d{4})?", fullmatch=True),
        st.from_regex(r"(ул|пр|д|к|вул|St)\. ?[А-Яа-яA-Za-z]{0,8},? \d{1,5}[/-]?[А-Яа-яA-Z]?\d{0,3}", fullmatch=True),
    ),
)
def test_any_value_is_read_or_refused(language: str, kind: Kind, before: str, value: str) -> None:
    try:
        said = read(language, before + "{x:" + kind + "} конец", {"x": value})
    except ReadingError:
        return
    assert kind is Kind.NAME or not any(char.isdigit() and char.isascii() for char in said)
    assert said.strip()
