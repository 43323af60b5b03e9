"""A sentence with typed variables -> literal spans and variables. Knows no grammar and no values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from prompts.reading.cases import Case
from prompts.reading.errors import TemplateError, shown
from prompts.reading.wordfiles import load

LANGUAGE_CODES = ("ru", "uk", "en")
#: After a vowel: it is stressed.
STRESS = "\u0301"
LONGEST_TEXT = 20_000
LONGEST_WORD = 60


class Kind(StrEnum):
    MONEY = "money"
    NUMBER = "number"
    PERCENT = "percent"
    COUNT = "count"
    ORDINAL = "ordinal"
    DATE = "date"
    WEEKDAY = "weekday"
    TIME = "time"
    MEASURE = "measure"
    PHONE = "phone"
    DIGITS = "digits"
    ADDRESS = "address"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    kind: Kind
    #: What follows the type: a noun phrase, a currency, "year", a group size; "" when nothing does.
    argument: str = ""
    #: The author's own choice of case; None leaves it to the sentence.
    case: Case | None = None


Piece = Literal | Variable

_BRACE = re.compile(r"\{\{|\}\}|[{}]")
#: Halves of letters that some files hold for whole ones; no voice and no terminal takes them.
_HALF = re.compile(r"[\ud800-\udfff]")
_NAME = re.compile(r"[^\W\d]\w*\Z")


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Piece, ...]:
    """The pieces of a sentence in order, no two literals side by side; `{{` and `}}` are braces as such.

    Raises TemplateError with the variable at fault.
    """
    if len(text) > LONGEST_TEXT:
        raise TemplateError(f"The text has {len(text)} characters.", f"Keep a text below {LONGEST_TEXT} characters.")
    if found := _HALF.search(text):
        raise TemplateError(
            f"The text has half a letter after {shown(text[max(0, found.start() - 20) : found.start()])}.",
            "Write the letter again.",
        )
    pieces: list[Piece] = []
    literal: list[str] = []
    at = 0
    while found := _BRACE.search(text, at):
        literal.append(text[at : found.start()])
        at = found.end()
        brace = found.group()
        if brace in ("{{", "}}"):
            literal.append(brace[0])
            continue
        if brace == "}":
            raise TemplateError(
                f"A }} closes nothing, after {shown(text[max(0, found.start() - 20) : found.start()])}.",
                "Remove it, or write }} twice for a brace as such.",
            )
        end = text.find("}", at)
        if end < 0 or "{" in text[at:end]:
            raise TemplateError(
                f"The brace before {shown(text[at : at + 20])} is not closed.", "Close the variable with }."
            )
        if said := "".join(literal):
            pieces.append(Literal(said))
        literal = []
        pieces.append(_variable(text[at:end]))
        at = end + 1
    literal.append(text[at:])
    if said := "".join(literal):
        pieces.append(Literal(said))
    return tuple(pieces)


def variables(text: str) -> tuple[Variable, ...]:
    """The variables of a sentence in order, a repeated one as often as it stands there.

    Raises TemplateError when the sentence is malformed.
    """
    return tuple(piece for piece in parse(text) if isinstance(piece, Variable))


def _variable(inside: str) -> Variable:
    where = "{" + (inside if len(inside) <= LONGEST_WORD else inside[: LONGEST_WORD - 1] + "…") + "}"
    name, colon, rest = inside.partition(":")
    name = name.strip()
    if not _NAME.match(name):
        raise TemplateError(
            f"{shown(name)} is not a variable's name.",
            "Name it with letters, digits and _, such as {price:money}.",
            where,
        )
    words = rest.split()
    if not colon or not words:
        raise TemplateError(f"{name} has no type.", f"Write one of {', '.join(Kind)} after a colon.", where)
    try:
        kind = Kind(words[0])
    except ValueError:
        raise TemplateError(f"There is no type {shown(words[0])}.", f"Use one of {', '.join(Kind)}.", where) from None
    argument, case = _split_case(words[1:], where)
    _check_argument(kind, argument, where)
    if kind is Kind.MONEY:
        argument = argument.upper()
    return Variable(name, kind, argument, case)


def _split_case(words: list[str], where: str) -> tuple[str, Case | None]:
    case: Case | None = None
    rest = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            rest.append(word)
            continue
        offered = [each for each in Case if each is not Case.DIST]
        if key != "case":
            raise TemplateError(f"There is no option {shown(key)}.", "The only option is case=.", where)
        if value not in offered:
            raise TemplateError(f"There is no case {shown(value)}.", f"Use one of {', '.join(offered)}.", where)
        case = Case(value)
    return " ".join(rest), case


def _check_argument(kind: Kind, argument: str, where: str) -> None:
    match kind:
        case Kind.MONEY:
            if argument and argument.upper() not in (known := load("currencies.yaml")):
                raise TemplateError(
                    f"{shown(argument)} is not a known currency.", f"Use one of {', '.join(known)}.", where
                )
        case Kind.COUNT:
            if not argument:
                raise TemplateError("count has no noun.", "Name what is counted: {n:count shop}.", where)
            _check_words(argument, where)
        case Kind.ORDINAL:
            _check_words(argument, where)
        case Kind.DATE:
            if argument not in ("", "year", "day"):
                raise TemplateError(f"date takes no {shown(argument)}.", "Write date, date year or date day.", where)
        case Kind.DIGITS:
            if argument and argument not in tuple("123456"):
                raise TemplateError(
                    f"{shown(argument)} is not a size of groups.", "Write a size from 1 to 6: {card:digits 2}.", where
                )
        case _:
            if argument:
                raise TemplateError(f"{kind} takes no {shown(argument)}.", "Remove it.", where)


def _check_words(argument: str, where: str) -> None:
    if any(len(word) > LONGEST_WORD for word in argument.split()):
        raise TemplateError(f"{shown(argument)} has a word of over {LONGEST_WORD} letters.", "Write a noun.", where)
    if any(not (char.isalpha() or char in " -'’ʼ") for char in argument):
        raise TemplateError(f"{shown(argument)} is not a noun phrase.", "Write it in letters, in the singular.", where)
