"""The files of stress, `ru.yaml` and `uk.yaml` -> lemmas and phrases, each fault with its line. Reads files.

words:
  звоно́к: b
  сторона́: f' сто́рон-
  нача́ть: на́чал начала́
phrases:
  - (два|три|четыре) часа́
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from prompts.reading.wordfiles import Table, load
from prompts.stress.context import Neighbours
from prompts.stress.paradigm import CLASSES, Lemma, stressed
from prompts.stress.signs import MARK

#: In a phrase: any number in words.
NUMBER = "#"


@dataclass(frozen=True)
class Phrase:
    """Words side by side, one of them stressed as marked."""

    #: Which words may stand at each place; none: any word.
    words: tuple[frozenset[str], ...]
    #: Which of them is stressed, and the index of its vowel.
    place: int
    at: int


@dataclass(frozen=True, eq=False)
class Words:
    #: By lemma in lower case with е for ё.
    lemmas: dict[str, list[Lemma]] = field(default_factory=dict)
    #: By the word that they stress, the longest first.
    phrases: dict[str, list[Phrase]] = field(default_factory=dict)
    neighbours: Neighbours = field(default_factory=Neighbours)


def folder() -> Path:
    return Path(str(files("prompts.stress")))


@lru_cache(maxsize=4)
def load_words(language: str) -> Words:
    """What is known of that language's words; nothing when there is no file. Raises WordsError."""
    path = folder() / f"{language}.yaml"
    if not path.exists():
        return Words()
    table = load(str(path)).known("neighbours", "words", "phrases")
    found = Words(neighbours=_neighbours(table.table("neighbours")))
    for order, (key, _) in enumerate(table.table("words").items()):
        lemma = _lemma(table.table("words"), key, order)
        found.lemmas.setdefault(lemma.word.replace("ё", "е"), []).append(lemma)
    for text in table.texts("phrases"):
        for word, phrase in _phrases(table, text):
            found.phrases.setdefault(word, []).append(phrase)
    for phrases in found.phrases.values():
        phrases.sort(key=lambda phrase: -len(phrase.words))
    return found


def _neighbours(table: Table) -> Neighbours:
    table.known("prepositions", "few", "clause", "joining", "denying")
    prepositions: dict[str, frozenset[str]] = {}
    cases = table.table("prepositions")
    for governed in cases:
        prepositions |= dict.fromkeys(cases.texts(governed), frozenset(governed.split()))
    return Neighbours(
        prepositions=prepositions,
        few=frozenset(table.texts("few")),
        clause=frozenset(table.texts("clause")),
        joining=frozenset(table.texts("joining")),
        denying=frozenset(table.texts("denying")),
    )


def _lemma(table: Table, key: str, order: int) -> Lemma:
    head = stressed(key)
    if head is None:
        raise table.fault(key, f"{key} has no mark of stress, or two.", "Write U+0301 after the stressed vowel.")
    letter, stem, forms = "", None, {}
    for each in table.text(key).split():
        if each.endswith("-") and (part := stressed(each[:-1])) is not None:
            stem = part[1]
        elif (form := stressed(each)) is not None:
            forms[form[0]] = form[1]
        elif each in CLASSES and not letter:
            letter = each
        else:
            mend = f"Write one of {' '.join(CLASSES)}, and forms with their stress marked."
            raise table.fault(key, f"{each} is no class of stress and no form with one.", mend)
    return Lemma(head[0], head[1], letter, forms, stem, order)


def _phrases(table: Table, text: str) -> list[tuple[str, Phrase]]:
    """One for each word that the phrase marks."""
    places = [each.strip("()").split("|") for each in text.split()]
    allowed = tuple(frozenset(re.sub(MARK, "", word).lower() for word in each if word != "*") for each in places)
    found = []
    for place, choices in enumerate(places):
        for choice in choices:
            if MARK in choice and (marked := stressed(choice)) is not None:
                found.append((marked[0], Phrase(allowed, place, marked[1])))
    if not found:
        raise table.fault("phrases", f"Nothing is marked in: {text}", "Write U+0301 after the stressed vowel.")
    return found
