"""Where a variable stands in its sentence: the words before and after it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prompts.reading.template import Kind, Literal, Piece, Variable

_TOKEN = re.compile(r"[^\W_]+(?:[-'’ʼ][^\W_]+)*|[^\w\s]|\n")
_END = frozenset(".!?;…\n")
JOINS = frozenset({"и", "или", "либо", "та", "й", "і", "або", "чи"})
_PAUSES = frozenset({",", "-", "–", "—"})
_CONTRAST = frozenset({"а", "но", "але"})
_INSTEAD = frozenset({"вместо", "замість"})
ALSO = frozenset({"и", "й", "і"})
_HYPHEN = re.compile(r"-[^\W\d_]")
_WIDTH = 400

#: Kinds said as a number with a noun: they may share one preposition.
QUANTITIES = frozenset({Kind.MONEY, Kind.NUMBER, Kind.PERCENT, Kind.COUNT, Kind.MEASURE})


@dataclass(frozen=True, slots=True)
class Place:
    #: Lower-case words and punctuation from the start of the sentence, the nearest last; a variable is "{kind}".
    before: tuple[str, ...]
    #: The same to the sentence's end, the nearest first.
    after: tuple[str, ...]
    #: It follows a weekday and a comma: "в субботу, первого декабря".
    explains_weekday: bool = False
    #: A hyphen joins it to the word after: "a {n:count day}-long offer".
    hyphened: bool = False
    #: The noun phrase that the sentence has counted last: "купите {n:count юбка}, а платите за {number}".
    counted: str = ""


def places(pieces: tuple[Piece, ...], parts_of_amount: frozenset[str] = frozenset()) -> tuple[Place | None, ...]:
    """The place of each piece; None for a literal. `parts_of_amount`: units that follow each other in one amount.

    "между {a} и {b}": the second of joined variables stands where the first does.
    """
    found: list[Place | None] = []
    before: list[str] = []
    last: tuple[Variable, Place] | None = None
    joined = False
    counted = ""
    for at, piece in enumerate(pieces):
        if isinstance(piece, Literal):
            found.append(None)
            # Only what is near can govern, so a long text costs no more than a short one.
            before += _tokens(piece.text[-_WIDTH:])
            for index in range(len(before) - 1, -1, -1):
                if before[index] in _END:
                    before = before[index + 1 :]
                    counted = ""
                    last, joined = None, False
                    break
            before = before[-60:]
            continue
        following = pieces[at + 1] if at + 1 < len(pieces) else None
        hyphened = isinstance(following, Literal) and _HYPHEN.match(following.text) is not None
        here = Place(tuple(before), _after(pieces, at), hyphened=hyphened, counted=counted)
        # "между {a} и {b} — {c}": the dash begins what is said of the two.
        said_of = joined and here.before[-1] in _PAUSES - {","}
        shared = None if last is None or said_of else _shared(last, piece, here, parts_of_amount)
        joined = shared is not None and here.before[-1] in JOINS
        here = shared or here
        found.append(here)
        before.append("{" + piece.kind + "}")
        counted = piece.argument if piece.kind is Kind.COUNT else counted
        last = (piece, here)
    return tuple(found)


def _shared(
    last: tuple[Variable, Place], piece: Variable, here: Place, parts_of_amount: frozenset[str]
) -> Place | None:
    earlier, place = last
    before = here.before
    if before and before[-1] == "{count}" and {earlier.argument, piece.argument} <= parts_of_amount:
        # "через {h:count час} {m:count минута}"
        return Place(place.before, here.after, place.explains_weekday)
    words = before[:-1] if before and before[-1] in ALSO else before
    contrasted = words[-1:] and words[-1] in _CONTRAST and words[-3:-1] == ("{" + piece.kind + "}", ",")
    if contrasted and "не" in place.before[-2:]:
        # "не {a:money}, а {b:money}"
        return Place(place.before, here.after, place.explains_weekday)
    if len(before) < 2 or not before[-2].startswith("{"):
        return None
    if before[-1] in JOINS:
        if earlier.kind is piece.kind or {earlier.kind, piece.kind} <= QUANTITIES:
            return Place(place.before, here.after, place.explains_weekday)
    elif before[-1] in _PAUSES and not (before[-1] != "," and _INSTEAD & set(place.before[-1:])):
        if before[-1] != "," and piece.kind is Kind.COUNT and earlier.argument not in ("", piece.argument):
            # "Вокруг двух столов — восемь стульев"
            return None
        if piece.kind is Kind.ORDINAL and earlier.argument not in ("", piece.argument):
            # "На втором этаже, третья дверь справа"
            return None
        if earlier.kind is piece.kind or (
            # "через {a:number}-{b:count день}"
            before[-1] != "," and earlier.kind is Kind.NUMBER and piece.kind in QUANTITIES
        ):
            return Place(place.before, here.after, place.explains_weekday)
        if {earlier.kind, piece.kind} == {Kind.WEEKDAY, Kind.DATE}:
            return Place(place.before, here.after, explains_weekday=piece.kind is Kind.DATE)
    return None


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower().replace("’", "'").replace("ʼ", "'"))


def _after(pieces: tuple[Piece, ...], at: int) -> tuple[str, ...]:
    following: list[str] = []
    for piece in pieces[at + 1 : at + 4]:
        if isinstance(piece, Variable):
            # What is counted there may be what is counted here: "на {a:ordinal} и {b:ordinal этаж}".
            following += ["{" + piece.kind + "}", *_tokens(piece.argument)]
            continue
        for token in _tokens(piece.text[:_WIDTH]):
            if token in _END:
                return tuple(following)
            following.append(token)
    return tuple(following)
