"""Values as retail files write them -> numbers, dates, times. Knows no language beyond the decimal comma."""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from prompts.reading.errors import ReadingError, shown

#: A number must stay below it: the words for scales end here.
LIMIT = Decimal(10) ** 15
MOST_DECIMALS = 6

_SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u200a\u202f'’_]+")
_GROUPED = re.compile(r"\d{1,3}(?:\s\d{3})+(?:[.,]\d+)?")
_MINUS = "−–—‒"
_PLAIN_NUMBER = re.compile(r"([+-]?)(\d{1,18})(?:\.(\d{1,12}))?")
#: Longer than any address or name; whoever gives more has taken the wrong column.
LONGEST_VALUE = 500
_EMPTY = frozenset({"", "none", "null", "nan", "nil", "n/a", "na", "undefined", "-", "—"})


def given(value: str, name: str) -> str:
    """The value without outer blanks, its raised and circled digits ("²") as plain ones.

    Raises ReadingError for what files write when they have nothing, and for what is too long to listen to.
    """
    stripped = value.strip().strip("\ufeff\u200b").strip()
    if len(stripped) > LONGEST_VALUE:
        what = f"{name} has {len(stripped)} characters."
        raise ReadingError(what, f"Give at most {LONGEST_VALUE}: nobody listens to more.", name)
    if stripped.casefold() in _EMPTY:
        raise ReadingError(f"{name} is empty.", "Give it a value, or give the text a fallback sentence.", name)
    if stripped.isascii():
        return stripped
    return "".join(
        str(unicodedata.digit(char)) if char.isdigit() and not char.isdecimal() else char for char in stripped
    )


def number(value: str, *, comma_groups: bool = False) -> Decimal:
    """The number, trailing zeros kept. `comma_groups`: a comma before three digits separates thousands (English).

    Raises ReadingError for what is no number, has over 6 decimals, or is 10^15 or more.
    """
    mend = "Write it as 1201, 1201.50 or 1 201,50."
    text = value.strip()
    for dash in _MINUS:
        text = text.replace(dash, "-")
    if re.search(r"\d[\s\u00a0\u2007\u2009\u200a\u202f'’]", text) and not _GROUPED.fullmatch(
        re.sub(r"[\u00a0\u2007\u2009\u200a\u202f'’]", " ", text.lstrip("+- \u00a0"))
    ):
        raise ReadingError(f"{shown(value)} is not a number.", mend)
    text = _SPACES.sub("", text)
    if "," in text and "." in text:
        groups, point = (",", ".") if text.rfind(".") > text.rfind(",") else (".", ",")
        whole, _, decimals = text.rpartition(point)
        if not re.fullmatch(rf"[+-]?\d{{1,3}}(?:\{groups}\d{{3}})+", whole):
            raise ReadingError(f"{shown(value)} is not a number.", mend)
        text = whole.replace(groups, "") + "." + decimals
    elif comma_groups and re.fullmatch(r"[+-]?\d{1,3}(?:,\d{3})+", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3}){2,}|[+-]?\d{1,3}(?:,\d{3}){2,}", text):
        text = text.replace(".", "").replace(",", "")
    else:
        text = text.replace(",", ".")
    found = _PLAIN_NUMBER.fullmatch(text)
    if found is None or not text.isascii():
        raise ReadingError(f"{shown(value)} is not a number.", mend)
    result = Decimal(text)
    if abs(result) >= LIMIT:
        raise ReadingError(f"{shown(value)} is too large to say.", "Give a number below 10^15.")
    if len((found.group(3) or "").rstrip("0")) > MOST_DECIMALS:
        raise ReadingError(f"{shown(value)} has too many decimals to say.", f"Give at most {MOST_DECIMALS} decimals.")
    return result


def whole(value: str, *, comma_groups: bool = False) -> int:
    """The number, which must have no fraction; raises ReadingError."""
    result = number(value, comma_groups=comma_groups)
    if result != int(result):
        raise ReadingError(f"{shown(value)} is not a whole number.", "Give a whole number.")
    return int(result)


def date(value: str) -> datetime.date:
    """The day of `2026-12-01`, `01.12.2026`, `01/12/2026`, with or without a time after it; raises ReadingError.

    With slashes the month comes first only where it can't come second: `12/31/2026`.
    """
    for pattern, order in (
        (r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})(?:[T ]\d{1,2}:\d{2}.*)?", (1, 2, 3)),
        (r"(\d{1,2})[-./](\d{1,2})[-./](\d{4})(?:[T ]\d{1,2}:\d{2}.*)?", (3, 2, 1)),
        (r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[T ]\d{1,2}:\d{2}.*)?", (3, 1, 2)),
    ):
        if found := re.fullmatch(pattern, value, re.ASCII):
            try:
                return datetime.date(*(int(found.group(part)) for part in order))
            except ValueError:
                continue
    raise ReadingError(f"{shown(value)} is not a date.", "Write it as 2026-12-01 or 01.12.2026.")


@dataclass(frozen=True, slots=True)
class Clock:
    #: 0 to 24; 24 only with 0 minutes, the end of the day.
    hours: int
    minutes: int


def clock(value: str) -> Clock:
    """The time of `21:30`, `9.05`, `21:30:00` or `9:30 PM`; seconds are dropped. Raises ReadingError."""
    found = re.fullmatch(
        r"(\d{1,2})(?:[:.](\d{2})(?::\d{2}(?:\.\d+)?)?)?\s*([ap])?\.?(?:m\.?)?", value.casefold(), re.ASCII
    )
    if found and (found.group(2) or found.group(3)):
        hours, minutes = int(found.group(1)), int(found.group(2) or 0)
        if half := found.group(3):
            hours = hours % 12 + (12 if half == "p" else 0) if 1 <= hours <= 12 else 99
        if minutes < 60 and (hours < 24 or (hours == 24 and minutes == 0)):
            return Clock(hours, minutes)
    raise ReadingError(f"{shown(value)} is not a time of day.", "Write it as 21:30.")


def name(value: str) -> str:
    """The name as it is; raises ReadingError when it has signs that can't be said."""
    said = " ".join(value.split())
    if not any(char.isalpha() for char in said) or any(
        not (char.isalpha() or char in " -.'’ʼ`«»\"" or "\u0300" <= char <= "\u036f") for char in said
    ):
        raise ReadingError(f"{shown(value)} is not a name that can be said.", "Write the name in letters.")
    return said
