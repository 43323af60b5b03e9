"""A sentence and its values -> the words that a synthesiser speaks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from faults import AuthorError
from prompts.reading import values as written
from prompts.reading.english import EnglishReader
from prompts.reading.errors import ReadingError, TemplateError, UnforeseenError, shown
from prompts.reading.lexicon import lexicon
from prompts.reading.prepositions import fitted
from prompts.reading.sentence import Place, places
from prompts.reading.slavic_reader import SlavicReader
from prompts.reading.template import LANGUAGE_CODES, STRESS, Kind, Literal, Piece, Variable, parse

#: A house number that ends in a letter: "30А".
_LETTERED = re.compile(r"\d[\s-]?[^\W\d_]\s*\Z")
_WORD_AT_ONCE = re.compile(r"\s+[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a reading that was, as a whole, either written by the author or made from one value."""

    text: str
    #: The variable's name; None for a span of the author's own words.
    variable: str | None = None


class Reader(Protocol):
    def say(self, variable: Variable, value: str, place: Place) -> str: ...


@lru_cache(maxsize=len(LANGUAGE_CODES))
def _reader(language: str) -> Reader:
    return EnglishReader() if language == "en" else SlavicReader(language)


@lru_cache(maxsize=4096)
def _placed(language: str, text: str) -> tuple[tuple[Piece, Place | None], ...]:
    pieces = parse(text)
    # A word governs the same, however it is stressed.
    unmarked = tuple(
        Literal(piece.text.replace(STRESS, "")) if isinstance(piece, Literal) else piece for piece in pieces
    )
    amounts = frozenset() if language == "en" else lexicon(language).grammar.parts_of_amount
    return tuple(zip(pieces, places(unmarked, amounts), strict=True))


def read_parts(language: str, text: str, values: Mapping[str, str]) -> tuple[Part, ...]:
    """The reading of the sentence in its parts, in order; joined, their texts are what `read` gives.

    Raises TemplateError when the sentence is malformed or the language unknown, ReadingError when a value is
    missing or unreadable.
    """
    if language not in LANGUAGE_CODES:
        raise TemplateError(f"There is no language {shown(language)}.", f"Use one of {', '.join(LANGUAGE_CODES)}.")
    try:
        return _parts(language, text, values)
    except AuthorError:
        raise
    except Exception as error:
        # One sentence is lost, not the hotline that says it; checks tell of it as of any other fault of a text.
        raise UnforeseenError(language, text, error) from error


def _parts(language: str, text: str, values: Mapping[str, str]) -> tuple[Part, ...]:
    reader = _reader(language)
    parts: list[Part] = []
    for at, (piece, place) in enumerate(_placed(language, text)):
        if isinstance(piece, Literal):
            parts.append(Part(piece.text))
            continue
        if piece.name not in values:
            raise ReadingError(
                f"{piece.name} has no value.", "Give it one, or give the text a fallback sentence.", piece.name
            )
        value = values[piece.name]
        if not isinstance(value, str):
            raise ReadingError(f"{piece.name} is not a text.", "Give the value as text.", piece.name)
        assert place is not None  # noqa: S101 - every variable has a place
        try:
            said = reader.say(piece, written.given(value, piece.name), place)
        except ReadingError as error:
            fault = error.faults[0]
            if fault.where is not None:
                raise
            raise ReadingError(fault.what, fault.mend, piece.name) from error
        if language == "ru" and parts and parts[-1].variable is None:
            parts[-1] = Part(fitted(parts[-1].text, said))
        if piece.kind is Kind.ADDRESS and _LETTERED.search(value) and _goes_on(language, text, at):
            said += ","
        parts.append(Part(said, piece.name))
    return tuple(parts)


def _goes_on(language: str, text: str, at: int) -> bool:
    """Whether a word follows that piece without a mark."""
    following = _placed(language, text)[at + 1 :][:1]
    return bool(following) and isinstance(following[0][0], Literal) and bool(_WORD_AT_ONCE.match(following[0][0].text))


def read(language: str, text: str, values: Mapping[str, str]) -> str:
    """The sentence with every variable in words; raises as `read_parts` does."""
    return "".join(part.text for part in read_parts(language, text, values))


def read_parts_or_fallback(
    language: str, text: str, fallback: str | None, values: Mapping[str, str]
) -> tuple[Part, ...]:
    """The reading of the text, or of the fallback sentence when a variable is missing or unreadable.

    Raises the text's own ReadingError when there is no fallback, the fallback's when that can't be read either,
    and TemplateError when the sentence used is malformed.
    """
    try:
        return read_parts(language, text, values)
    except ReadingError:
        if fallback is None:
            raise
    return read_parts(language, fallback, values)


def read_or_fallback(language: str, text: str, fallback: str | None, values: Mapping[str, str]) -> str:
    """The same as one string."""
    return "".join(part.text for part in read_parts_or_fallback(language, text, fallback, values))
