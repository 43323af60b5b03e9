"""English addresses in words: abbreviations in full, numbers as numbers, letters as letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from prompts.reading.addresses import by_short
from prompts.reading.english_words import cardinal, digit_words, ordinal
from prompts.reading.errors import ReadingError, shown
from prompts.reading.wordfiles import load


@dataclass(frozen=True, kw_only=True)
class AddressWords:
    #: Full words by abbreviation, lower case and without its dot.
    streets: Mapping[str, str]
    others: Mapping[str, str]
    compass: Mapping[str, str]
    #: By their two capitals.
    states: Mapping[str, str]
    #: A letter after them names a flat or a block: "Apt. E".
    labels: frozenset[str]


@lru_cache(maxsize=1)
def address_tables() -> AddressWords:
    """Raises WordsError with the line of the first fault."""
    table = load("en/addresses.yaml").known("streets", "others", "compass", "states", "labels")
    states = table.table("states")
    return AddressWords(
        streets=by_short(table.table("streets")),
        others=by_short(table.table("others")),
        compass=by_short(table.table("compass")),
        states={short: states.text(short) for short in states},
        labels=frozenset(table.texts("labels")),
    )


_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)\b|\d+|[A-Za-z](?:\.[A-Za-z])+\.?|[^\W\d_]+(?:['’-][^\W\d_]+)*\.?|[#/&@]", re.I)
_LONGEST = 300
_ZIP = 5


def address_words(value: str) -> str:
    """The address in words; raises ReadingError when nothing in it can be said."""
    if len(value) > _LONGEST or not any(char.isalpha() for char in value):
        raise ReadingError(f"{shown(value)} is not an address.", "Write it as 12 Main St., Apt. 5.")
    components = [each for each in re.split(r"[,;()\n]+", value) if each.strip()]
    said = [" ".join(_component(each, at)) for at, each in enumerate(components)]
    return ", ".join(filter(None, said))


def _component(text: str, position: int) -> list[str]:
    found = list(_TOKEN.finditer(text))
    tokens = [each.group() for each in found]
    touching = [at > 0 and found[at].start() == found[at - 1].end() for at in range(len(found))]
    said: list[str] = []
    for at, token in enumerate(tokens):
        if token.isdigit():
            before = tokens[at - 1] if at else ""
            postal = len(token) == _ZIP and (
                before.upper() in address_tables().states or len(tokens) == 1 or (position > 0 and at > 0)
            )
            said.append(_number(token, postal=postal))
        elif token[0].isdigit():
            said.append(ordinal(int(token[:-2])) if len(token) <= 12 else digit_words(token[:-2]))
        else:
            said.append(_word(tokens, at, touches=touching[at : at + 2], region=position > 0))
    return said


def _number(digits: str, *, postal: bool) -> str:
    if postal or len(digits) > 9 or (digits.startswith("0") and len(digits) > 1):
        return digit_words(digits)
    return cardinal(int(digits))


def _word(tokens: list[str], at: int, *, touches: list[bool], region: bool) -> str:
    """`touches`: whether the token and the one after it follow without a blank: "12B", "W1D"."""
    token = tokens[at]
    bare = token.rstrip(".")
    lowered = bare.lower()
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    if token.isalpha() and (
        (touches[0] and tokens[at - 1][0].isdigit())
        or (len(token) < 3 and touches[1:] == [True] and following.isdigit())
    ):
        return " ".join(bare.upper())
    if lowered in ("st", "dr") and following[:1].isupper() and _names(following) and not _named_before(tokens, at):
        return "saint" if lowered == "st" else "doctor"
    if token in address_tables().states and (not following or following.isdigit()) and (region or at > 0):
        return address_tables().states[token]
    if lowered in address_tables().compass and (bare.isupper() or token.endswith(".")) and not _labelled(tokens, at):
        return address_tables().compass[lowered]
    if lowered in address_tables().streets:
        return address_tables().streets[lowered]
    if lowered in address_tables().others and (lowered != "no" or following[:1].isdigit() or token.endswith(".")):
        return address_tables().others[lowered]
    if "." in bare:
        return " ".join(bare.upper().replace(".", ""))
    return bare.upper() if len(bare) == 1 else bare


def _names(word: str) -> bool:
    """Whether the word may be a name rather than another abbreviation: "St. James St."."""
    lowered = word.rstrip(".").lower()
    return (
        lowered not in address_tables().streets
        and lowered not in address_tables().others
        and lowered not in address_tables().compass
        and len(lowered) > 1
    )


def _named_before(tokens: list[str], at: int) -> bool:
    """Whether a street's name already stands before, so that "St." is a street."""
    return any(
        (
            each[0].isalpha()
            and each.rstrip(".").lower() not in address_tables().compass.keys() | address_tables().others.keys()
        )
        or each[-1:].isalpha()
        for each in tokens[:at]
    )


def _labelled(tokens: list[str], at: int) -> bool:
    """Whether the letter names a flat or a block: "Apt. E"."""
    return at > 0 and tokens[at - 1].rstrip(".").lower() in address_tables().labels
