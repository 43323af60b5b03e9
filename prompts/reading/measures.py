"""Units of measure and currencies: signs and abbreviations -> the words for them; the words are in the word files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from prompts.reading.errors import ReadingError, shown
from prompts.reading.nouns import parses
from prompts.reading.template import LANGUAGE_CODES
from prompts.reading.values import number
from prompts.reading.wordfiles import load


@dataclass(frozen=True, kw_only=True)
class Currencies:
    #: Main unit and its hundredth, nominative singular, by language and code.
    names: Mapping[str, Mapping[str, tuple[str, str]]]
    #: Code by what is written beside the amount, lower case.
    signs: Mapping[str, str]
    #: The currency of an amount that names none, by language.
    defaults: Mapping[str, str]


@lru_cache(maxsize=1)
def currencies() -> Currencies:
    """Raises WordsError with the line of the first fault."""
    table = load("currencies.yaml")
    names: dict[str, dict[str, tuple[str, str]]] = {language: {} for language in LANGUAGE_CODES}
    signs: dict[str, str] = {}
    defaults: dict[str, str] = {}
    for code in table:
        said = table.table(code).known("signs", "default_of", *LANGUAGE_CODES)
        for language in LANGUAGE_CODES:
            unit = said.table(language).known("one", "hundredth")
            names[language][code] = (unit.text("one"), unit.text("hundredth"))
        for sign in said.texts("signs"):
            if signs.setdefault(sign, code) != code:
                raise said.fault("signs", f"{sign} is of {signs[sign]} too.", "Leave it to one of them.")
        defaults |= dict.fromkeys(said.texts("default_of"), code)
    return Currencies(names=names, signs=signs, defaults=defaults)


_MONEY = re.compile(r"(?P<before>[^\d\s+\-−–.,]*)\s*(?P<amount>[+\-−–]?\s*\d.*?)\s*(?P<after>[^\W\d_][^\d]*|[₽₴$€£₸])?")


@lru_cache(maxsize=len(LANGUAGE_CODES))
def units(language: str) -> Mapping[str, str]:
    """The words, in the singular, of every sign and abbreviation; raises WordsError."""
    table = load(f"{language}/units.yaml")
    found: dict[str, str] = {}
    for word in table:
        for sign in table.texts(word):
            if sign in found:
                raise table.fault(word, f"{sign} is short for {found[sign]} too.", "Leave it to one of them.")
            found[sign] = word
    return found


_SPLIT = re.compile(r"(?P<number>[+\-−–]?\s*\d[\d\s\u00a0\u2009\u202f.,]*?)\s*(?P<unit>[^\d\s.,+\-−–].*)")
_SIZES = re.compile(r"(\d+(?:[.,]\d+)?)\s*[xхXХ×*]\s*(?=\d)")


def measure(language: str, value: str) -> tuple[tuple[Decimal, ...], str]:
    """The numbers (several for "120x60 см") and the unit's words in the singular; raises ReadingError."""
    sizes = []
    rest = value
    while found := _SIZES.match(rest):
        sizes.append(number(found.group(1)))
        rest = rest[found.end() :]
    parts = _SPLIT.fullmatch(rest)
    if parts is None:
        raise ReadingError(f"{shown(value)} is not a number with a unit.", 'Write it as 1.5 kg, 500 ml or 27".')
    unit = re.sub(r"\s+", "", parts.group("unit"))
    known = units(language)
    word = known.get(unit) or known.get(unit.lower()) or known.get(unit.rstrip("."))
    if word is None:
        word = _whole_word(language, parts.group("unit").strip())
    if word is None:
        raise ReadingError(f"{shown(unit)} is not a known unit.", "Write the unit as cm, kg, l, GB and the like.")
    return (*sizes, number(parts.group("number"), comma_groups=language == "en")), word


def _whole_word(language: str, unit: str) -> str | None:
    """The unit when the value names it in full: "2 килограмма"."""
    words = set(units(language).values())
    if unit.lower() in words:
        return unit.lower()
    if language == "en":
        singular = unit.lower().removesuffix("s")
        american = singular.replace("liter", "litre").replace("meter", "metre")
        return next((word for word in (singular, american) if word in words), None)
    return next((each.normal_form for each in parses(language, unit.lower()) if each.normal_form in words), None)


def money(language: str, value: str, currency: str) -> tuple[int, int, str, bool]:
    """Whole units, hundredths, the currency's code and whether it is negative; raises ReadingError.

    A sign in the value ("1201 ₽") names the currency when the text doesn't.
    """
    found = _MONEY.fullmatch(value)
    if found is None:
        raise ReadingError(f"{shown(value)} is not an amount.", "Write it as 1201.50 or 1 201,50.")
    signs = [(found.group(side) or "").strip().rstrip(".").lower() for side in ("before", "after")]
    named = ""
    known = currencies()
    for sign in filter(None, signs):
        if sign not in known.signs:
            raise ReadingError(f"{shown(sign)} is not a known currency.", "Write the amount as a plain number.")
        named = known.signs[sign]
    amount = number(found.group("amount"), comma_groups=language == "en").quantize(Decimal("0.01"), "ROUND_HALF_UP")
    size = abs(amount)
    main = int(size)
    return main, int((size - main) * 100), currency or named or known.defaults[language], amount < 0
