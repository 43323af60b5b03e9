from __future__ import annotations

import re
import string
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from outbound.plan.outcome import Outcome
from prompts.languages import LANGUAGES, Language
from reports.figures import IN_FLIGHT
from reports.rate import Rate
from reports.words import DASH, Words, table
from tests.unit.reports.rows import ms


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_the_same_things(language: Language) -> None:
    english, other = table("en"), table(language)
    assert set(other) == set(english)
    for key, text in other.items():
        assert text.strip(), key
        assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_nothing_is_left_in_english(language: Language) -> None:
    for key, text in table(language).items():
        assert re.search("[а-яіїєґ]", text) or key == "of", key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_stored_value_has_a_name(language: Language) -> None:
    words = Words(language)
    for group, names in (
        ("outcome", [*Outcome, IN_FLIGHT]),
        (
            "reason",
            ["invalid_number", "duplicate", "unreadable", "do_not_call", "no_consent", "frequency_cap", "other"],
        ),
        ("state", ["importing", "ready", "running", "paused", "stopped", "finished"]),
        ("request", ["send_address", "call_back"]),
    ):
        for name in names:
            assert f"{group}.{name}" in table(language)
            assert words.named(group, name) == table(language)[f"{group}.{name}"]


def test_a_value_without_a_name_is_shown_as_it_is() -> None:
    assert Words("ru").named("request", "send_catalogue") == "send_catalogue"


def test_russian_and_ukrainian_write_commas_and_spaces_that_do_not_break() -> None:
    for language in ("ru", "uk"):
        words = Words(language)
        assert words.percent(0.125) == "12,5\u00a0%"
        assert words.count(1234567) == "1\u00a0234\u00a0567"
        assert words.date(date(2026, 3, 8)) == "08.03.2026"
        assert words.interval(Rate(15, 148)) == "6,2–16,0\u00a0%"
        assert words.whole_percent(0.25) == "25\u00a0%"
    assert Words("ru").of(Rate(120, 2960)) == "120 из 2\u00a0960"


def test_english_writes_points_and_commas() -> None:
    words = Words("en")
    assert words.percent(0.125) == "12.5%"
    assert words.count(1234567) == "1,234,567"
    assert words.date(date(2026, 3, 8)) == "8\u00a0Mar\u00a02026"
    assert words.moment(ms("2026-11-20 21:05"), ZoneInfo("Europe/Kyiv")) == "20\u00a0Nov\u00a02026\u00a023:05"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, DASH),
        (2, 1, DASH),
        (0, 9, "0%"),
        (9, 9, "100%"),
        (1, 100_000, "<0.1%"),
        (99_999, 100_000, ">99.9%"),
        (1, 1000, "0.1%"),
        (1, 3, "33.3%"),
    ],
)
def test_a_share_never_says_none_or_all_when_it_is_not(part: int, whole: int, text: str) -> None:
    words = Words("en")
    assert words.share(Rate(part, whole)) == text
    assert (words.interval(Rate(part, whole)) == DASH) == (text == DASH)
