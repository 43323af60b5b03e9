"""Dates, weekdays and times of day in Russian and Ukrainian."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from prompts.reading.cases import Case, Gender, plain
from prompts.reading.lexicon import lexicon
from prompts.reading.nouns import phrase
from prompts.reading.slavic import Slavic, number_words, ordinal_words, quantity
from prompts.reading.values import Clock
from prompts.reading.wordfiles import load


@dataclass(frozen=True, kw_only=True)
class Calendar:
    #: "января", January first.
    months: tuple[str, ...]
    #: "года".
    of_year: str


@lru_cache(maxsize=2)
def calendar(code: str) -> Calendar:
    """Raises WordsError."""
    table = load(f"{code}/calendar.yaml").known("months", "of_year")
    months = table.texts("months")
    if len(months) != 12:
        raise table.fault("months", f"There are {len(months)} months.", "Write twelve, January first.")
    return Calendar(months=months, of_year=table.text("of_year"))


def date_words(language: Slavic, day: datetime.date, case: Case, argument: str) -> str:
    """The day as an ordinal in that case, then the month; "year" adds the year, "day" drops the month."""
    said = ordinal_words(language, day.day, Gender.NEUTER, case)
    if argument == "day":
        return said
    said = f"{said} {calendar(language.code).months[day.month - 1]}"
    if argument == "year":
        said += f" {ordinal_words(language, day.year, Gender.MASCULINE, Case.GEN)} {calendar(language.code).of_year}"
    return said


def weekday_words(language: Slavic, day: datetime.date, case: Case) -> str:
    """The day of the week in that case; DIST is "every": "по вторникам"."""
    known = lexicon(language.code)
    named = phrase(language.code, known.weekdays[day.weekday()])
    return named.plural(known.grammar.along) if case is Case.DIST else named.singular(case)


def time_words(language: Slavic, time: Clock, case: Case, *, hour_follows: bool = False, in_range: bool = False) -> str:
    """ru: "двадцать один час тридцать минут"; uk: "двадцять перша тридцять"; whole hours without minutes.

    In a range nobody says the hours of whole ones in Russian: "с десяти до двадцати двух".
    """
    case = plain(case)
    if language.code == "uk":
        said = ordinal_words(language, time.hours, Gender.FEMININE, case)
        if time.minutes:
            zero = f"{language.numerals.zero[0]} " if time.minutes < 10 else ""
            return f"{said} {zero}{number_words(language, time.minutes, Case.NOM, Gender.FEMININE)}"
        if time.hours == 0 and not hour_follows:
            return f"{said} {phrase('uk', 'година').singular(case)}"
        return said
    if in_range and time.hours > 1 and not time.minutes:
        return number_words(language, time.hours, case, Gender.MASCULINE)
    said = quantity(language, Decimal(time.hours), phrase("ru", "час"), case)
    if time.minutes:
        said += " " + quantity(language, Decimal(time.minutes), phrase("ru", "минута"), case)
    return said
