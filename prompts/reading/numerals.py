"""Slavic numerals in words, any case: the engine; the words of each language are in its own tables.

Distribution ("по одному рублю") is a seventh case here: accusative but for a last one and a first thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prompts.reading.cases import TABLE_ORDER, Case, Gender, plain


@dataclass(frozen=True, slots=True)
class Forms:
    """A noun's forms in TABLE_ORDER."""

    gender: Gender
    singular: tuple[str, ...]
    plural: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Numerals:
    #: 3 to 900 with their forms in TABLE_ORDER (the accusative of an inanimate).
    simple: Mapping[int, tuple[str, ...]]
    #: One and two by gender; "" stands for the plural of one.
    one: Mapping[str, tuple[str, ...]]
    two: Mapping[str, tuple[str, ...]]
    zero: tuple[str, ...]
    #: 10^3, 10^6, 10^9, 10^12.
    scales: tuple[Forms, ...]
    #: The masculine nominatives of ordinals without their endings, hard or soft as the declension says.
    ordinals: Mapping[int, str]
    #: The stems of compounds: 2 -> "двух", 90 -> "девяносто", as in "двухтысячный".
    joined: Mapping[int, str]
    #: "тысячн", "миллионн", ...
    scale_ordinals: tuple[str, ...]
    #: Two takes the nominative plural (Ukrainian) rather than the genitive singular (Russian).
    pairs_are_plural: bool


def agreement(number: int) -> str:
    """How a noun agrees with the number's last word: "one", "few" (2 to 4), "many" or "noun" (a thousand)."""
    number = abs(number)
    if number and number % 1000 == 0:
        return "noun"
    if number % 100 in range(11, 15):
        return "many"
    return {1: "one", 2: "few", 3: "few", 4: "few"}.get(number % 10, "many")


def cardinal(words: Numerals, number: int, case: Case, gender: Gender, *, animate: bool = False) -> list[str]:
    """The words of a whole number from 0 up to 10^15, agreeing with a noun of that gender."""
    if number == 0:
        return [words.zero[TABLE_ORDER.index(plain(case))]]
    said: list[str] = []
    for power in range(len(words.scales), 0, -1):
        group = number // 1000**power % 1000
        if not group:
            continue
        scale = words.scales[power - 1]
        rest = number % 1000**power
        if group == 1:
            if said:
                said += _below_thousand(words, 1, _inner(case, rest == 0), scale.gender)
            first = case is Case.DIST
            said.append(scale.singular[TABLE_ORDER.index(Case.DAT if first else case)])
            continue
        # Only the number's last word distributes: "по двадцать одной тысяче", "по двадцать одну тысячу двести".
        inner = _inner(case, rest == 0)
        said += _below_thousand(words, group, inner, scale.gender)
        said.append(counted(words, group, inner, scale))
    if below := number % 1000:
        said += _below_thousand(words, below, case, gender, animate=animate, pair=number < 5)
    return said


def _inner(case: Case, last: bool) -> Case:
    return case if last else plain(case)


def counted(words: Numerals, number: int, case: Case, noun: Forms) -> str:
    """The form that an inanimate noun takes after a whole number in that case."""
    how = agreement(number)
    if how == "one":
        return noun.singular[TABLE_ORDER.index(Case.DAT if case is Case.DIST else case)]
    case = plain(case)
    if how == "noun":
        return noun.plural[TABLE_ORDER.index(Case.GEN)]
    if case in (Case.NOM, Case.ACC):
        if how == "many":
            return noun.plural[TABLE_ORDER.index(Case.GEN)]
        return noun.plural[0] if words.pairs_are_plural else noun.singular[TABLE_ORDER.index(Case.GEN)]
    if number == 0:
        return noun.plural[TABLE_ORDER.index(Case.GEN)]
    return noun.plural[TABLE_ORDER.index(case)]


def _below_thousand(
    words: Numerals, number: int, case: Case, gender: Gender, *, animate: bool = False, pair: bool = False
) -> list[str]:
    said = []
    at = TABLE_ORDER.index(plain(case))
    if hundreds := number // 100 * 100:
        said.append(words.simple[hundreds][at])
    rest = number % 100
    if rest > 20:
        said.append(words.simple[rest // 10 * 10][at])
        rest %= 10
    if not rest:
        return said
    if rest == 1:
        at = TABLE_ORDER.index(Case.DAT if case is Case.DIST else case)
        forms = words.one[gender]
        if case is Case.ACC and animate and gender is Gender.MASCULINE:
            at = TABLE_ORDER.index(Case.GEN)
    else:
        forms = words.two[gender] if rest == 2 else words.simple[rest]
        if case is Case.ACC and animate and pair and rest < 5:
            at = TABLE_ORDER.index(Case.GEN)
    said.append(forms[at])
    return said


def ordinal_stem(words: Numerals, number: int) -> tuple[list[str], str]:
    """The unchanging words before the ordinal's last one, and that last one's key word; 1 to 10^12.

    25 -> (["двадцать"], "пят"); 2000 -> ([], "двухтысячн").
    """
    for power in range(len(words.scales), 0, -1):
        unit = 1000**power
        if number % unit == 0 and number >= unit:
            group = number // unit % 1000
            before = cardinal(words, number - group * unit, Case.NOM, Gender.MASCULINE) if number > group * unit else []
            return before, ("" if group == 1 else joined(words, group)) + words.scale_ordinals[power - 1]
    for size in (number % 100, number % 10, number % 1000):
        if size and size in words.ordinals:
            last = size
            break
    else:
        last = number % 1000
    before = cardinal(words, number - last, Case.NOM, Gender.MASCULINE) if number > last else []
    return before, words.ordinals[last]


def joined(words: Numerals, group: int) -> str:
    said = ""
    if hundreds := group // 100 * 100:
        said += words.joined[hundreds]
    rest = group % 100
    if rest > 20 and rest not in words.joined:
        said += words.joined[rest // 10 * 10]
        rest %= 10
    if rest:
        said += words.joined[rest]
    return said
