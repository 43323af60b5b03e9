"""Our numerals against those of an independent library, where it is right."""

from __future__ import annotations

import pytest
from num2words import num2words

from prompts.reading.cases import Case, Gender
from prompts.reading.english_words import cardinal as english_cardinal
from prompts.reading.english_words import ordinal as english_ordinal
from prompts.reading.slavic import number_words, ordinal_words, slavic

NUMBERS = [*range(1, 1200), 2_000, 9_999, 12_345, 100_000, 345_678, 2_000_000, 987_654_321]
ORDINALS = [*range(1, 1000)]


def without_one_thousand(text: str) -> str:
    """We say "тысяча", the library "одна тысяча"."""
    for one in ("одна тысяча", "одна тисяча"):
        text = text.removeprefix(one) if not text.startswith(one) else one.split()[1] + text.removeprefix(one)
    return text


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_cardinals(language: str) -> None:
    for number in NUMBERS:
        expected = without_one_thousand(num2words(number, lang=language))
        assert number_words(slavic(language), number) == expected


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_ordinals(language: str) -> None:
    for number in ORDINALS:
        expected = num2words(number, lang=language, to="ordinal")
        assert ordinal_words(slavic(language), number, Gender.MASCULINE, Case.NOM) == expected


def test_english() -> None:
    for number in NUMBERS:
        plain = num2words(number).replace("-", " ").replace(",", "").replace(" and ", " ")
        assert english_cardinal(number) == plain
        plain = num2words(number, to="ordinal").replace("-", " ").replace(",", "").replace(" and ", " ")
        assert english_ordinal(number) == plain
