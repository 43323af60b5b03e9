"""What Russian and Ukrainian share: a number with its noun, an ordinal, a decimal; the words are in the word files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from prompts.reading.cases import GENDER_NAMES, TABLE_ORDER, Case, Gender, plain
from prompts.reading.nouns import Phrase
from prompts.reading.numerals import Forms, Numerals, agreement, cardinal, ordinal_stem
from prompts.reading.wordfiles import Table, load

_STRAIGHT = (Case.NOM, Case.ACC)


@dataclass(frozen=True, kw_only=True)
class Slavic:
    code: str
    numerals: Numerals
    hard_endings: Mapping[str, tuple[str, ...]]
    third_endings: Mapping[str, tuple[str, ...]]
    #: "целая" and "целых" in TABLE_ORDER.
    whole: Mapping[str, tuple[str, ...]]
    #: "десятый", "сотый", … by number of decimals.
    fractions: tuple[str, ...]
    #: How a letter of either script is said.
    letters: Mapping[str, str]
    minus: str
    #: "с половиной".
    and_half: str
    #: "полтора", "полторы", and what they are in other cases.
    one_and_half: tuple[str, ...]
    #: "двое", "трое", "четверо": with nouns that have no singular.
    collective: Mapping[int, str]


@lru_cache(maxsize=2)
def slavic(code: str) -> Slavic:
    """What "ru" or "uk" says of numbers and letters; raises WordsError."""
    table = load(f"{code}/numerals.yaml")
    return Slavic(
        code=code,
        numerals=_numerals(table),
        hard_endings=_by_gender(table, "hard_endings"),
        third_endings=_by_gender(table, "third_endings"),
        whole=_by_gender(table, "whole"),
        fractions=table.texts("fractions"),
        letters=_letters(code),
        minus=table.text("minus"),
        and_half=table.text("and_half"),
        one_and_half=table.forms("one_and_half", 3),
        collective=_by_number(table, "collective"),
    )


def _numerals(table: Table) -> Numerals:
    scales = [table.table("scales").table(word) for word in table.table("scales")]
    cardinals = table.table("cardinals")
    return Numerals(
        simple={int(number): cardinals.forms(number, len(TABLE_ORDER)) for number in cardinals},
        one=_by_gender(table, "one"),
        two=_by_gender(table, "two"),
        zero=table.forms("zero", len(TABLE_ORDER)),
        scales=tuple(
            Forms(
                Gender(each.text("gender")), each.forms("one", len(TABLE_ORDER)), each.forms("many", len(TABLE_ORDER))
            )
            for each in scales
        ),
        ordinals=_by_number(table, "ordinals"),
        joined=_by_number(table, "joined"),
        scale_ordinals=tuple(each.text("ordinal") for each in scales),
        pairs_are_plural=table.text("pairs_are_plural") == "yes",
    )


def _by_gender(table: Table, key: str) -> dict[str, tuple[str, ...]]:
    """Six forms, or six endings of which some are empty, by gender."""
    rows = table.table(key).known(*GENDER_NAMES)
    return {
        GENDER_NAMES[name]: rows.forms(name, len(TABLE_ORDER)) if isinstance(rows[name], str) else rows.texts(name)
        for name in rows
    }


def _by_number(table: Table, key: str) -> dict[int, str]:
    rows = table.table(key)
    return {int(number): rows.text(number) for number in rows}


def _letters(code: str) -> dict[str, str]:
    table = load(f"{code}/letters.yaml").known("own", "latin")
    own, latin = table.table("own"), table.table("latin")
    return {letter: latin.text(letter) for letter in latin} | {letter: own.text(letter) for letter in own}


def number_words(
    language: Slavic, value: int, case: Case = Case.NOM, gender: Gender = Gender.MASCULINE, *, animate: bool = False
) -> str:
    """A whole number in that case, agreeing with a noun of that gender."""
    sign = [language.minus] if value < 0 else []
    return " ".join([*sign, *cardinal(language.numerals, abs(value), case, gender, animate=animate)])


def quantity(language: Slavic, value: Decimal, noun: Phrase, case: Case) -> str:
    """The number and the noun phrase, both in the form the case asks for."""
    if value != value.to_integral_value():
        return _decimal_quantity(language, value, noun, plain(case))
    number = int(value)
    size = abs(number)
    if noun.plural_only:
        return _plural_only(language, number, noun, case)
    said = number_words(language, number, case, noun.gender, animate=noun.animate)
    return f"{said} {counted_phrase(language, size, noun, case)}"


def counted_phrase(language: Slavic, size: int, noun: Phrase, case: Case) -> str:
    """The noun phrase as it stands after a whole number: "новый магазин", "новых магазина", "новым магазинам"."""
    how = agreement(size)
    if how == "one":
        return noun.singular(Case.DAT if case is Case.DIST else case)
    animate = noun.animate and case is Case.ACC
    case = plain(case)
    if how == "noun" or size == 0:
        return noun.plural(Case.GEN)
    if case not in _STRAIGHT:
        return noun.plural(case)
    if how == "many":
        return noun.plural(Case.GEN)
    if animate and size < 5:
        return noun.plural(Case.GEN)
    if noun.adjectival and noun.gender is not Gender.FEMININE and language.code == "ru":
        return noun.plural(Case.GEN)
    if language.numerals.pairs_are_plural:
        return noun.plural(Case.NOM)
    if noun.adjectival:
        return noun.plural(Case.NOM)
    adjective = Case.NOM if noun.gender is Gender.FEMININE else Case.GEN
    return noun.mixed(noun.noun.singular[TABLE_ORDER.index(Case.GEN)], ("", adjective))


def _plural_only(language: Slavic, number: int, noun: Phrase, case: Case) -> str:
    size = abs(number)
    case = plain(case)
    sign = f"{language.minus} " if number < 0 else ""
    if agreement(size) == "one":
        tens = [number_words(language, size - 1, case)] if size > 1 else []
        one = language.numerals.one[""][TABLE_ORDER.index(case)]
        return sign + " ".join([*tens, one, noun.plural(case)])
    if case in _STRAIGHT:
        said = language.collective.get(size) or number_words(language, size, case)
        return f"{sign}{said} {noun.plural(Case.GEN)}"
    return f"{sign}{number_words(language, size, case)} {noun.plural(Case.GEN if size % 1000 == 0 else case)}"


def _decimal_quantity(language: Slavic, value: Decimal, noun: Phrase, case: Case) -> str:
    size = abs(value)
    sign = f"{language.minus} " if value < 0 else ""
    number = int(size)
    if noun.plural_only:
        return f"{sign}{decimal_words(language, size, case)} {noun.plural(Case.GEN)}"
    if size - number == Decimal("0.5"):
        if number == 1:
            feminine = noun.gender is Gender.FEMININE
            if case in _STRAIGHT:
                return f"{sign}{language.one_and_half[feminine]} {_after_one_and_half(language, noun)}"
            if language.code == "uk":
                return f"{sign}{language.one_and_half[feminine]} {noun.singular(Case.GEN)}"
            return f"{sign}{language.one_and_half[2]} {noun.plural(case)}"
        if _takes_half(number):
            said = number_words(language, number, case, noun.gender)
            return f"{sign}{said} {language.and_half} {counted_phrase(language, number, noun, case)}"
    return f"{sign}{decimal_words(language, size, case)} {noun.singular(Case.GEN)}"


def _after_one_and_half(language: Slavic, noun: Phrase) -> str:
    if language.code == "uk" or not noun.adjectives:
        return noun.singular(Case.GEN)
    return counted_phrase(language, 2, noun, Case.NOM)


def _takes_half(number: int) -> bool:
    """ "Двадцать один с половиной процент" grates, "сто с половиной" misleads."""
    return 2 <= number < 100 and agreement(number) != "one"


def decimal_words(language: Slavic, value: Decimal, case: Case) -> str:
    """ "двенадцать целых пять десятых", in that case."""
    case = plain(case)
    sign = [language.minus] if value < 0 else []
    size = abs(value).normalize()
    digits = str(size - int(size)).partition(".")[2] if "E" not in str(size) else f"{size - int(size):f}"[2:]
    number = int(size)
    whole = language.whole[Gender.FEMININE if agreement(number) == "one" else ""]
    part = int(digits)
    base = language.fractions[len(digits) - 1]
    if agreement(part) == "one":
        named = declined_ordinal(language, base, Gender.FEMININE, case)
    else:
        named = declined_ordinal(language, base, "", Case.GEN if case in _STRAIGHT else case)
    return " ".join(
        [
            *sign,
            number_words(language, number, case, Gender.FEMININE),
            whole[TABLE_ORDER.index(case)],
            number_words(language, part, case, Gender.FEMININE),
            named,
        ]
    )


def bare_number(language: Slavic, value: Decimal, case: Case, gender: Gender, *, animate: bool = False) -> str:
    """A number without a noun of its own; the gender is that of the word after it."""
    if value == value.to_integral_value():
        return number_words(language, int(value), case, gender, animate=animate)
    return decimal_words(language, value, case)


def half_number(language: Slavic, value: Decimal, case: Case, gender: Gender) -> str | None:
    """ "полтора", "два с половиной" before a noun in the text, or None when the number doesn't end in a half."""
    number = int(abs(value))
    if abs(value) - number != Decimal("0.5") or value < 0:
        return None
    case = plain(case)
    if number == 1:
        return language.one_and_half[gender is Gender.FEMININE if case in _STRAIGHT else 2]
    return f"{number_words(language, number, case, gender)} {language.and_half}" if _takes_half(number) else None


def ordinal_words(language: Slavic, number: int, gender: str, case: Case, *, animate: bool = False) -> str:
    """The ordinal agreeing with a noun of that gender ("" is the plural); only its last word changes."""
    before, last = ordinal_stem(language.numerals, abs(number))
    sign = [language.minus] if number < 0 else []
    return " ".join([*sign, *before, declined_ordinal(language, last, gender, case, animate=animate)])


@lru_cache(maxsize=4096)
def _declined(code: str, masculine: str, gender: str, case: Case) -> str:
    language = slavic(code)
    if gender == Gender.MASCULINE and case is Case.NOM:
        return masculine
    endings = language.third_endings if masculine in ("третий", "третій") else language.hard_endings
    return masculine[:-2] + endings[gender][TABLE_ORDER.index(case)]


def declined_ordinal(language: Slavic, masculine: str, gender: str, case: Case, *, animate: bool = False) -> str:
    """An ordinal given in the masculine nominative, in another gender and case."""
    case = plain(case)
    if case is Case.ACC and gender != Gender.FEMININE:
        case = Case.GEN if animate and gender != Gender.NEUTER else Case.NOM
    return _declined(language.code, masculine, gender, case)
