"""A text -> the text with its words' stress marked, and the words whose stress can't be told for certain. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from prompts.reading.nouns import parses
from prompts.stress.context import Reading, is_number, narrowed
from prompts.stress.paradigm import grammemes_of
from prompts.stress.signs import MARK, VOWELS, marked, plain
from prompts.stress.words import NUMBER, Phrase, Words, load_words

#: Of a word that the file doesn't have.
_LAST = 1_000_000
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|{MARK}|['’ʼ](?=[^\W\d_]))*")


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A word that sounds one way or another, and its surroundings don't tell which."""

    word: str
    #: As it is said, marked, and as it may have been meant.
    said: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Stress:
    """The stress of one language."""

    language: str
    words: Words = field(default_factory=Words)

    def marked(self, text: str) -> str:
        """`text` with U+0301 in every word that is known; a word with the author's own mark stays as it is."""
        return self._done(text)[0]

    def doubts(self, text: str) -> tuple[Doubt, ...]:
        """The words of `text` that were marked by the likelier of two readings, or that nobody knows."""
        return self._done(text)[1]

    def _done(self, text: str) -> tuple[str, tuple[Doubt, ...]]:
        tokens = list(_WORD.finditer(text))
        if not self.words.lemmas or not tokens:
            return text, ()
        written = [each[0] for each in tokens]
        lower = [word.lower().replace("’", "'").replace("ʼ", "'") for word in written]
        between = [text[one.end() : two.start()] for one, two in pairwise(tokens)]
        said, doubts, last = [], [], 0
        for index, token in enumerate(tokens):
            said.append(text[last : token.start()])
            last = token.end()
            word = token[0]
            if MARK not in word and "ё" not in lower[index] and sum(each in VOWELS for each in lower[index]) > 1:
                at, others = self._stress(lower, between, index)
                if at is not None:
                    word = marked(word, at)
                    if others:
                        meant = tuple(marked(token[0], other) for other in others)
                        doubts.append(Doubt(word=token[0], said=word, others=meant))
                elif self._unknown(word):
                    doubts.append(Doubt(word=word, said=word, others=()))
            said.append(word)
        return "".join([*said, text[last:]]), tuple(doubts)

    def _unknown(self, word: str) -> bool:
        """No dictionary has it, so that the voice guesses."""
        return word.islower() and not parses(self.language, word)[0].is_known

    def _stress(self, words: Sequence[str], between: Sequence[str], index: int) -> tuple[int | None, tuple[int, ...]]:
        """Index of the stressed vowel, and of those that may have been meant instead; None: the voice knows best."""
        word = words[index]
        for phrase in self.words.phrases.get(word, ()):
            if _holds(self.language, phrase, words, between, index):
                return phrase.at, ()
        readings = _readings(self.language, word, self.words)
        if not readings:
            return None, ()
        if len({each.at for each in readings}) == 1:
            return readings[0].at, ()
        left = narrowed(self.language, self.words.neighbours, readings, words, between, index)
        stresses = list(dict.fromkeys(each.at for each in left))
        return stresses[0], tuple(at for at in stresses[1:] if at is not None)


def _holds(language: str, phrase: Phrase, words: Sequence[str], between: Sequence[str], index: int) -> bool:
    start = index - phrase.place
    if start < 0 or start + len(phrase.words) > len(words):
        return False
    here = range(start, start + len(phrase.words))
    if any(between[at].strip() for at in here[:-1]):
        return False
    return all(
        not allowed or plain(words[at]) in allowed or (NUMBER in allowed and is_number(language, plain(words[at])))
        for at, allowed in zip(here, phrase.words, strict=True)
    )


@lru_cache(maxsize=50_000)
def _readings(language: str, word: str, words: Words) -> tuple[Reading, ...]:
    """What the word may be, the likeliest first; nothing when none of it is in the file."""
    found = []
    for parse in parses(language, word):
        grammemes = grammemes_of(parse)
        if language == "uk" and {"infn"} <= grammemes and not word.endswith(("ти", "тися")):
            continue  # "зміниться" as an infinitive is no standard Ukrainian.
        lemmas = words.lemmas.get(str(parse.normal_form).replace("ё", "е"), ())
        if not lemmas and parse.is_known:
            found.append(Reading(at=None, parse=parse, order=_LAST))
        for lemma in lemmas:
            at = lemma.stress(language, word, parse)
            if at is not None:
                found.append(Reading(at=at, parse=parse, order=lemma.order))
    if all(each.at is None for each in found):
        for lemma in words.lemmas.get(word.replace("ё", "е"), ()):
            found.append(Reading(at=lemma.at, parse=None, order=lemma.order))
    if all(each.at is None for each in found):
        return ()
    return tuple(sorted(found, key=lambda each: each.order))


@lru_cache(maxsize=4)
def load_stress(language: str) -> Stress:
    """The stress of that language; of one without a file, no word is marked. Raises WordsError."""
    return Stress(language, load_words(language))
