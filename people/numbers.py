"""The only reader of phone numbers: callers, contacts, lists and opt-outs are all read here, so that they agree.

Reads no file. The numbering library is loaded only for a number that is not plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# Excel writes 79161234567 as 7,91612E+10 or as 79161234567.0: the first has lost digits, the second has not.
_SHORTENED = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
#: 7.9161234567E10 has all of them.
_WHOLE = re.compile(r"([1-9])[.,](\d{10})E\+?10", re.IGNORECASE | re.ASCII)
_FLOAT = re.compile(r"(\+?\d{5,15})[.,]0+")
_LATIN = re.compile("[A-Za-z]")
#: In +7 there are ten more digits, whatever the plan of the day.
_PLAIN = re.compile(r"\+7[0-9]{10}", re.ASCII)


def _written(before: str, area: str) -> re.Pattern[str]:
    """Numbers as nearly every file has them: bare, or 8 (916) 123-45-67."""
    blank = "[ -]?"
    parts = blank.join((rf"(?:\(({area})\)|({area}))", "([0-9]{3})", "([0-9]{2})", "([0-9]{2})"))
    return re.compile(f"(?:{before}){blank}{parts}", re.ASCII)


#: By region: its country's code, and how its own numbers are written. They are read without the library, which is
#: far slower and reads them alike (tests/bench/numbers_speed.py).
_OWN = {
    "RU": ("+7", _written(r"\+?7|8|", "[349][0-9]{2}")),
    "KZ": ("+7", _written(r"\+?7|8|", "7[0-9]{2}")),
    "UA": ("+380", _written(r"\+?380|0", "[3-9][0-9]")),
}
#: What stands between the numbers of one cell: a sign, a line's end, "or" and "and", the plus of the next one.
_BETWEEN = re.compile(
    r"[,;/|\\&\r\n]|\s\+\s|\b(?:или|либо|и|або|чи|та|і|й|or|and)\b|(?<=[\d)])\s*(?=\+)", re.IGNORECASE
)
#: What people write beside a number to say whose telephone it is.
_BESIDE = re.compile(
    r"\(\s*[^\W\d_]+\.?\s*\)|\b(?:моб|раб|дом|сот|тел|mob|work|home|cell|tel)[^\W\d_]*\b[.:]*", re.IGNORECASE
)
_DIGITS = re.compile(r"\d")
#: Written for want of a number: one digit throughout, or the digits in their order.
_PLACEHOLDER = re.compile(r".*?(?:([0-9])\1{9}|0123456789|1234567890)", re.ASCII)
#: Neither a placeholder nor one of those below, as nearly every number of a Russian file is.
_RUNG = re.compile(r"\+7(?!([0-9])\1{9})[3479][0-9]{9}", re.ASCII)
#: By the beginning of a number: who is not rung by it. The library is asked about other countries only.
_NOT_RUNG = (
    (re.compile(r"\+7[01256]"), "the numbering plan has no such number"),
    (re.compile(r"\+7800|\+7804|\+380800"), "a toll-free number"),
    (re.compile(r"\+780[1-35-9]|\+380900"), "a premium number"),
    (re.compile(r"\+8(?:70|8[123])"), "a satellite or worldwide number"),
)
_WRONG_PLUS = "the plus is in the wrong place: without it this is a number of ours"
_E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """Why a cell is no phone number, without the number itself."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What a cell holds."""

    #: E.164, in the order in which they stand there, each once.
    phones: tuple[str, ...]
    #: Of those that are none.
    unreadable: tuple[Unreadable, ...] = ()


def read_phones(text: str, *, region: str) -> Numbers:
    """All numbers of a cell: several stand behind each other with a comma, a slash, "или" or a line's end between."""
    if (own := _own_form(text.strip(), region)) is not None and not _why_not_rung(text, own, region):
        return Numbers(phones=(own,))
    parts = [part for part in _BETWEEN.split(text) if _DIGITS.search(part)]
    read: list[str | Unreadable] = []
    if all(_own_form(word, region) for word in text.split()):
        parts = text.split()
    if len(parts) > 1 and not (_SHORTENED.search(text) or _FLOAT.fullmatch(text.strip())):
        read = [_read_beside(part, region) for part in parts]
    phones = tuple(dict.fromkeys(each for each in read if isinstance(each, str)))
    if not phones:
        # Whatever stands in it belongs to one number.
        read = [_read_beside(text, region)]
        phones = tuple(each for each in read if isinstance(each, str))
    return Numbers(phones=phones, unreadable=tuple(each for each in read if isinstance(each, Unreadable)))


def _read_beside(text: str, region: str) -> str | Unreadable:
    read = read_callable(text, region=region)
    if isinstance(read, str) or (bare := _BESIDE.sub(" ", text)) == text:
        return read
    again = read_callable(bare, region=region)
    return again if isinstance(again, str) else read


def read_callable(text: str, *, region: str) -> str | Unreadable:
    """What `read_phone` gives, for a file of people: a number that is nobody's, or a stranger's, is none.

    Callers and those who never want to be called are read by `read_phone`: whoever has such a number is known by it.
    """
    phone = read_phone(text, region=region)
    if isinstance(phone, Unreadable):
        return phone
    why = _why_not_rung(text.strip(), phone, region)
    return Unreadable(why=why) if why else phone


def _why_not_rung(text: str, phone: str, region: str) -> str:
    """Why nobody is to be rung by `phone` (E.164) that was read from `text`; "" when it is good."""
    if _RUNG.fullmatch(phone):
        return ""
    if _PLACEHOLDER.fullmatch(phone):
        return "a placeholder"
    if why := next((why for beginning, why in _NOT_RUNG if beginning.match(phone)), ""):
        return why
    if phone.startswith(("+7", "+380")):
        return ""
    import phonenumbers

    number = phonenumbers.parse(phone)
    valid = phonenumbers.is_valid_number(number)
    # +84951234567 is right in Viet Nam; whoever writes +8 (495) 123-45-67 means Moscow.
    if text.startswith("+") and not (valid and _E164.fullmatch(text)):
        ours = read_phone(phonenumbers.normalize_digits_only(text), region=region)
        if isinstance(ours, str) and ours != phone:
            own = phonenumbers.parse(ours)
            if phonenumbers.is_valid_number_for_region(own, region):
                return _WRONG_PLUS
    if not valid:
        return "the numbering plan has no such number"
    kinds = phonenumbers.PhoneNumberType
    return {kinds.TOLL_FREE: "a toll-free number", kinds.PREMIUM_RATE: "a premium number"}.get(
        phonenumbers.number_type(number), ""
    )


def read_phone(text: str, *, region: str) -> str | Unreadable:
    """The E.164 form ("+79161234567") of a number as written in `region` (ISO country), or why it is none.

    A number is taken when its length is possible in its country: numbering plans change oftener than programs. One of
    another country needs its plus or its prefix (00), unless it is a valid number there as it stands (380501234567).
    """
    text = text.strip()
    own = _own_form(text, region)
    return _read_phone(" ".join(text.split()), region) if own is None else own


def _own_form(text: str, region: str) -> str | None:
    """The E.164 form of a number that is written as nearly all are; None: it is not."""
    if _PLAIN.fullmatch(text):
        return text
    code, own = _OWN.get(region, ("", None))
    if own is not None and (plain := own.fullmatch(text)):
        return "".join((code, *filter(None, plain.groups())))
    return None


@lru_cache(maxsize=4096)
def normal_form(number: str, region: str) -> str:
    """The E.164 form of a caller's number as the network gave it, read in `region` (ISO country).

    What is no number there (withheld, a short internal number) comes back as it is.
    """
    read = read_phone(number, region=region)
    return number if isinstance(read, Unreadable) else read


def dial_string(number: str, dial_format: str) -> str:
    """An E.164 number as the operator wants it dialled: `dial_format` with {e164}, {digits} or {national} filled in.

    What is not E.164 (an extension, 112) is dialled as it is.
    """
    if not _E164.fullmatch(number):
        return number
    national = _national(number) if "{national}" in dial_format else ""
    return dial_format.format(e164=number, digits=number[1:], national=national)


def is_country(region: str) -> bool:
    """Whether `region` is an ISO country with a numbering plan of its own."""
    if region == "RU":
        return True
    from phonenumbers import SUPPORTED_REGIONS

    return region in SUPPORTED_REGIONS


def mask_phone(phone: str) -> str:
    """The number with its middle hidden: "+79161234567" -> "+7916***4567". A short number is hidden wholly."""
    if len(phone) < 10:
        return "***" if phone else ""
    return f"{phone[:-7]}***{phone[-4:]}"


def _national(number: str) -> str:
    if number.startswith("+7"):
        return number[2:]
    import phonenumbers

    return phonenumbers.national_significant_number(phonenumbers.parse(number))


def _read_phone(text: str, region: str) -> str | Unreadable:
    """What `read_phone` gives, by the numbering library alone."""
    if not text:
        return Unreadable(why="empty")
    if whole := _WHOLE.fullmatch(text):
        text = whole[1] + whole[2]
    elif _SHORTENED.search(text):
        return Unreadable(why="a spreadsheet shortened it (7.9E+10); format the column as text")
    if whole := _FLOAT.fullmatch(text):
        text = whole[1]
    if _LATIN.search(text) and not text.lower().startswith("tel:"):
        return Unreadable(why="has letters")
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        ValidationResult,
        format_number,
        is_possible_number_with_reason,
    )

    reasons = {
        ValidationResult.TOO_SHORT: "too short",
        ValidationResult.TOO_LONG: "too long",
        ValidationResult.INVALID_COUNTRY_CODE: "no such country code",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
        ValidationResult.INVALID_LENGTH: "no number has this length",
    }
    why = ""
    try:
        for number in _readings(text, region):
            if number.extension:
                return Unreadable(why="has an extension or a second number")
            verdict = is_possible_number_with_reason(number)
            e164 = format_number(number, PhoneNumberFormat.E164)
            if verdict == ValidationResult.IS_POSSIBLE and len(e164) <= 16:
                return e164
            why = why or reasons.get(verdict, "")
    except NumberParseException as error:
        if not why and error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            why = "no such country code"
    return Unreadable(why=why or "not a phone number")


def _readings(text: str, region: str) -> Iterator[PhoneNumber]:
    """The ways to read `text`, the likeliest first. Raises NumberParseException when there is none."""
    import phonenumbers

    digits = phonenumbers.normalize_digits_only(text)
    if "+" not in text and digits.startswith("00"):
        # The prefix of international calls, as networks and people of most countries write it; in Russia it is 810.
        yield phonenumbers.parse("+" + digits.removeprefix("00"))
    yield phonenumbers.parse(text, region)
    if "+" in text or not digits:
        return
    # A plus is often forgotten. The library supplies it only for numbers in the numbering plan of today; later ranges
    # and test numbers are of the same form.
    code = str(phonenumbers.country_code_for_region(region))
    abroad = phonenumbers.parse("+" + digits)
    if digits.startswith(code) or phonenumbers.is_valid_number(abroad):
        yield abroad
