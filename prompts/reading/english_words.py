"""English numbers, ordinals and plurals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from prompts.reading.english_lexicon import english
from prompts.reading.wordfiles import load


@dataclass(frozen=True, kw_only=True)
class Numerals:
    #: 0 to 19.
    small: tuple[str, ...]
    #: 20 to 90.
    tens: tuple[str, ...]
    #: 10^3, 10^6, 10^9, 10^12.
    scales: tuple[str, ...]
    #: Ordinals that the rules don't make, by cardinal.
    ordinals: Mapping[str, str]


@lru_cache(maxsize=1)
def numerals() -> Numerals:
    """Raises WordsError."""
    table = load("en/numerals.yaml").known("small", "tens", "scales", "ordinals")
    ordinals = table.table("ordinals")
    return Numerals(
        small=table.forms("small", 20),
        tens=table.forms("tens", 8),
        scales=table.forms("scales", 4),
        ordinals={cardinal: ordinals.text(cardinal) for cardinal in ordinals},
    )


@lru_cache(maxsize=2)
def calendar_words(name: str) -> tuple[str, ...]:
    """The "months", January first, or the "weekdays", Monday first; raises WordsError."""
    return load("en/calendar.yaml").known("months", "weekdays").texts(name)


@lru_cache(maxsize=20_000)
def cardinal(number: int) -> str:
    """A whole number below 10^15, without hyphens and without "and"."""
    words = numerals()
    if number < 20:
        return words.small[number]
    said = []
    for power in range(len(words.scales), -1, -1):
        group = number // 1000**power % 1000
        if group:
            said += _group(group)
            if power:
                said.append(words.scales[power - 1])
    return " ".join(said)


def _group(number: int) -> list[str]:
    words = numerals()
    said = []
    if number >= 100:
        said += [words.small[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        said.append(words.tens[number // 10 - 2])
        number %= 10
    if number:
        said.append(words.small[number])
    return said


def ordinal(number: int) -> str:
    """The ordinal: "twenty first", "one hundredth"."""
    *before, last = cardinal(number).split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, numerals().ordinals.get(last, regular)])


def digit_words(digits: str) -> str:
    """Digit by digit."""
    return " ".join(numerals().small[int(digit)] for digit in digits)


def decimal_words(value: Decimal) -> str:
    """ "twelve point five", zeros at the end dropped."""
    whole, _, digits = f"{value.normalize():f}".partition(".")
    return f"{cardinal(int(whole))} point {digit_words(digits)}"


def year_words(year: int) -> str:
    """ "twenty twenty six", "nineteen oh five", "two thousand", "two thousand five"."""
    century, rest = divmod(year, 100)
    if year < 1000 or (century % 10 == 0 and rest < 10):
        return cardinal(year)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


@lru_cache(maxsize=4096)
def plural(noun: str) -> str:
    """The phrase in the plural: its head is the word before a preposition or a participle, else the last word."""
    known = english()
    words = noun.split()
    last = len(words) - 1
    head = next((at - 1 for at, word in enumerate(words) if at and word.lower() in known.tails), last)
    if words[head].lower() in known.openers:
        head = last
    if head == last > 0 and words[last].lower() == "left":
        head -= 1
    if words[head].lower() in known.degrees:
        head -= 1
    words[head] = _plural_word(words[head])
    words[:head] = [known.possessives.get(word.replace("’", "'"), word) for word in words[:head]]
    return " ".join(words)


def _plural_word(word: str) -> str:
    lowered = word.lower()
    plurals = english().plurals
    stem, hyphen, last = word.rpartition("-")
    if hyphen:
        first, _, tail = word.partition("-")
        if tail in ("in-law", "by", "up") and first.endswith(("er", "father", "mother", "son")):
            return f"{_plural_word(first)}-{tail}"
        return stem + hyphen + _plural_word(last)
    if (found := plurals.get(lowered)) is not None:
        return found.capitalize() if word[0].isupper() else found
    for ending in ("woman", "man", "child", "person", "foot", "shelf", "wife", "knife", "half"):
        if lowered.endswith(ending) and lowered not in ("human", "german", "roman"):
            return word[: -len(ending)] + plurals[ending]
    if lowered.endswith("y") and lowered[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    if lowered.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"
