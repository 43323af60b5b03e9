"""Cut a sentence with variables into the fewest fragments that still sound like one sentence. Pure.

A fragment has one variable at most (a range of times or dates counts as one), so a campaign needs as many fragments as
there are different names, prices and dates, not as many as there are combinations of them. Cuts are made where a
speaker pauses: between sentences, at a comma or a dash; between two variables without a pause, before a preposition.
Words that lead to a variable stay with it, for the synthesiser to join them.

    Здравствуйте, {name:name}!  |  Телевизор Сони дешевле на {discount:percent}  |  до {until:date}.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from prompts.reading.template import Kind, Literal, Piece, Variable, parse

_SENTENCE_END = re.compile(r"(?<=[.!?…])[»”\")]*\s+")
_PAUSE = re.compile(r"(?<=[,;:])\s+|\s+[—–]\s+")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’ʼ][^\W\d_]+)*")
_VOWEL = re.compile(r"[аеёиоуыэюяіїєaeiouy]", re.IGNORECASE)
#: Silence that a speaker makes after a mark.
_PAUSES_MS = {".": 350, "!": 350, "?": 350, "…": 400, ",": 150, ";": 250, ":": 250}
#: Static words this long beside a variable are worth a fragment of their own, made once, when a pause allows it.
_LONG = 40
_RANGES = frozenset({Kind.TIME, Kind.DATE, Kind.WEEKDAY})
#: Words that begin a phrase: a cut before them is the least heard.
_LEADING = {
    language: frozenset(words.split())
    for language, words in {
        "ru": "а без в во вместо для до за и из или к ко между на над но о об около от перед по под при про с со у",
        "uk": "а або без в від для до з за замість зі із й і к між на над о об під після по при про та у",
        "en": "a an and at before between but by for from in instead of on or over per since than till to until with",
    }.items()
}

#: Words that end the phrase of the variable before them.
_TRAILING = frozenset({"включительно", "включно", "inclusive"})

#: Index of a piece, and of a character in it when it is a literal.
_Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """One fragment of a template: from one place up to another, and the variables between."""

    start: _Place
    end: _Place
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What is spoken without a break, as a clip of its own."""

    language: str
    #: All words; the last mark tells the synthesiser how the voice goes.
    text: str
    #: Silence after it.
    pause_ms: int
    #: Key of the sentence whose recording may be played instead; None: it is only a part, or has a variable.
    key: str | None = None


@lru_cache(maxsize=4096)
def cuts(language: str, template: str) -> tuple[Cut, ...]:
    """Where `template` is cut. Raises TemplateError when it is malformed."""
    pieces = parse(template)
    if not any(isinstance(piece, Variable) for piece in pieces):
        return (Cut((0, 0), (len(pieces), 0), ()),) if pieces else ()
    borders: list[_Place] = [(0, 0)]
    for sentence_start, sentence_end in _sentences(pieces):
        borders += _inside(language, pieces, sentence_start, sentence_end)
        borders.append(sentence_end)
    found: list[Cut] = []
    for start, end in pairwise(borders):
        if start == end:
            continue
        within = pieces[start[0] : end[0] + 1 if end[1] else end[0]]
        names = tuple(piece.name for piece in within if isinstance(piece, Variable))
        if found and not names and not found[-1].variables:
            # Static sentences side by side are one clip.
            found[-1] = Cut(found[-1].start, end, ())
        else:
            found.append(Cut(start, end, names))
    return tuple(found)


def _sentences(pieces: Sequence[Piece]) -> list[tuple[_Place, _Place]]:
    found: list[tuple[_Place, _Place]] = []
    start: _Place = (0, 0)
    for at, piece in enumerate(pieces):
        if isinstance(piece, Literal):
            for end in _SENTENCE_END.finditer(piece.text):
                place = (at, end.end()) if end.end() < len(piece.text) else (at + 1, 0)
                found.append((start, place))
                start = place
    if start != (len(pieces), 0):
        found.append((start, (len(pieces), 0)))
    return found


def spoken_sentences(text: str) -> list[tuple[str, int]]:
    """The sentences of a fragment's words, each with the milliseconds of silence that a speaker makes after it.

    A full stop after two letters, or after letters without a vowel, is that of an abbreviation.
    """
    found: list[tuple[str, int]] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        sentence = text[start : end.start()].rstrip("»”\"')")
        words = _WORD.findall(sentence)
        short = bool(words) and (len(words[-1]) <= 2 or not _VOWEL.search(words[-1]))
        if any(character.isalnum() for character in text[end.end() :]) and not (sentence.endswith(".") and short):
            found.append((text[start : end.end()].strip(), _PAUSES_MS[sentence[-1]]))
            start = end.end()
    return [*found, (text[start:], 0)]


def _inside(language: str, pieces: Sequence[Piece], start: _Place, end: _Place) -> list[_Place]:
    """Where one sentence is cut."""
    last = end[0] if end[1] else end[0] - 1
    variables = [at for at in range(start[0], last + 1) if isinstance(pieces[at], Variable)]
    if not variables:
        return []
    found: list[_Place] = []
    first = variables[0]
    if first > start[0]:
        before = _text(pieces[first - 1])
        offset = start[1] if first - 1 == start[0] else 0
        pauses = [pause.end() for pause in _PAUSE.finditer(before, offset)]
        if pauses and pauses[-1] - offset >= _LONG:
            found.append((first - 1, pauses[-1]))
    joined = False
    for one, two in pairwise(variables):
        # No more than two together, or there would be as many fragments as combinations.
        joined = not joined and _is_range(pieces, one, two)
        if not joined:
            found.append((two, 0) if two == one + 1 else _between(language, one + 1, _text(pieces[one + 1])))
    if last > variables[-1]:
        after = _text(pieces[variables[-1] + 1])
        limit = end[1] if end[0] == variables[-1] + 1 else len(after)
        pause = _PAUSE.search(after, _trailing(after), limit)
        if pause and limit - pause.end() >= _LONG:
            found.append((variables[-1] + 1, pause.end()))
    return found


def _trailing(text: str) -> int:
    """Where the words end that belong to the variable before: ", включительно"."""
    word = _WORD.search(text)
    return word.end() if word and word[0].lower() in _TRAILING else 0


def _between(language: str, at: int, text: str) -> _Place:
    """The best cut in the literal between two variables: a pause, a word that begins a phrase, or its beginning."""
    begin = _trailing(text)
    if pauses := [(pause[0].strip() != "", pause.end()) for pause in _PAUSE.finditer(text, begin)]:
        # A comma before a dash: what a dash joins is one phrase ("washing machines - by 15 %").
        end = min(pauses)[1]
        return (at, end) if end < len(text) else (at + 1, 0)
    words = list(_WORD.finditer(text, begin))
    # A preposition right before the variable is of the word before it ("cheaper | by"), so they stay together.
    leading = (word.start() for word in words[:-1] if word[0].lower() in _LEADING[language])
    return (at, next(leading, begin))


def _is_range(pieces: Sequence[Piece], one: int, two: int) -> bool:
    """Such as "с {opens:time} до {closes:time}": said in one breath, and there are few of them."""
    first, second = pieces[one], pieces[two]
    between = _text(pieces[one + 1]) if two == one + 2 else ""
    return (
        isinstance(first, Variable)
        and isinstance(second, Variable)
        and first.kind is second.kind
        and first.kind in _RANGES
        and between.strip().isalpha()
    )


def _text(piece: Piece) -> str:
    return piece.text if isinstance(piece, Literal) else ""


def assembled(cut: Cut, parts: Sequence[str], *, last: bool) -> tuple[str, int]:
    """The words of one fragment and the milliseconds of silence after it; no words when it has none.

    `parts` is the reading of each piece of the template. The reading of a literal may differ from it only in the
    preposition at its end, never before a cut.
    """
    text = ""
    for at in range(cut.start[0], cut.end[0] + 1):
        if at < len(parts):
            begin = cut.start[1] if at == cut.start[0] else 0
            text += parts[at][begin : cut.end[1]] if at == cut.end[0] else parts[at][begin:]
    text = " ".join(text.split())
    if not any(letter.isalnum() for letter in text):
        return "", 0
    if last:
        return text, _PAUSES_MS.get(text.rstrip("»”\"')")[-1], 200)
    if text[-1] in "—–":
        return text.rstrip(" —–") + ",", 200
    if (mark := text.rstrip("»”\"')")[-1]) in _PAUSES_MS:
        return text, _PAUSES_MS[mark]
    # The voice must not fall in the middle of a sentence.
    return text + ",", 20
