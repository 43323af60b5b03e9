"""Read phone numbers as people write them. Reads no file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

# Excel writes 79161234567 as 7,91612E+10 or as 79161234567.0: the first has lost digits, the second has not.
_SHORTENED = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
_FLOAT = re.compile(r"(\+?\d{5,15})[.,]0+")
_LATIN = re.compile("[A-Za-z]")

_WHY = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_COUNTRY_CODE: "no such country code",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
    ValidationResult.INVALID_LENGTH: "no number has this length",
}


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """Why a cell is no phone number, without the number itself."""

    why: str


def _readings(text: str, region: str) -> Iterator[PhoneNumber]:
    """The ways to read `text`, the likeliest first. Raises NumberParseException when there is none."""
    yield phonenumbers.parse(text, region)
    # A plus is often forgotten. The library supplies it only for numbers in the numbering plan of today; later ranges
    # and test numbers are of the same form.
    digits, code = phonenumbers.normalize_digits_only(text), str(phonenumbers.country_code_for_region(region))
    if digits.startswith(code) and "+" not in text:
        yield phonenumbers.parse("+" + digits)


def read_phone(text: str, *, region: str) -> str | Unreadable:
    """The E.164 form ("+79161234567") of a number as written in `region` (ISO country), or why it is none.

    A number is taken when its length is possible in its country: numbering plans change oftener than programs.
    """
    text = text.strip()
    if not text:
        return Unreadable(why="empty")
    if _SHORTENED.search(text):
        return Unreadable(why="a spreadsheet shortened it (7.9E+10); format the column as text")
    if whole := _FLOAT.fullmatch(text):
        text = whole[1]
    if _LATIN.search(text) and not text.lower().startswith("tel:"):
        return Unreadable(why="has letters")
    why = "not a phone number"
    try:
        for number in _readings(text, region):
            if number.extension:
                return Unreadable(why="has an extension or a second number")
            verdict = phonenumbers.is_possible_number_with_reason(number)
            e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            if verdict == ValidationResult.IS_POSSIBLE and len(e164) <= 16:
                return e164
            why = _WHY.get(verdict, why) if why == "not a phone number" else why
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            why = "no such country code"
    return Unreadable(why=why)
