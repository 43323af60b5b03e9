"""Dates, weekdays and times of day in Russian and Ukrainian."""

from __future__ import annotations

import datetime
from decimal import Decimal

from prompts.reading.cases import TABLE_ORDER, Case, Gender, plain
from prompts.reading.listed import listed
from prompts.reading.nouns import phrase
from prompts.reading.slavic import Slavic, number_words, ordinal_words, quantity
from prompts.reading.values import Clock

MONTHS = {
    "ru": listed("января февраля марта апреля мая июня июля августа сентября октября ноября декабря"),
    "uk": listed("січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня"),
}
_OF_YEAR = {"ru": "года", "uk": "року"}
#: Monday first: singular in TABLE_ORDER, then what "по" repeats: "по вторникам".
_WEEKDAYS = {
    "ru": [
        "понедельник понедельника понедельнику понедельник понедельником понедельнике понедельникам",
        "вторник вторника вторнику вторник вторником вторнике вторникам",
        "среда среды среде среду средой среде средам",
        "четверг четверга четвергу четверг четвергом четверге четвергам",
        "пятница пятницы пятнице пятницу пятницей пятнице пятницам",
        "суббота субботы субботе субботу субботой субботе субботам",
        "воскресенье воскресенья воскресенью воскресенье воскресеньем воскресенье воскресеньям",
    ],
    "uk": [
        "понеділок понеділка понеділку понеділок понеділком понеділку понеділках",
        "вівторок вівторка вівторку вівторок вівторком вівторку вівторках",
        "середа середи середі середу середою середі середах",
        "четвер четверга четвергу четвер четвергом четвергу четвергах",
        "п'ятниця п'ятниці п'ятниці п'ятницю п'ятницею п'ятниці п'ятницях",
        "субота суботи суботі суботу суботою суботі суботах",
        "неділя неділі неділі неділю неділею неділі неділях",
    ],
}


def date_words(language: Slavic, day: datetime.date, case: Case, argument: str) -> str:
    """The day as an ordinal in that case, then the month; "year" adds the year, "day" drops the month."""
    said = ordinal_words(language, day.day, Gender.NEUTER, case)
    if argument == "day":
        return said
    said = f"{said} {MONTHS[language.code][day.month - 1]}"
    if argument == "year":
        said += f" {ordinal_words(language, day.year, Gender.MASCULINE, Case.GEN)} {_OF_YEAR[language.code]}"
    return said


def weekday_words(language: Slavic, day: datetime.date, case: Case) -> str:
    """The day of the week in that case; DIST is "every": "по вторникам"."""
    forms = _WEEKDAYS[language.code][day.weekday()].split()
    return forms[6] if case is Case.DIST else forms[TABLE_ORDER.index(case)]


def time_words(language: Slavic, time: Clock, case: Case, *, hour_follows: bool = False) -> str:
    """ru: "двадцать один час тридцать минут"; uk: "двадцять перша тридцять"; whole hours without minutes."""
    case = plain(case)
    if language.code == "uk":
        said = ordinal_words(language, time.hours, Gender.FEMININE, case)
        if time.minutes:
            zero = f"{language.numerals.zero[0]} " if time.minutes < 10 else ""
            return f"{said} {zero}{number_words(language, time.minutes, Case.NOM, Gender.FEMININE)}"
        if time.hours == 0 and not hour_follows:
            return f"{said} {phrase('uk', 'година').singular(case)}"
        return said
    said = quantity(language, Decimal(time.hours), phrase("ru", "час"), case)
    if time.minutes:
        said += " " + quantity(language, Decimal(time.minutes), phrase("ru", "минута"), case)
    return said
