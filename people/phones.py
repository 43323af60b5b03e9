"""Phone numbers as the network gives and takes them. Pure."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat


@lru_cache(maxsize=4096)
def normal_form(number: str, region: str) -> str:
    """The E.164 form of a caller's number as the network gave it, read in `region` (ISO country).

    What is no number there (withheld, a short internal number) comes back as it is.
    """
    if number.startswith("+") and number[1:].isdigit():
        return number
    for reading in (number, f"+{number}"):
        try:
            parsed = phonenumbers.parse(reading, region)
        except NumberParseException:
            return number
        if phonenumbers.is_possible_number(parsed):
            return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return number


def dial_string(number: str, dial_format: str) -> str:
    """An E.164 number as the operator wants it dialled: `dial_format` with {e164}, {digits} or {national} filled in.

    What is not E.164 (an extension, 112) is dialled as it is.
    """
    if not number.startswith("+"):
        return number
    national = phonenumbers.national_significant_number(phonenumbers.parse(number))
    return dial_format.format(e164=number, digits=number[1:], national=national)
