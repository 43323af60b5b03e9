"""Reads one variable in English."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from prompts.reading import measures, phone, values
from prompts.reading.english_address import address_words
from prompts.reading.english_words import (
    MONTHS,
    WEEKDAYS,
    cardinal,
    decimal_words,
    digit_words,
    ordinal,
    plural,
    year_words,
)
from prompts.reading.errors import ReadingError, shown
from prompts.reading.listed import listed
from prompts.reading.sentence import Place
from prompts.reading.template import Kind, Variable
from prompts.reading.values import Clock

_HALVES = frozenset({"am", "pm", "a", "p", "o'clock"})
_ARTICLES = frozenset({"a", "an"})
_DETERMINERS = _ARTICLES | frozenset(
    listed("the this that your our my his her their its each every any another one new")
)
#: Words that don't make a quantity before them describe a thing: "six feet tall", "ten dollars off".
_NO_NOUNS = frozenset(
    listed("""
        of off or and for to from on in at with by away long wide tall deep high thick old heavy big large apart per
        is are was were be will would can may has have had ago later earlier before after until till left more less
        cheaper lower higher longer shorter taller wider smaller bigger larger faster remaining back each every now
        today tomorrow tonight only as than that which who if when while plus minus but so the a an this your our
        you we i it they free total extra please not no just about over under up down out into through during within
        without between across all both between around near expire expires expired remain remains await awaits apply
        applies ship ships went goes go saved here there again too also already yet still or nor once twice weekly
        monthly daily yearly including excluding instead gets get got online instore cost costs
    """)
)
_TIMES = frozenset({"day", "week", "month", "year", "hour", "minute", "second"})


class EnglishReader:
    """Everything said in English."""

    def say(self, variable: Variable, value: str, place: Place) -> str:
        """The words for the value; raises ReadingError when it can't be read as the variable's type."""
        match variable.kind:
            case Kind.MONEY:
                return _money(value, variable.argument, place)
            case Kind.NUMBER:
                return _number(values.number(value, comma_groups=True))
            case Kind.PERCENT:
                return _number(values.number(value.rstrip("% \u00a0"), comma_groups=True)) + " percent"
            case Kind.COUNT:
                return _counted(values.number(value, comma_groups=True), variable.argument, place)
            case Kind.ORDINAL:
                return _ordinal(value, variable.argument)
            case Kind.DATE:
                return _date(value, variable.argument, place)
            case Kind.WEEKDAY:
                return WEEKDAYS[values.date(value).weekday()]
            case Kind.TIME:
                return _time(values.clock(value), place)
            case Kind.MEASURE:
                return _measure(value, place)
            case Kind.PHONE:
                plus, groups = phone.groups(value)
                return ("plus " if plus else "") + digit_words("".join(groups))
            case Kind.DIGITS:
                return _digits(value, int(variable.argument or 1))
            case Kind.ADDRESS:
                return address_words(value)
            case Kind.NAME:
                return values.name(value)
            case _:
                assert_never(variable.kind)


def _number(value: Decimal) -> str:
    sign = "minus " if value < 0 else ""
    size = abs(value)
    return sign + (cardinal(int(size)) if size == int(size) else decimal_words(size))


def _is_one(value: Decimal) -> bool:
    return abs(value) == 1


def _describes(place: Place, *, determined: bool) -> bool:
    """Whether the quantity describes the noun after it: "a twenty dollar card", "a fifty five inch TV"."""
    after = place.after[0] if place.after else ""
    if not after[:1].isalpha() or after in _NO_NOUNS:
        return False
    return not determined or (bool(place.before) and place.before[-1] in _DETERMINERS)


def _counted(value: Decimal, noun: str, place: Place) -> str:
    article = bool(place.before) and place.before[-1] in _ARTICLES
    describes = _describes(place, determined=True) and (article or noun in _TIMES)
    return f"{_number(value)} {noun if _is_one(value) or describes else plural(noun)}"


def _measure(value: str, place: Place) -> str:
    amounts, unit = measures.measure("en", value)
    named = unit if _is_one(amounts[-1]) or _describes(place, determined=False) else plural(unit)
    return f"{' by '.join(map(_number, amounts))} {named}"


def _money(value: str, currency: str, place: Place) -> str:
    main, small, code, negative = measures.money("en", value, currency)
    units = measures.CURRENCIES["en"][code]
    single = _describes(place, determined=True)
    said = ["minus"] if negative else []
    if main or not small:
        said += [cardinal(main), units[0] if main == 1 or single else plural(units[0])]
    if small:
        said += [cardinal(small), units[1] if small == 1 or single else plural(units[1])]
    return " ".join(said)


def _ordinal(value: str, noun: str) -> str:
    number = values.whole(value, comma_groups=True)
    if number < 0:
        raise ReadingError(f"{shown(value)} has no ordinal.", "Give a number from 0 up.")
    return f"{ordinal(number)} {noun}".strip()


def _date(value: str, argument: str, place: Place) -> str:
    day = values.date(value)
    said = ordinal(day.day)
    if argument == "day":
        return said
    if place.before and place.before[-1] == "the":
        said = f"{said} of {MONTHS[day.month - 1]}"
    else:
        said = f"{MONTHS[day.month - 1]} {said}"
    return f"{said} {year_words(day.year)}" if argument == "year" else said


def _time(time: Clock, place: Place) -> str:
    """ "nine thirty p m", "nine a m", "nine oh five a m"."""
    hours = time.hours % 12 or 12
    said = cardinal(hours)
    if time.minutes:
        said += (" oh " if time.minutes < 10 else " ") + cardinal(time.minutes)
    after = place.after[0] if place.after else ""
    if after in _HALVES:
        return said
    return f"{said} {'a' if time.hours % 24 < 12 else 'p'} m"


def _digits(value: str, size: int) -> str:
    if size == 1:
        return digit_words("".join(phone.split_digits(value, 1)))
    said = []
    for group in phone.split_digits(value, size):
        bare = group.lstrip("0")
        said += ["zero"] * (len(group) - len(bare))
        if bare:
            said.append(cardinal(int(bare)))
    return " ".join(said)
