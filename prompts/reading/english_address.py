"""English addresses in words: abbreviations in full, numbers as numbers, letters as letters."""

from __future__ import annotations

import re

from prompts.reading.english_words import cardinal, digit_words, ordinal
from prompts.reading.errors import ReadingError, shown
from prompts.reading.listed import listed

_STREETS = {
    "st": "street", "ave": "avenue", "av": "avenue", "rd": "road", "blvd": "boulevard", "dr": "drive", "ln": "lane",
    "ct": "court", "pl": "place", "sq": "square", "ter": "terrace", "terr": "terrace", "hwy": "highway",
    "pkwy": "parkway", "cir": "circle", "cres": "crescent", "cl": "close", "gdns": "gardens", "gdn": "garden",
    "grn": "green", "pk": "park", "expy": "expressway", "fwy": "freeway", "tpke": "turnpike", "aly": "alley",
    "plz": "plaza", "mews": "mews", "trl": "trail", "xing": "crossing", "rte": "route", "brg": "bridge",
    "ctr": "center", "est": "estate", "hts": "heights", "mt": "mount", "jct": "junction",
}  # fmt: skip
_OTHERS = {
    "apt": "apartment", "bldg": "building", "ste": "suite", "fl": "floor", "flr": "floor", "rm": "room",
    "no": "number", "nr": "near", "opp": "opposite", "dept": "department", "unit": "unit", "blk": "block",
    "p.o": "p o", "po": "p o", "ft": "fort", "lvl": "level", "twp": "township", "co": "county", "mall": "mall",
    "bld": "building", "off": "office", "ofc": "office", "entr": "entrance", "ent": "entrance", "sr": "senior",
    "vill": "village", "sta": "station", "ind": "industrial", "hse": "house", "shop": "shop", "cor": "corner",
    "jr": "junior", "&": "and", "@": "at", "#": "number", "/": "slash",
}  # fmt: skip
_COMPASS = {
    "n": "north", "s": "south", "e": "east", "w": "west", "ne": "northeast", "nw": "northwest", "se": "southeast",
    "sw": "southwest",
}  # fmt: skip
_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho",
    "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana",
    "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
    "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey",
    "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma",
    "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "DC": "D C",
}  # fmt: skip
#: A letter after them names a flat or a block: "Apt. E".
_LABELS = frozenset(
    listed("""
        apartment apt building bldg bld suite ste floor fl flr room rm number no department dept unit block blk level
        lvl house hse shop flat gate entrance entr section office off wing tower hall box store stand # korp
    """)
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
            postal = len(token) == _ZIP and (before.upper() in _STATES or len(tokens) == 1 or (position > 0 and at > 0))
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
    if token in _STATES and (not following or following.isdigit()) and (region or at > 0):
        return _STATES[token]
    if lowered in _COMPASS and (bare.isupper() or token.endswith(".")) and not _labelled(tokens, at):
        return _COMPASS[lowered]
    if lowered in _STREETS:
        return _STREETS[lowered]
    if lowered in _OTHERS and (lowered != "no" or following[:1].isdigit() or token.endswith(".")):
        return _OTHERS[lowered]
    if "." in bare:
        return " ".join(bare.upper().replace(".", ""))
    return bare.upper() if len(bare) == 1 else bare


def _names(word: str) -> bool:
    """Whether the word may be a name rather than another abbreviation: "St. James St."."""
    lowered = word.rstrip(".").lower()
    return lowered not in _STREETS and lowered not in _OTHERS and lowered not in _COMPASS and len(lowered) > 1


def _named_before(tokens: list[str], at: int) -> bool:
    """Whether a street's name already stands before, so that "St." is a street."""
    return any(
        (each[0].isalpha() and each.rstrip(".").lower() not in _COMPASS | _OTHERS) or each[-1:].isalpha()
        for each in tokens[:at]
    )


def _labelled(tokens: list[str], at: int) -> bool:
    """Whether the letter names a flat or a block: "Apt. E"."""
    return at > 0 and tokens[at - 1].rstrip(".").lower() in _LABELS
