"""The case that a sentence asks of a variable: the rules that Russian and Ukrainian share.

The words that govern are in each language's own table; what a word governs may depend on the kind of variable,
on the noun counted, and on the rest of the clause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from prompts.reading.cases import CASE_OF_TAG, Case
from prompts.reading.listed import listed
from prompts.reading.nouns import parses
from prompts.reading.sentence import Place
from prompts.reading.template import Kind


class Role(Enum):
    """A preposition whose case depends on what follows it."""

    IN = "в"
    ON = "на"
    FOR = "за"
    WITH = "с"
    EACH = "по"
    UNDER = "под"
    AT = "у"


@dataclass(frozen=True, kw_only=True)
class Grammar:
    code: str
    #: Governing phrases of one to four words.
    fixed: Mapping[str, Case]
    roles: Mapping[str, Role]
    #: Adverbs that may stand between the governing word and the variable.
    transparent: frozenset[str]
    #: Nouns in the nominative whose count says how long, how far, how much, not where.
    units: frozenset[str]
    time_units: frozenset[str]
    #: Ordinals of these say when: "в первый день".
    days: frozenset[str]
    #: Places that one is on, not in; the second set for ordinals only.
    places_on: frozenset[str]
    ordinal_places_on: frozenset[str]
    #: Nouns that "по" spreads over: "по двадцати городам".
    spread: frozenset[str]
    #: Beginnings of words that mean a direction: "доставим в", "поднимитесь на".
    motion: tuple[str, ...]
    #: Beginnings of words that make "с" mean "from".
    source: tuple[str, ...]
    #: Beginnings of words right before "з" that make it mean "out of": "кожен з".
    partitive: tuple[str, ...]
    #: Beginnings of words that make "за" mean "after, to fetch".
    fetching: tuple[str, ...]
    #: Words after the variable that make "в" mean a distance: "в двух минутах ходьбы".
    distance: frozenset[str]
    #: Verbs and predicatives by dictionary form.
    verbs: Mapping[str, Case]
    #: Verbs that govern the accusative in the third person too, where the dictionary doesn't tell.
    objects: frozenset[str]
    #: Verbs that say what there is: their count is the subject.
    existential: frozenset[str]
    #: Verbs that an ordinal follows in the instrumental: "вы стали третьим".
    linking: frozenset[str]
    #: Nouns of an action or a belonging: "при покупке двух товаров".
    genitive_heads: frozenset[str]
    #: Those of them that an amount of money follows in the genitive: "возврат тысячи рублей".
    money_heads: frozenset[str]
    #: "Больше чем тысяча": with it the comparison governs no longer.
    than: frozenset[str]
    #: "Сегодня первое декабря".
    today: frozenset[str]
    #: Words right after the variable and the case they ask for: "назад".
    following: Mapping[str, Case]
    #: "from" in "с ... по ...".
    from_words: frozenset[str]
    to_words: frozenset[str]
    #: The case of a time of day after IN, and of what "по" spreads over.
    clock_in: Case
    along: Case
    negation: str
    you: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a case."""

    kind: Kind
    #: The noun counted, nominative singular; "" when there is none.
    noun: str = ""
    animate: bool = False


#: Its dictionary files them under pronouns.
_UKRAINIAN_DETERMINERS = frozenset(
    listed("ваш наш мій твій свій цей той весь ввесь увесь всі усі кожен кожний інший такий який жоден сам самий")
)
_BREAKS = frozenset(',:;—–-()«»"')


def case_of(grammar: Grammar, asked: Asked, place: Place) -> Case:
    """The case for the variable at that place."""
    before = _stripped(grammar, place.before)
    if place.explains_weekday and before and grammar.roles.get(before[-1]) in (Role.IN, Role.AT):
        return Case.GEN
    if (case := _governed(grammar, asked, before, place.after)) is not None:
        return case
    if asked.kind is Kind.DATE:
        return _bare_date(grammar, place)
    allowed, outer = _adjectives(grammar, asked, before)
    if allowed:
        outer = _stripped(grammar, outer)
        case = _governed(grammar, asked, outer, place.after) or _ungoverned(grammar, asked, outer, place.after)
        if case in allowed or (case is Case.DIST and Case.DAT not in allowed):
            return case
        return next(each for each in Case if each in allowed)
    return _ungoverned(grammar, asked, before, place.after)


def _stripped(grammar: Grammar, before: tuple[str, ...]) -> tuple[str, ...]:
    """The words before without the adverbs and comparisons that govern nothing: "не более чем"."""
    while before:
        if before[-1] in grammar.than and len(before) > 1:
            before = before[:-2]
            if before and before[-1] == grammar.negation:
                before = before[:-1]
        elif before[-1] in grammar.transparent:
            before = before[:-1]
        else:
            break
    return before


def governing_role(grammar: Grammar, place: Place) -> Role | None:
    """The preposition right before the variable, when it is one of several meanings."""
    return grammar.roles.get(place.before[-1]) if place.before else None


def _governed(grammar: Grammar, asked: Asked, before: tuple[str, ...], after: tuple[str, ...]) -> Case | None:
    """What a preposition, a comparative or a set phrase right before asks for."""
    for length in range(min(4, len(before)), 0, -1):
        if (case := grammar.fixed.get(" ".join(before[-length:]))) is not None:
            return case
    if not before:
        return None
    if (role := grammar.roles.get(before[-1])) is not None:
        return _by_role(grammar, asked, role, before[:-1], after)
    if before[-1] not in _BREAKS and any(each.tag.POS == "COMP" for each in parses(grammar.code, before[-1])):
        return Case.GEN
    return None


def _by_role(grammar: Grammar, asked: Asked, role: Role, before: tuple[str, ...], after: tuple[str, ...]) -> Case:
    kind = asked.kind
    clause = _clause(before)
    match role:
        case Role.IN | Role.ON:
            return _place_or_aim(grammar, asked, role, clause, after)
        case Role.FOR:
            if kind is Kind.COUNT and asked.noun not in grammar.units and _begins(clause, grammar.fetching):
                return Case.INS
            return Case.ACC
        case Role.WITH:
            if kind in (Kind.DATE, Kind.TIME, Kind.WEEKDAY, Kind.ORDINAL, Kind.ADDRESS):
                return Case.GEN
            ranged = bool(after) and any(word in grammar.to_words for word in after[:3])
            partitive = bool(before) and before[-1].startswith(grammar.partitive)
            return Case.GEN if ranged or partitive or _begins(clause, grammar.source) else Case.INS
        case Role.EACH:
            if kind in (Kind.DATE, Kind.TIME):
                return Case.ACC
            ranged = any(word in grammar.from_words for word in clause)
            if ranged:
                return Case.ACC
            if kind is Kind.ADDRESS or kind is Kind.ORDINAL or (kind is Kind.COUNT and asked.noun in grammar.spread):
                return grammar.along
            return Case.DIST
        case Role.UNDER:
            return Case.INS if kind in (Kind.COUNT, Kind.ORDINAL, Kind.ADDRESS) else Case.ACC
        case Role.AT:
            # Ukrainian "у": of a person "with", of a place "in".
            if asked.animate:
                return Case.GEN
            return _place_or_aim(grammar, asked, Role.IN, clause, after)


def _place_or_aim(grammar: Grammar, asked: Asked, role: Role, clause: tuple[str, ...], after: tuple[str, ...]) -> Case:
    kind = asked.kind
    moving = _begins(clause, grammar.motion)
    distant = bool(after) and after[0] in grammar.distance
    match kind:
        case Kind.TIME:
            return grammar.clock_in if role is Role.IN else Case.ACC
        case Kind.ADDRESS:
            return Case.ACC if moving else Case.LOC
        case Kind.MEASURE:
            return Case.LOC if role is Role.IN and distant else Case.ACC
        case Kind.ORDINAL:
            if asked.noun in grammar.days or moving:
                return Case.ACC
            if role is Role.ON and asked.noun not in grammar.places_on | grammar.ordinal_places_on:
                return Case.ACC
            return Case.LOC
        case Kind.COUNT:
            if asked.noun in grammar.units:
                return Case.LOC if role is Role.IN and distant else Case.ACC
            if moving or (role is Role.ON and asked.noun not in grammar.places_on):
                return Case.ACC
            return Case.LOC
        case _:
            return Case.ACC


def _bare_date(grammar: Grammar, place: Place) -> Case:
    """A date without a preposition means "when", unless it is what the sentence names: "Сегодня первое декабря"."""
    before = place.before
    if before and before[-1] in grammar.today:
        return Case.NOM
    if (
        before
        and before[-1] in _BREAKS
        and any(word in grammar.today for word in before[-6:] if word.startswith("дат"))
    ):
        return Case.NOM
    return Case.GEN


def _adjectives(grammar: Grammar, asked: Asked, before: tuple[str, ...]) -> tuple[frozenset[Case], tuple[str, ...]]:
    """The cases that the adjectives before the variable allow, and the words before them."""
    allowed: frozenset[Case] = frozenset()
    singular = asked.kind in (Kind.ORDINAL, Kind.WEEKDAY)
    while before and (cases := _adjective_cases(grammar, before[-1], singular)):
        allowed = cases if not allowed else (allowed & cases or allowed)
        before = before[:-1]
    return allowed, before


def _adjective_cases(grammar: Grammar, word: str, singular: bool) -> frozenset[Case]:
    if not word.replace("'", "").isalpha():
        return frozenset()
    code = grammar.code
    if any(each.normal_form in grammar.verbs for each in parses(code, word)):
        return frozenset()
    found = set()
    for each in parses(code, word):
        tag = each.tag
        described = tag.POS in ("ADJF", "PRTF") or (
            code == "uk" and tag.POS == "NPRO" and each.normal_form in _UKRAINIAN_DETERMINERS
        )
        if not described or "Fixd" in str(tag):
            if tag.POS == "NOUN" and each.score >= 0.5 and code == "ru":
                return frozenset()
            continue
        if (tag.number != "plur") == singular and (case := CASE_OF_TAG.get(str(tag.case or "nomn"))):
            found.add(case)
    return frozenset(found)


def _ungoverned(grammar: Grammar, asked: Asked, before: tuple[str, ...], after: tuple[str, ...]) -> Case:
    """What the clause asks for: the word after, the noun before, or the verb; the nominative when nothing does."""
    if asked.kind in (Kind.TIME, Kind.WEEKDAY, Kind.ADDRESS):
        return Case.NOM
    for length in (2, 1):
        if (case := grammar.following.get(" ".join(after[:length]))) is not None:
            return case
    if not before or before[-1] in _BREAKS:
        return Case.NOM
    if asked.kind is Kind.ORDINAL and any(
        each.normal_form in grammar.linking for each in parses(grammar.code, before[-1])
    ):
        return Case.INS
    if asked.kind in (Kind.COUNT, Kind.MONEY, Kind.ORDINAL, Kind.NUMBER) and asked.noun not in grammar.time_units:
        nouns = [each for each in parses(grammar.code, before[-1]) if each.tag.POS == "NOUN"]
        if nouns and asked.kind is Kind.ORDINAL and asked.noun:
            return Case.GEN
        heads = grammar.money_heads if asked.kind is Kind.MONEY else grammar.genitive_heads
        if (asked.noun or asked.kind is Kind.MONEY) and any(each.normal_form in heads for each in nouns):
            return Case.GEN
    return _by_verb(grammar, asked, _clause(before))


def _by_verb(grammar: Grammar, asked: Asked, clause: tuple[str, ...]) -> Case:
    for at in range(len(clause) - 1, -1, -1):
        word = clause[at]
        if not word[0].isalpha():
            continue
        negated = at > 0 and clause[at - 1] == grammar.negation
        read = parses(grammar.code, word)
        for each in read:
            if (case := grammar.verbs.get(each.normal_form)) is not None:
                return case
        verbs = [each for each in read if each.tag.POS in ("VERB", "INFN", "GRND", "PRTS", "ADJS", "PRED")]
        if not verbs or all(each.score < 0.2 for each in verbs) or _is_rather_noun(grammar, read):
            continue
        if any(
            each.normal_form in grammar.existential
            and each.tag.person not in ("1per", "2per")
            and each.tag.mood != "impr"
            for each in verbs
        ):
            return Case.GEN if negated else Case.NOM
        if any(_takes_object(grammar, each, clause) for each in verbs):
            return Case.ACC
        finite = any(each.tag.POS in ("VERB", "INFN") for each in verbs)
        return Case.ACC if finite and asked.noun in grammar.time_units else Case.NOM
    return Case.NOM


def _is_rather_noun(grammar: Grammar, read: tuple[Any, ...]) -> bool:
    """ "До сплати": the Ukrainian dictionary ranks no readings, so one as a noun is taken first."""
    nouns = any(each.tag.POS == "NOUN" for each in read)
    return grammar.code == "uk" and nouns and not any(each.normal_form in grammar.objects for each in read)


def _takes_object(grammar: Grammar, verb: Any, clause: tuple[str, ...]) -> bool:
    tag = verb.tag
    lemma = verb.normal_form
    if tag.POS not in ("VERB", "INFN", "GRND"):
        return False
    if lemma in grammar.objects:
        return True
    if grammar.code == "ru":
        waited = lemma in ("ждать", "ожидать", "подождать", "порадовать", "радовать", "обслужить", "встретить")
        return "tran" in str(tag) and not (waited and tag.person == "3per" and bool(grammar.you & set(clause)))
    if "Refl" in str(tag) or lemma.endswith(("ся", "сь")):
        return False
    return tag.POS != "VERB" or tag.person in ("1per", "2per") or "infn" in str(tag) or tag.number == "plur"


def _clause(before: tuple[str, ...]) -> tuple[str, ...]:
    """The words since the last comma, dash or bracket."""
    for at in range(len(before) - 1, -1, -1):
        if before[at] in _BREAKS:
            return before[at + 1 :]
    return before


def _begins(clause: tuple[str, ...], stems: tuple[str, ...]) -> bool:
    return any(word.startswith(stems) for word in clause)
