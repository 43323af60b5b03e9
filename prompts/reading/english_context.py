"""Whether a quantity in English describes the noun after it: "a three day offer", not "three days left"."""

from __future__ import annotations

from prompts.reading.english_lexicon import english
from prompts.reading.sentence import Place
from prompts.reading.template import Kind

_ARTICLES = frozenset({"a", "an"})
_ADJECTIVE_ENDINGS = ("ous", "ive", "ful", "ical", "onal", "able", "less")
_JOINS = frozenset({"and", "or", "to", "by", ",", "-", "–"})


def shared_before(place: Place, kind: Kind) -> tuple[str, ...]:
    """The words before the variable, or before the first of several joined: "the {a:date} and {b:date}"."""
    before = place.before
    while len(before) > 1 and before[-1] in _JOINS and before[-2] == f"{{{kind}}}":
        before = before[:-2]
    return before


def describes(place: Place, kind: Kind, noun: str = "") -> bool:
    """Whether the quantity (of `noun`, for a count or a measure) stands before a noun that it describes.

    >>> describes(Place(("a",), ("offer",)), Kind.COUNT, "day")
    True
    """
    before = shared_before(place, kind)
    after = _shared_after(place.after, kind, noun)
    last = before[-1] if before else ""
    first = after[0] if after else ""
    if last in _ARTICLES or (place.hyphened and after[1:2] != ("worth",)):
        return True
    determined = last in english().determiners | english().single
    if first == "{name}":
        return kind is Kind.MEASURE or determined
    if first in english().sizes:
        return determined and _is_noun(after[1:])
    if last in english().single:
        return _is_noun(after)
    if kind is Kind.MEASURE:
        # "At zero degrees Celsius water freezes": a temperature describes with an article only.
        return _is_noun(after) and not noun.startswith("degree")
    described_thing = kind is Kind.MONEY or noun in english().units | english().pieces
    if last in english().determiners:
        if kind is Kind.MONEY and first in english().bounds:
            return True
        if kind is Kind.MONEY or noun in english().units:
            return _is_noun(after)
        return (_is_head(after) and not _is_verb(after)) or (
            described_thing and _is_noun(after) and first not in english().actions and _is_head(after[1:])
        )
    if last in english().more:
        return described_thing and _is_head(after)
    if len(before) > 1 and _is_adjective(last) and described_thing:
        if before[-2] in _ARTICLES:
            return _is_noun(after)
        return _is_head(after) and not _is_verb(after)
    if kind is Kind.MONEY:
        return _singular(first) in english().instruments
    return noun in english().units and last not in english().timing and _is_head(after)


def _shared_after(after: tuple[str, ...], kind: Kind, noun: str) -> tuple[str, ...]:
    """What follows the last of joined variables: "a {a:count day} or {b:count day} pass"."""
    own = tuple(noun.lower().split())
    while len(after) > 1 and after[0] in _JOINS and after[1] == f"{{{kind}}}":
        after = after[2:]
        if own and after[: len(own)] == own:
            after = after[len(own) :]
    return after


def _is_noun(after: tuple[str, ...]) -> bool:
    """Whether a noun, with or without adjectives, seems to follow."""
    first = after[0] if after else ""
    if not first[:1].isalpha():
        return False
    if first in english().maybe or first.endswith("ed"):
        return _is_head(after[1:])
    return first not in english().no_nouns and (first in english().ly_nouns or not first.endswith("ly"))


def _is_head(after: tuple[str, ...]) -> bool:
    if after and after[0] in english().maybe:
        after = after[1:]
    return bool(after) and _singular(after[0]) in english().heads


def _is_verb(after: tuple[str, ...]) -> bool:
    return (
        after[0] in english().actions
        and len(after) > 1
        and after[1][:1].isalpha()
        and after[1] not in english().auxiliaries
    )


def _is_adjective(word: str) -> bool:
    return word in english().adjectives or word.endswith(_ADJECTIVE_ENDINGS)


def _singular(word: str) -> str:
    if word in english().heads:
        return word
    return next((word.removesuffix(end) for end in ("es", "s") if word.removesuffix(end) in english().heads), word)
