"""Telephone numbers and strings of digits -> groups; the words for the groups are the language's."""

from __future__ import annotations

import re

from prompts.reading.errors import ReadingError, shown

_ALLOWED = re.compile(r"\+?[\d\s()\-–—.\u00a0\u2009\u202f/]+")

_KNOWN_COUNTRIES = ("7", "380", "375", "1")


def groups(value: str) -> tuple[bool, tuple[str, ...]]:
    """Whether a plus leads, and the digits as people group them: +7 812 345 67 89, +380 44 123 45 67.

    Raises ReadingError when it is not a telephone number.
    """
    if not _ALLOWED.fullmatch(value) or not value.isprintable():
        value = value.replace("\u00a0", " ").replace("\u202f", " ").replace("\u2009", " ")
    digits = re.sub(r"\D", "", value)
    if not _ALLOWED.fullmatch(value) or not digits.isascii() or not 2 <= len(digits) <= 15:
        raise ReadingError(f"{shown(value)} is not a telephone number.", "Write it as +7 812 345-67-89.")
    plus = value.lstrip().startswith("+")
    sizes = _plan(digits, plus) if len(digits) != 5 else _local(5, value)
    area = re.search(r"\((\d+)\)", value)
    ahead = value.partition("(")[0].strip(" +")
    if area and len(area.group(1)) in (4, 5) and (ahead, len(digits)) in (("", 10), ("7", 11), ("8", 11)):
        # "8 (4852) 30-40-50": a smaller town has a longer code.
        sizes = (*([1] if ahead else []), *_pairs(len(area.group(1))), *_local(10 - len(area.group(1)), value))
    if area and digits.startswith("0" + area.group(1)[1:]) and len(area.group(1)) in (4, 5):
        sizes = (len(area.group(1)), *_local(len(digits) - len(area.group(1))))
    if digits.startswith("380") and len(digits) == 12 and re.match(r"\D*38\D+0\d\d\b", value):
        # "+38 (067)" is written, and said, with the zero of the operator's code.
        sizes = (2, 3, 3, 2, 2)
    if plus and not digits.startswith(_KNOWN_COUNTRIES):
        # A country whose grouping isn't known here keeps the groups it is written in.
        written = tuple(re.findall(r"\d+", value))
        if len(written) > 2 and max(map(len, written)) <= 3:
            return plus, written
    if sizes[:2] == (1, 3) and digits.startswith("0800"):
        sizes = (1, 3, *(_written(value, 6) or sizes[2:]))
    found = []
    at = 0
    for size in sizes:
        found.append(digits[at : at + size])
        at += size
    return plus, tuple(found)


def _written(value: str, size: int) -> tuple[int, ...]:
    """The groups that the last digits, that many, are written in; () when they are not parted into short ones."""
    groups: list[int] = []
    for digits in reversed(re.findall(r"\d+", value)):
        if sum(groups) < size:
            groups.insert(0, len(digits))
    return tuple(groups) if sum(groups) == size and max(groups) <= 3 else ()


def _plan(digits: str, plus: bool) -> tuple[int, ...]:
    size = len(digits)
    if size == 11 and digits[0] in "78":
        return (1, 3, 3, 2, 2)
    if size == 12 and digits.startswith(("380800", "380900")):
        return (3, 3, 3, 3)
    if size == 12 and digits.startswith("380"):
        return (3, 2, 3, 2, 2)
    if size == 12 and digits.startswith("375"):
        return (3, 2, 3, 2, 2)
    if size == 10 and digits.startswith("0800"):
        return (1, 3, 3, 3)
    if size == 11 and digits[0] == "1" and plus:
        return (1, 3, 3, 2, 2)
    if size == 10:
        return (3, 3, 2, 2)
    if size == 12 and plus:
        return (2, 3, 3, 2, 2)
    return _local(size)


def _local(size: int, value: str = "") -> tuple[int, ...]:
    """A number within a city: 345 67 89, 34 56 78, 112, and 2-34-56 where it is written so."""
    if size == 5 and re.search(r"\b\d\D\d\d\D\d\d\Z", value):
        return (1, 2, 2)
    if size <= 3:
        return (size,)
    if size % 2:
        return (3, *_pairs(size - 3))
    return _pairs(size)


def _pairs(size: int) -> tuple[int, ...]:
    if size == 3:
        return (3,)
    return (3, *_pairs(size - 3)) if size % 2 else (2,) * (size // 2)


def split_digits(value: str, size: int) -> tuple[str, ...]:
    """The digits in groups of that size, the last one shorter; raises ReadingError when there are no digits alone."""
    digits = re.sub(r"[\s\-–—\u00a0\u2009\u202f]", "", value)
    if not digits.isdigit() or not digits.isascii() or len(digits) > 64:
        raise ReadingError(f"{shown(value)} is not a string of digits.", "Give digits only, at most 64.")
    return tuple(digits[at : at + size] for at in range(0, len(digits), size))
