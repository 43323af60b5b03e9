"""English numbers, ordinals and plurals."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from prompts.reading.listed import listed

_SMALL = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = listed("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
MONTHS = listed("January February March April May June July August September October November December")
WEEKDAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")


@lru_cache(maxsize=20_000)
def cardinal(number: int) -> str:
    """A whole number below 10^15, without hyphens and without "and"."""
    if number < 20:
        return _SMALL[number]
    said = []
    for power in range(4, -1, -1):
        group = number // 1000**power % 1000
        if group:
            said += _group(group)
            if power:
                said.append(_SCALES[power])
    return " ".join(said)


def _group(number: int) -> list[str]:
    said = []
    if number >= 100:
        said += [_SMALL[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        said.append(_TENS[number // 10])
        number %= 10
    if number:
        said.append(_SMALL[number])
    return said


def ordinal(number: int) -> str:
    """The ordinal: "twenty first", "one hundredth"."""
    *before, last = cardinal(number).split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, _ORDINALS.get(last, regular)])


def digit_words(digits: str) -> str:
    """Digit by digit."""
    return " ".join(_SMALL[int(digit)] for digit in digits)


def decimal_words(value: Decimal) -> str:
    """ "twelve point five", zeros at the end dropped."""
    whole, _, digits = f"{value.normalize():f}".partition(".")
    return f"{cardinal(int(whole))} point {digit_words(digits)}"


def year_words(year: int) -> str:
    """ "twenty twenty six", "nineteen oh five", "two thousand", "two thousand five"."""
    century, rest = divmod(year, 100)
    if year < 1000 or (century % 10 == 0 and rest < 10):
        return cardinal(year)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


_IRREGULAR = {
    "child": "children", "person": "people", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth",
    "goose": "geese", "mouse": "mice", "ox": "oxen", "penny": "pence", "knife": "knives", "wife": "wives",
    "life": "lives", "leaf": "leaves", "half": "halves", "shelf": "shelves", "loaf": "loaves", "self": "selves",
    "wolf": "wolves", "calf": "calves", "scarf": "scarves", "thief": "thieves", "datum": "data",
    "criterion": "criteria",
    "analysis": "analyses", "crisis": "crises", "basis": "bases", "axis": "axes", "series": "series",
    "species": "species", "sheep": "sheep", "deer": "deer", "fish": "fish", "aircraft": "aircraft", "tenge": "tenge",
    "tiyn": "tiyn", "grosz": "groszy", "hertz": "hertz", "kilohertz": "kilohertz", "megahertz": "megahertz",
    "gigahertz": "gigahertz", "horsepower": "horsepower", "percent": "percent", "potato": "potatoes",
    "tomato": "tomatoes", "hero": "heroes", "echo": "echoes", "veto": "vetoes", "cargo": "cargoes", "quiz": "quizzes",
    "bus": "buses", "gas": "gases", "lens": "lenses", "news": "news", "means": "means", "trousers": "trousers",
    "scissors": "scissors", "headphones": "headphones", "glasses": "glasses", "jeans": "jeans", "staff": "staff",
    "mango": "mangoes", "offspring": "offspring", "salmon": "salmon", "trout": "trout", "passerby": "passersby",
    "smartwatch": "smartwatches", "stomach": "stomachs", "epoch": "epochs", "monarch": "monarchs",
    "furniture": "furniture", "equipment": "equipment", "feet": "feet", "data": "data", "people": "people",
}  # fmt: skip
_TAILED = frozenset(
    listed("""
        of per in for with from to on at off by under over below above near within without until like that which
        marked reserved waiting remaining available worth away old
    """)
)
#: A phrase that opens with them ends in its head: "up to date phone".
_OPENERS = frozenset(listed("up out ready made good easy hard free best"))
_POSSESSIVES = {"woman's": "women's", "man's": "men's", "child's": "children's", "person's": "people's"}
_DEGREES = frozenset({"celsius", "fahrenheit"})


@lru_cache(maxsize=4096)
def plural(noun: str) -> str:
    """The phrase in the plural: its head is the word before a preposition or a participle, else the last word."""
    words = noun.split()
    last = len(words) - 1
    head = next((at - 1 for at, word in enumerate(words) if at and word.lower() in _TAILED), last)
    if words[head].lower() in _OPENERS:
        head = last
    if head == last > 0 and words[last].lower() == "left":
        head -= 1
    if words[head].lower() in _DEGREES:
        head -= 1
    words[head] = _plural_word(words[head])
    words[:head] = [_POSSESSIVES.get(word.replace("’", "'"), word) for word in words[:head]]
    return " ".join(words)


def _plural_word(word: str) -> str:
    lowered = word.lower()
    stem, hyphen, last = word.rpartition("-")
    if hyphen:
        first, _, tail = word.partition("-")
        if tail in ("in-law", "by", "up") and first.endswith(("er", "father", "mother", "son")):
            return f"{_plural_word(first)}-{tail}"
        return stem + hyphen + _plural_word(last)
    if lowered in _IRREGULAR:
        found = _IRREGULAR[lowered]
        return found.capitalize() if word[0].isupper() else found
    for ending in ("woman", "man", "child", "person", "foot", "shelf", "wife", "knife", "half"):
        if lowered.endswith(ending) and lowered not in ("human", "german", "roman"):
            return word[: -len(ending)] + _IRREGULAR[ending]
    if lowered.endswith("y") and lowered[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    if lowered.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"
