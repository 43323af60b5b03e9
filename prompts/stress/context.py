"""Which readings of a word its neighbours leave: by a numeral, preposition, adjective, noun or pronoun. Pure.

Every step only takes readings away, and none is taken when nothing would be left. What is still two ways after the last
is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from prompts.reading.nouns import parses
from prompts.stress.paradigm import grammemes_of
from prompts.stress.signs import plain

_CASES = frozenset({"nomn", "gent", "datv", "accs", "ablt", "loct"})
#: "вашої" is a pronoun in the Ukrainian dictionary.
_ADJECTIVAL = frozenset({"ADJF", "PRTF", "Anum", "NPRO"})
_GENDERS = frozenset({"masc", "femn", "neut"})
_SAME = {"gen2": "gent", "loc2": "loct"}


@dataclass(frozen=True)
class Neighbours:
    """Words that tell of the word beside them: the section `neighbours` of a file."""

    #: Preposition -> cases after it, as pymorphy3 names them.
    prepositions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: Numerals with the genitive singular.
    few: frozenset[str] = frozenset()
    #: They begin a clause whose verb tells of something, and doesn't ask for it.
    clause: frozenset[str] = frozenset()
    #: They join two words of one case.
    joining: frozenset[str] = frozenset()
    #: After them a verb has a genitive.
    denying: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reading:
    #: Index of the stressed vowel; None: the voice knows it.
    at: int | None
    #: None: a word that has no forms.
    parse: Any
    #: Of its lemma in the file: the first is the likelier.
    order: int

    @property
    def grammemes(self) -> frozenset[str]:
        found = grammemes_of(self.parse) if self.parse is not None else frozenset[str]()
        return frozenset(_SAME.get(each, each) for each in found)


@dataclass(frozen=True)
class _Sentence:
    language: str
    neighbours: Neighbours
    words: Sequence[str]
    between: Sequence[str]

    def beside(self, index: int) -> int | None:
        """Index of the word before, when no mark parts the two."""
        return index - 1 if index and not self.between[index - 1].strip() else None

    def grammemes(self, index: int) -> list[frozenset[str]]:
        word = plain(self.words[index])
        return [frozenset(_SAME.get(one, one) for one in grammemes_of(each)) for each in parses(self.language, word)]


def narrowed(
    language: str,
    neighbours: Neighbours,
    readings: Sequence[Reading],
    words: Sequence[str],
    between: Sequence[str],
    index: int,
) -> list[Reading]:
    """The readings that are left; all of the likeliest stress come first."""
    sentence = _Sentence(language, neighbours, words, between)
    left = list(readings)
    for step in (_verb, _noun):
        left = step(sentence, left, index)
        if len({each.at for each in left}) == 1:
            break
    return left


def _kept(readings: list[Reading], fits: Callable[[frozenset[str]], bool]) -> list[Reading]:
    return [each for each in readings if fits(each.grammemes)] or readings


def _verb(sentence: _Sentence, readings: list[Reading], index: int) -> list[Reading]:
    """An imperative, unless the clause has "вы", or begins with a word such as "если"."""
    if not any("impr" in each.grammemes for each in readings):
        return readings
    at: int | None = index
    told = False
    while at is not None and not told:
        at = sentence.beside(at)
        told = at is not None and plain(sentence.words[at]) in sentence.neighbours.clause
    return _kept(readings, lambda grammemes: "VERB" not in grammemes or ("impr" in grammemes) != told)


def _noun(sentence: _Sentence, readings: list[Reading], index: int) -> list[Reading]:
    before = sentence.beside(index)
    adjectives = []
    while before is not None and _is_adjectival(sentence, before):
        adjectives.append(before)
        before = sentence.beside(before)
    for each in adjectives:
        readings = _agreeing(sentence, readings, each)
    if before is None:
        if index and not adjectives and sentence.between[index - 1].strip() == ",":
            return _coordinated(sentence, readings, index - 1)
        # What begins a sentence is its subject.
        return _kept(readings, lambda grammemes: "nomn" in grammemes or not _CASES & grammemes)
    word = plain(sentence.words[before])
    if word in sentence.neighbours.joining and (other := sentence.beside(before)) is not None:
        return _coordinated(sentence, readings, other)
    if word in sentence.neighbours.few:
        return _kept(readings, lambda grammemes: {"gent"} <= grammemes and "plur" not in grammemes)
    if (cases := sentence.neighbours.prepositions.get(word)) is not None:
        return _kept(readings, lambda grammemes: bool(cases & grammemes))
    if is_number(sentence.language, word):
        return _kept(readings, lambda grammemes: not ({"nomn", "accs"} & grammemes and "plur" in grammemes))
    grammemes = sentence.grammemes(before)
    if grammemes and {"VERB", "INFN", "GRND"} & grammemes[0]:
        other = sentence.beside(before)
        denied = other is not None and sentence.words[other] in sentence.neighbours.denying
        return readings if denied else _kept(readings, lambda each: not {"gent"} <= each)
    if grammemes and "NOUN" in grammemes[0]:
        return _kept(readings, lambda each: "gent" in each)
    return readings


def _is_adjectival(sentence: _Sentence, index: int) -> bool:
    found = sentence.grammemes(index)
    return bool(found) and bool(_ADJECTIVAL & found[0])


def _agreeing(sentence: _Sentence, readings: list[Reading], adjective: int) -> list[Reading]:
    forms = [each for each in sentence.grammemes(adjective) if _ADJECTIVAL & each]

    def fits(grammemes: frozenset[str]) -> bool:
        return any(
            _CASES & grammemes & form
            and ("plur" in grammemes) == ("plur" in form)
            and ("plur" in form or not _GENDERS & form or _GENDERS & form & grammemes)
            for form in forms
        )

    return _kept(readings, fits)


def _coordinated(sentence: _Sentence, readings: list[Reading], other: int) -> list[Reading]:
    """ "скидки и цены", "сыры, колбасы": in the case of the noun before."""
    word = plain(sentence.words[other])
    nouns = [
        Reading(at=None, parse=each, order=0)
        for each in parses(sentence.language, word)
        if "NOUN" in grammemes_of(each)
    ]
    if not nouns:
        return readings
    cases = frozenset[str]().union(*[_CASES & each.grammemes for each in _noun(sentence, nouns, other)])
    return _kept(readings, lambda grammemes: bool(cases & grammemes))


@lru_cache(maxsize=4096)
def is_number(language: str, word: str) -> bool:
    """A numeral in words: "пять", "двадцатого"."""
    return any({"NUMR", "Anum"} & grammemes_of(each) for each in parses(language, word))
