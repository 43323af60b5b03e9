"""What a preposition of several meanings asks of the variable right after it: "в", "на", "за", "с", "по", "под"."""

from __future__ import annotations

from itertools import pairwise

from prompts.reading.cases import Case
from prompts.reading.grammar import Asked, Grammar, Role, begins, clause_of
from prompts.reading.nouns import parses
from prompts.reading.template import Kind


def by_preposition(grammar: Grammar, asked: Asked, role: Role, before: tuple[str, ...], after: tuple[str, ...]) -> Case:
    """The case after that preposition; `before` ends in front of it."""
    kind = asked.kind
    clause = clause_of(before)
    thing = kind in (Kind.COUNT, Kind.ORDINAL) and asked.noun not in grammar.units | grammar.time_units | grammar.days
    if thing and asked.noun not in grammar.manners and (case := _linked(grammar, role, clause)) is not None:
        return case
    match role:
        case Role.IN | Role.ON:
            return _place_or_aim(grammar, asked, role, clause, after)
        case Role.FOR:
            if kind is Kind.COUNT and asked.noun not in grammar.units and begins(clause, grammar.fetching):
                return Case.INS
            if kind is Kind.MEASURE and asked.noun in grammar.conditions:
                return Case.GEN
            if kind is Kind.ORDINAL and asked.noun in grammar.landmarks:
                return Case.INS
            return Case.ACC
        case Role.WITH:
            return _with_or_from(grammar, asked, before, after)
        case Role.EACH:
            if kind in (Kind.DATE, Kind.TIME) or asked.noun in grammar.day_numbers:
                return Case.ACC
            if kind is Kind.WEEKDAY and after and after[0] in grammar.inclusive:
                return Case.ACC
            ranged = any(word in grammar.from_words for word in clause)
            if ranged:
                return Case.ACC
            if kind is Kind.COUNT and clause and _is_dative(grammar, clause[-1]):
                # "Гостям по два купона"
                return Case.DIST
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


def _linked(grammar: Grammar, role: Role, clause: tuple[str, ...]) -> Case | None:
    """What the nearest verb, or a noun nearer than it, asks of the preposition after it."""
    links = grammar.links.get(role)
    for word in reversed(clause) if links else ():
        read = parses(grammar.code, word) if word[0].isalpha() else ()
        if links and (named := [each.normal_form for each in read if each.normal_form in links]):
            return links[named[0]]
        if read and read[0].tag.POS in ("VERB", "INFN", "GRND", "PRTS"):
            return None
    return None


def _with_or_from(grammar: Grammar, asked: Asked, before: tuple[str, ...], after: tuple[str, ...]) -> Case:
    """ "С": the instrumental when it means "together with", the genitive when it means "from"."""
    kind = asked.kind
    clause = clause_of(before)
    if kind is Kind.ORDINAL and ({asked.noun, asked.tail} & grammar.feasts or begins(clause, grammar.company)):
        return Case.INS
    if kind is Kind.DATE and begins(clause, grammar.greeting):
        return Case.INS
    if kind in (Kind.DATE, Kind.TIME, Kind.WEEKDAY, Kind.ORDINAL, Kind.ADDRESS):
        return Case.GEN
    aged = asked.noun in grammar.ages and not (after and _is_thing(grammar, after[0]))
    if begins(after[:3], grammar.starting) or asked.noun in grammar.sides or aged or _ranged(grammar, asked, after):
        return Case.GEN
    if not clause and (
        begins(after[:3], grammar.choosing) or begins(after[:1], grammar.singling) or after[-1:] == ("{number}",)
    ):
        return Case.GEN
    taken = bool(clause) and (clause[-1].startswith("{") or is_any(grammar, clause[-1], grammar.shares))
    if taken and kind is Kind.MEASURE and grammar.origins and clause[-1] == "{measure}":
        # "Смешайте двадцать миллилитров со ста миллилитрами"
        return Case.INS
    if taken and (kind in (Kind.MONEY, Kind.PERCENT, Kind.MEASURE) or asked.noun in grammar.origins):
        return Case.GEN
    partitive = bool(before) and (
        before[-1].startswith(grammar.partitive)
        or (before[-1] in ("{count}", "{ordinal}") and begins(clause, grammar.choosing))
        or (before[-1] == "{count}" and kind is Kind.NUMBER and not asked.noun and grammar.code == "uk")
    )
    if partitive or begins(clause, grammar.starting):
        return Case.GEN
    if asked.noun in grammar.origins and begins(clause, grammar.motion):
        return Case.GEN
    if not begins(clause, grammar.source) or (asked.animate and grammar.origins):
        return Case.INS
    if asked.noun in grammar.origins or not _is_thing(grammar, clause[-1]):
        return Case.GEN
    # "Получите набор с двумя ножами": what it comes with, not where it comes from.
    changing = kind is not Kind.COUNT and is_any(grammar, clause[-1], grammar.changing)
    return Case.GEN if changing else Case.INS


def _ranged(grammar: Grammar, asked: Asked, after: tuple[str, ...]) -> bool:
    """Whether "с" has its "до" or "по" with another value after it; "по" before another kind shares things out."""
    for word, to in pairwise(after[:5]):
        if word in grammar.to_words:
            if to.startswith("{"):
                return word not in grammar.sharing or to == f"{{{asked.kind}}}"
            if to.isdigit() or parses(grammar.code, to)[0].tag.POS == "NUMR":
                return True
    return False


def _is_thing(grammar: Grammar, word: str) -> bool:
    """Whether the word is a noun that something else may come with."""
    return bool(grammar.origins) and word[0].isalpha() and parses(grammar.code, word)[0].tag.POS == "NOUN"


def _place_or_aim(grammar: Grammar, asked: Asked, role: Role, clause: tuple[str, ...], after: tuple[str, ...]) -> Case:
    kind = asked.kind
    # "Со второго на третий этаж", "из одного города в два порта"
    starts = any(word in grammar.from_words and to == "{ordinal}" for word, to in pairwise(clause))
    starts = starts or (len(clause) > 1 and clause[-2] in grammar.out_of and clause[-1].startswith("{"))
    moving = starts or _moves(grammar, clause)
    distant = bool(after) and after[0] in grammar.distance
    match kind:
        case Kind.TIME:
            return grammar.clock_in if role is Role.IN else Case.ACC
        case Kind.ADDRESS:
            return Case.ACC if moving else Case.LOC
        case Kind.PERCENT:
            # "В трёх процентах случаев", but "скидка в три процента стоимости"
            among = role is Role.IN and not is_any(grammar, clause[-1] if clause else "", grammar.shares)
            return Case.LOC if among and after and _is_of_many(grammar, after[0]) else Case.ACC
        case Kind.MEASURE:
            return Case.LOC if role is Role.IN and distant else Case.ACC
        case Kind.ORDINAL:
            if asked.noun in grammar.days or moving:
                return Case.ACC
            if role is Role.ON and asked.noun not in grammar.places_on | grammar.ordinal_places_on:
                return Case.ACC
            return Case.LOC
        case Kind.COUNT:
            if role is Role.IN and asked.noun in grammar.qualities and not begins(clause, grammar.painting):
                return Case.LOC
            if asked.noun in grammar.units:
                return Case.LOC if role is Role.IN and distant else Case.ACC
            if role is Role.ON and begins(clause[-1:], grammar.using):
                return Case.LOC
            if role is Role.ON and clause and is_any(grammar, clause[-1], grammar.paged):
                return Case.ACC
            if role is Role.ON and moving and asked.noun in grammar.vehicles:
                return Case.LOC
            if role is Role.ON and not clause and begins(after[:2], grammar.showing):
                return Case.LOC
            if moving or (role is Role.ON and asked.noun not in grammar.places_on):
                return Case.ACC
            return Case.LOC
        case _:
            return Case.ACC


def _is_dative(grammar: Grammar, word: str) -> bool:
    best = parses(grammar.code, word)[0].tag if word[0].isalpha() else None
    return best is not None and best.POS == "NOUN" and best.case == "datv"


def _is_of_many(grammar: Grammar, word: str) -> bool:
    best = parses(grammar.code, word)[0].tag if word[0].isalpha() else None
    return best is not None and best.POS == "NOUN" and best.case == "gent" and best.number == "plur"


def _moves(grammar: Grammar, clause: tuple[str, ...]) -> bool:
    """Whether the nearest verb, or without one any word, is of motion: "доставка работает в двух городах"."""
    for word in reversed(clause):
        best = parses(grammar.code, word)[0].tag.POS if word[0].isalpha() else None
        if best in ("VERB", "INFN", "GRND", "PRTS", "ADJS"):
            return word.startswith(grammar.motion) and not word.startswith(grammar.resting)
    return begins(clause, grammar.motion)


def is_any(grammar: Grammar, word: str, lemmas: frozenset[str]) -> bool:
    """Whether the word is a form of one of the lemmas."""
    return any(each.normal_form in lemmas for each in parses(grammar.code, word))
