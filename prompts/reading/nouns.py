"""Noun phrases of Russian and Ukrainian -> any case and number, by the pymorphy3 dictionaries."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pymorphy3

from prompts.reading.cases import CASE_OF_TAG, TABLE_ORDER, TAGS, Case, Gender
from prompts.reading.lexicon import lexicon
from prompts.reading.numerals import Forms

_LONGEST_WORD = 100
_ADJECTIVES = ("ADJF", "PRTF")
#: Namesakes of everyday adjectives: "большая" is of "большой", not of "больший".
_RARE_ADJECTIVES = frozenset({"больший", "меньший"})


@lru_cache(maxsize=2)
def analyzer(language: str) -> Any:
    """The dictionary of "ru" or "uk"; loading takes about a second."""
    return pymorphy3.MorphAnalyzer(lang=language)


@lru_cache(maxsize=20_000)
def parses(language: str, word: str) -> tuple[Any, ...]:
    """The dictionary's readings of a word, likeliest first; of a very long one, those of its end."""
    # The dictionary takes prefixes off one by one, each a call deeper, and asks for the name of every letter.
    known = "".join(char if unicodedata.name(char, "") else "?" for char in word[-_LONGEST_WORD:])
    return tuple(analyzer(language).parse(known.replace("’", "'").replace("ʼ", "'")))


def marked(parse: Any, grammeme: str) -> bool:
    """Whether the reading carries the grammeme, also one that this language's dictionary doesn't know."""
    return grammeme in str(parse.tag)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun with its adjectives and what follows it, ready in every form."""

    #: The head noun in the singular, lower case.
    lemma: str
    gender: Gender
    animate: bool
    #: It has no singular: scissors, a day and night.
    plural_only: bool
    #: The head itself declines as an adjective ("выходной").
    adjectival: bool
    noun: Forms
    #: Each adjective by gender ("" is the plural) in TABLE_ORDER.
    adjectives: tuple[dict[str, tuple[str, ...]], ...]
    #: Words after the head, which never change.
    tail: tuple[str, ...]

    def singular(self, case: Case) -> str:
        return self._said(self.gender, self.noun.singular, case)

    def plural(self, case: Case) -> str:
        return self._said("", self.noun.plural, case)

    def mixed(self, noun: str, adjective: tuple[str, Case]) -> str:
        """The head as given; adjectives in the gender and case given."""
        gender, case = adjective
        at = TABLE_ORDER.index(case)
        return " ".join([*(forms[gender][at] for forms in self.adjectives), noun, *self.tail])

    def _said(self, gender: str, forms: tuple[str, ...], case: Case) -> str:
        at = TABLE_ORDER.index(case)
        adjective = at
        if case is Case.ACC:
            # Feminine singulars have an accusative of their own; the rest copy the nominative or the genitive.
            if gender == Gender.FEMININE:
                return self.mixed(forms[at], (gender, Case.ACC))
            borrowed = Case.GEN if self.animate and gender != Gender.NEUTER else Case.NOM
            at = adjective = TABLE_ORDER.index(borrowed)
        return " ".join([*(each[gender][adjective] for each in self.adjectives), forms[at], *self.tail])


@lru_cache(maxsize=2048)
def phrase(language: str, words: str) -> Phrase:
    """The phrase, given in the nominative singular ("новый магазин", "карта лояльности")."""
    spoken = words.split()
    head = _head(language, spoken)
    adjectives = tuple(_adjective(language, word) for word in spoken[:head])
    word = spoken[head]
    tail = tuple(spoken[head + 1 :])
    lowered = word.lower().replace("’", "'").replace("ʼ", "'")
    known = lexicon(language)
    if own := known.irregular.get(lowered):
        forms = Forms(own.gender, own.singular, own.plural)
        return Phrase(lowered, own.gender, own.animate, False, False, forms, adjectives, tail)
    parse = _noun_parse(language, lowered)
    adjective = _adjective_parse(language, lowered)
    if adjective and (parse is None or not any(each.tag.number == "plur" for each in parse.lexeme)):
        # Also a noun that the dictionary declines in the singular alone: "дорослий".
        declined = _declined_adjective(language, adjective, lowered)
        gender = Gender(str(adjective.tag.gender or "masc"))
        forms = Forms(gender, declined[gender], declined[""])
        animate = parse is not None and marked(parse, "anim")
        return Phrase(lowered, gender, animate, False, True, forms, adjectives, tail)
    if parse is None:
        same = (word,) * 6
        return Phrase(
            lowered, Gender.MASCULINE, False, False, False, Forms(Gender.MASCULINE, same, same), adjectives, tail
        )
    if str(parse.tag.case or "nomn") != "nomn" or parse.tag.number == "plur":
        # The author wrote another form: "{n:count магазинов}".
        lowered = lowered if marked(parse, "Pltm") else parse.normal_form
        if lowered in known.irregular:
            return phrase(language, " ".join([*spoken[:head], lowered, *tail]))
    return _declined(language, lowered, parse, adjectives, tail)


def _declined(
    language: str, word: str, parse: Any, adjectives: tuple[dict[str, tuple[str, ...]], ...], tail: tuple[str, ...]
) -> Phrase:
    gender = Gender(str(parse.tag.gender)) if parse.tag.gender in ("masc", "femn", "neut") else Gender.MASCULINE
    animate = "anim" in str(parse.tag).replace("inan", "") and word not in lexicon(language).things
    by_form: dict[tuple[str, Case], list[str]] = {}
    for each in parse.lexeme:
        if each.tag.POS not in ("NOUN", None) or (marked(each, "Abbr") and not marked(parse, "Abbr")):
            continue
        case = CASE_OF_TAG.get(str(each.tag.case or "nomn"))
        if case is None or str(each.tag.case) in ("loc2", "gen2") or "V-oy" in str(each.tag) or "V-ey" in str(each.tag):
            continue
        number = "plur" if each.tag.number == "plur" else "sing"
        by_form.setdefault((number, case), []).append(each.word)
    singular = tuple(_best(language, by_form.get(("sing", case), []), case, gender) or word for case in TABLE_ORDER)
    plural = tuple(_best(language, by_form.get(("plur", case), []), case, gender) or word for case in TABLE_ORDER)
    if counted := lexicon(language).count_plurals.get(word):
        plural = (plural[0], counted, *plural[2:])
    plural_only = marked(parse, "Pltm") or not any(number == "sing" for number, _ in by_form)
    adjectival = singular[1].endswith(("ого", "его")) or word.endswith(("ая", "яя"))
    return Phrase(word, gender, animate, plural_only, adjectival, Forms(gender, singular, plural), adjectives, tail)


def _best(language: str, offered: list[str], case: Case, gender: Gender) -> str:
    """The everyday form of several that the dictionary gives."""
    if language == "uk" and len(offered) > 1 and case in (Case.DAT, Case.LOC):
        if case is Case.LOC and gender is Gender.NEUTER:
            # "На дереві" rather than "на дереву".
            offered = [form for form in offered if form.endswith("і")] or offered
        if any(form.endswith("ім") for form in offered):
            # "При знайомому" rather than "при знайомім".
            offered = [form for form in offered if form.endswith("ому")] or offered
        return next((form for form in offered if not form.endswith(("ові", "еві", "єві"))), offered[0])
    return offered[0] if offered else ""


def locative(language: str, given: Phrase) -> str:
    """The singular after "в" and "на": "в две тысячи шестом году", "в первом ряду"."""
    if form := lexicon(language).locatives.get(given.lemma):
        return given.mixed(form, (given.gender, Case.LOC))
    return given.singular(Case.LOC)


def _head(language: str, words: list[str]) -> int:
    """The index of the head: the first noun that no later noun has for its adjective."""
    for at, word in enumerate(words):
        lowered = word.lower()
        if lowered in lexicon(language).irregular:
            return at
        noun = _noun_parse(language, lowered)
        adjective = _adjective_parse(language, lowered)
        if adjective is None:
            if noun is not None or at == len(words) - 1 or not _is_cyrillic(word):
                return at
            continue
        if at == len(words) - 1:
            return at
        if not any(_noun_parse(language, other.lower(), strict=True) for other in words[at + 1 :]):
            return at
    return len(words) - 1


def _is_cyrillic(word: str) -> bool:
    return any("\u0400" <= char <= "\u04ff" for char in word)


def _noun_parse(language: str, word: str, *, strict: bool = False) -> Any:
    """The reading of the word as a noun in the nominative; any noun reading when it has none, unless strict."""
    if not _is_cyrillic(word):
        return None
    nouns = [each for each in parses(language, word) if each.tag.POS == "NOUN" and not marked(each, "Surn")]
    nouns = [each for each in nouns if not marked(each, "Abbr")] or nouns
    # What is counted is no first name: "роза", and an unknown word that looks like one, "вебинар".
    nouns = [each for each in nouns if not marked(each, "Name")] or nouns
    plain = word.replace("ё", "е")
    named = [
        each for each in nouns if str(each.tag.case or "nomn") == "nomn" and each.normal_form.replace("ё", "е") == plain
    ]
    if named:
        # The Ukrainian dictionary ranks nothing: a thing is likelier than its living namesake.
        # Tags of everyday words begin otherwise than those of names.
        return max(named, key=lambda each: (each.score, language == "uk" and _everyday(each, word)))
    return None if strict or not nouns else nouns[0]


def _everyday(parse: Any, word: str) -> int:
    tag = str(parse.tag)
    if word in lexicon("uk").people:
        return int(marked(parse, "anim"))
    return 2 if tag.startswith("NOUN,inan") else int(tag.startswith("NOUN,anim"))


def _adjective_parse(language: str, word: str) -> Any:
    """The reading of the word as a full adjective in the nominative, or None."""
    if not _is_cyrillic(word):
        return None
    for each in parses(language, word):
        if each.normal_form in _RARE_ADJECTIVES:
            continue
        if each.tag.POS in _ADJECTIVES and str(each.tag.case or "nomn") == "nomn" and each.tag.number != "plur":
            return each
    if language == "uk":
        # Its dictionary files "ваш", "цей" and their like under pronouns.
        for each in parses(language, word):
            if each.tag.POS == "NPRO" and str(each.tag.case or "nomn") == "nomn" and each.tag.gender:
                return each
    return None


def _adjective(language: str, word: str) -> dict[str, tuple[str, ...]]:
    lowered = word.lower()
    parse = _adjective_parse(language, lowered)
    if parse is None:
        same = (word,) * 6
        return {gender: same for gender in (*Gender, "")}
    return _declined_adjective(language, parse, lowered)


def _declined_adjective(language: str, parse: Any, word: str) -> dict[str, tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    for each in parse.lexeme:
        tag = each.tag
        if (
            tag.POS != parse.tag.POS
            or ("Supr" in str(tag)) != ("Supr" in str(parse.tag))
            or tag.voice != parse.tag.voice
        ):
            continue
        if tag.tense != parse.tag.tense:
            continue
        gender = "" if tag.number == "plur" else str(tag.gender or "masc")
        case = str(tag.case or "nomn")
        found.setdefault((gender, case), []).append(each.word)
    result: dict[str, tuple[str, ...]] = {}
    for gender in (*Gender, ""):
        forms = []
        for case in TABLE_ORDER:
            offered = found.get((gender, TAGS[case]), [word])
            if language == "uk" and case is Case.LOC and gender in (Gender.MASCULINE, Gender.NEUTER):
                offered = [form for form in offered if form.endswith("му")] or offered
            forms.append(offered[0])
        result[gender] = tuple(forms)
    return result
