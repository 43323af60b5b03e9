"""Reads one variable in English."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from prompts.reading import measures, phone, values
from prompts.reading.english_address import address_words
from prompts.reading.english_context import describes, shared_before
from prompts.reading.english_words import (
    calendar_words,
    cardinal,
    decimal_words,
    digit_words,
    ordinal,
    plural,
    year_words,
)
from prompts.reading.errors import ReadingError, shown
from prompts.reading.sentence import Place
from prompts.reading.template import Kind, Variable
from prompts.reading.values import Clock

#: The text itself says which half of the day it is: (the words after the time, the hours that they fit).
_HALVES: tuple[tuple[tuple[str, ...], range], ...] = (
    (("in", "the", "morning"), range(12)),
    (("in", "the", "afternoon"), range(12, 19)),
    (("in", "the", "evening"), range(16, 24)),
    (("at", "night"), range(18, 24)),
)


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
                return calendar_words("weekdays")[values.date(value).weekday()]
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


def _counted(value: Decimal, noun: str, place: Place) -> str:
    single = _is_one(value) or describes(place, Kind.COUNT, noun)
    return f"{_number(value)} {noun if single else plural(noun)}"


def _measure(value: str, place: Place) -> str:
    amounts, unit = measures.measure("en", value)
    single = _is_one(amounts[-1]) or describes(place, Kind.MEASURE, unit)
    return f"{' by '.join(map(_number, amounts))} {unit if single else plural(unit)}"


def _money(value: str, currency: str, place: Place) -> str:
    """ "one dollar", "twelve dollars and fifty cents", "fifty cents"."""
    main, small, code, negative = measures.money("en", value, currency)
    units = measures.currencies().names["en"][code]
    single = describes(place, Kind.MONEY)
    said = [
        f"{cardinal(amount)} {unit if amount == 1 or single else plural(unit)}"
        for amount, unit in zip((main, small), units, strict=True)
        if amount
    ] or [f"zero {plural(units[0])}"]
    return ("minus " if negative else "") + " and ".join(said)


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
    month = calendar_words("months")[day.month - 1]
    said = f"{said} of {month}" if shared_before(place, Kind.DATE)[-1:] == ("the",) else f"{month} {said}"
    return f"{said} {year_words(day.year)}" if argument == "year" else said


def _time(time: Clock, place: Place) -> str:
    """ "nine thirty p m", "nine a m", "nine oh five a m"."""
    hours = time.hours % 12 or 12
    said = cardinal(hours)
    if time.minutes:
        said += (" oh " if time.minutes < 10 else " ") + cardinal(time.minutes)
    if _half_follows(time, place.after):
        return said
    return f"{said} {'a' if time.hours % 24 < 12 else 'p'} m"


def _half_follows(time: Clock, after: tuple[str, ...]) -> bool:
    """Whether the text goes on with "p.m.", "o'clock" or "in the evening"."""
    if after[:1] in (("am",), ("pm",), ("o'clock",)) or (after[:1] in (("a",), ("p",)) and after[1:2] in ((), ("m",))):
        return True
    return any(after[: len(words)] == words and time.hours in hours for words, hours in _HALVES)


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
