"""Where the forms of a lemma are stressed, by the letters that Zaliznyak's dictionary gives to its paradigm.

    noun   a  on the stem              ку́хня
           b  on the ending            звоно́к, звонка́
           c  plural on the ending     го́род, города́
           d  plural on the stem       число́, чи́сла
           e  oblique plural on the ending            но́вость, новосте́й
           f  all on the ending but the plural's nominative   сковорода́, ско́вороды
           d' and f' as d and f, with the accusative singular on the stem   среда́, сре́ду
    verb   a  on the stem   b  on the ending   c  moving: получу́, полу́чите, but получи́те!
    adjective   a  on the stem   b  on the ending

Where the stem is stressed in forms whose lemma is not, it is on its last vowel, or as the entry says: сто́рон-. Forms
that don't follow their class are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

from prompts.reading.nouns import parses
from prompts.stress.signs import MARK, VOWELS, plain

CLASSES = ("a", "b", "c", "d", "e", "f", "d'", "f'")
_FINITE = "VERB"
_IMPERATIVE_ENDINGS = ("и", "ите", "ись", "итесь", "іть", "іться", "ися")
_UNLIKE_THE_PRESENT = frozenset({"past", "impr", "infn", "Impe"})
#: Everything but the nominative.
_OBLIQUE = frozenset({"gent", "datv", "ablt", "loct", "gen2", "loc2"})


@dataclass(frozen=True)
class Lemma:
    """One entry of a word file."""

    #: In lower case, without its mark.
    word: str
    #: Index of its stressed vowel.
    at: int
    #: One of CLASSES; "" when only the listed forms are known.
    letter: str
    #: Forms that don't follow the letter -> indexes of their stressed vowels.
    forms: Mapping[str, int]
    #: The same in forms that are stressed on the stem though the lemma is not; None: its last vowel.
    stem: int | None
    #: Its place in the file.
    order: int

    def stress(self, language: str, form: str, parse: Any) -> int | None:
        """Index of the stressed vowel of that form, or None when it isn't known."""
        if form in self.forms:
            return self.forms[form]
        if form == self.word:
            return self.at
        if not self.letter:
            return None
        pos = parse.tag.POS
        if pos == "NOUN":
            return self._noun(language, form, parse)
        if pos in ("ADJF", "NUMR", "NPRO"):
            return self._ending(language, form, parse, pos) if self.letter == "b" else self._stem(form)
        if pos in ("VERB", "INFN", "PRTF", "PRTS", "GRND"):
            return self._verb(language, form, parse)
        return None

    def _stem(self, form: str) -> int | None:
        """As in the lemma."""
        return self.at if form[: self.at + 1] == self.word[: self.at + 1] else None

    def _ending(self, language: str, form: str, parse: Any, pos: str) -> int | None:
        stem = _common(language, self.word, pos, parse)
        return next((at for at in range(stem, len(form)) if form[at] in VOWELS), _last_vowel(form))

    def _noun(self, language: str, form: str, parse: Any) -> int | None:
        grammemes = grammemes_of(parse)
        plural, letter = "plur" in grammemes, self.letter
        nominative = plural and not _OBLIQUE & grammemes
        if plural and "accs" in grammemes:
            nominative = any({"plur", "nomn"} <= grammemes_of(each) for each in parses(language, form))
        on_stem = {
            "a": True,
            "b": False,
            "c": not plural,
            "d": plural,
            "e": not plural or nominative,
            "f": nominative,
        }[letter[0]]
        if letter.endswith("'") and not plural and "accs" in grammemes:
            on_stem = True
        if not on_stem:
            return self._ending(language, form, parse, "NOUN")
        if letter[0] in "ace":
            return self._stem(form)
        if self.stem is not None:
            return self.stem
        return _last_vowel(form[: _common(language, self.word, "NOUN", parse)])

    def _verb(self, language: str, form: str, parse: Any) -> int | None:
        grammemes = grammemes_of(parse)
        if self.letter == "a" or not grammemes.isdisjoint({"INFN", "infn", "GRND"}) or {"VERB", "past"} <= grammemes:
            return self._stem(form)
        stem = _common(language, self.word, "VERB", parse)
        moved = _last_vowel(form[:stem])
        ending = next((at for at in range(stem, len(form)) if form[at] in VOWELS), None)
        if "impr" in grammemes and "incl" not in grammemes:
            return ending if form.endswith(_IMPERATIVE_ENDINGS) else moved
        if "VERB" in grammemes and "Impe" not in grammemes:
            return moved if self.letter == "c" and not {"sing", "1per"} <= grammemes else ending
        return moved if self.letter == "c" and "ен" in form[stem:] else None


def grammemes_of(parse: Any) -> frozenset[str]:
    """What a reading of the dictionary says, also that which its language's tags don't know."""
    return frozenset(str(parse.tag).replace(" ", ",").split(","))


def _last_vowel(form: str) -> int | None:
    return next((at for at in reversed(range(len(form))) if form[at] in VOWELS), None)


@lru_cache(maxsize=4096)
def _common(language: str, word: str, pos: str, parse: Any) -> int:
    """How many letters all forms of the paradigm begin with; of a verb, those of present and future."""
    forms = [
        each.word
        for each in parse.lexeme
        if pos == each.tag.POS and not (pos == _FINITE and _UNLIKE_THE_PRESENT & grammemes_of(each))
    ]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*(forms or [word]), strict=False))
    return sum(1 for _ in same)


def stressed(word: str) -> tuple[str, int] | None:
    """A marked word -> the word in lower case, and the index of its stressed vowel; None when it has no one mark."""
    word = word.lower()
    if word.count(MARK) == 1:
        at = word.index(MARK) - 1
    elif "ё" in word and MARK not in word:
        at = word.index("ё")
    else:
        return None
    return (plain(word), at) if at >= 0 and word[at] in VOWELS else None
