"""The case that a sentence asks of a variable: the rules that Russian and Ukrainian share.

The words that govern are in each language's own table; what a word governs may depend on the kind of variable,
on the noun counted, and on the rest of the clause.
"""

from __future__ import annotations

from prompts.reading.cases import CASE_OF_TAG, Case
from prompts.reading.grammar import BREAKS, Asked, Grammar, Role, begins, clause_of
from prompts.reading.nouns import parses
from prompts.reading.predicates import active_participle, by_later_verb, by_verb, gives, is_means, preposition_before
from prompts.reading.prepositional import by_preposition, is_any
from prompts.reading.sentence import ALSO, Place
from prompts.reading.template import Kind


def case_of(grammar: Grammar, asked: Asked, place: Place) -> Case:
    """The case for the variable at that place."""
    before = _stripped(grammar, place.before)
    if place.explains_weekday and before and grammar.roles.get(before[-1]) in (Role.IN, Role.AT):
        return Case.GEN
    if (case := _governed(grammar, asked, before, place.after)) is not None:
        return case
    if asked.kind is Kind.DATE:
        return _bare_date(grammar, asked, place)
    if asked.kind is Kind.ORDINAL and asked.noun in grammar.day_numbers and _of_month(grammar, place):
        return _bare_date(grammar, asked, place)
    parted = bool(place.before) and place.before[-1] in grammar.parting
    allowed, outer = _adjectives(grammar, asked, before)
    if allowed and not parted:
        outer = _stripped(grammar, outer)
        case = _governed(grammar, asked, outer, place.after) or _ungoverned(grammar, asked, outer, place.after)
        if case in allowed or (case is Case.DIST and Case.DAT not in allowed):
            return case
        if case is not None and grammar.roles.get(outer[-1] if outer else "") in (Role.IN, Role.ON, Role.AT):
            return Case.LOC if Case.LOC in allowed else next(each for each in Case if each in allowed)
        return next(each for each in Case if each in allowed)
    return _ungoverned(grammar, asked, before, place.after)


def _stripped(grammar: Grammar, before: tuple[str, ...]) -> tuple[str, ...]:
    """The words before without the adverbs and comparisons that govern nothing: "не более чем"."""
    while before:
        if before[-1] in grammar.than and len(before) > 1:
            before = before[: -3 if before[-2] == "," else -2]
            if before and before[-1] == grammar.negation:
                before = before[:-1]
        elif before[-1] in grammar.transparent:
            before = before[:-1]
        elif before[-1] == "," and len(before) > 3 and before[-2] in grammar.asides and before[-3] == ",":
            before = before[:-3]
        elif before[-1] == "," and " ".join(before[-3:-1]) in grammar.asides and before[-4:-3] == (",",):
            before = before[:-4]
        else:
            break
    return before


def governing_role(grammar: Grammar, place: Place) -> Role | None:
    """The preposition right before the variable, when it is one of several meanings."""
    return grammar.roles.get(place.before[-1]) if place.before else None


def _governed(grammar: Grammar, asked: Asked, before: tuple[str, ...], after: tuple[str, ...]) -> Case | None:
    """What a preposition, a comparative or a set phrase right before asks for."""
    if len(before) > 1 and before[-2] in grammar.than and _is_comparative(grammar, before[-1]):
        # "Чем ближе пятница, тем больше скидка"
        return Case.NOM
    for length in range(min(4, len(before)), 0, -1):
        if (case := grammar.fixed.get(" ".join(before[-length:]))) is not None:
            bare = asked.kind is Kind.NUMBER and not asked.noun
            if bare or (asked.kind is Kind.COUNT and asked.noun not in grammar.units):
                return grammar.fixed_for_counts.get(" ".join(before[-length:]), case)
            return case
    if not before:
        return None
    if before[-1] in ALSO and len(before) > 1 and asked.kind is Kind.COUNT:
        return _joined(grammar, asked, before[:-1])
    if (role := grammar.roles.get(before[-1])) is not None:
        return by_preposition(grammar, asked, role, before[:-1], after)
    if before[-1] in grammar.corrections and (len(before) == 1 or before[-2] in BREAKS | grammar.openers):
        return Case.NOM
    compared = asked.kind in (Kind.MONEY, Kind.MEASURE, Kind.PERCENT) or asked.noun in grammar.units
    if compared and is_any(grammar, before[-1], grammar.comparatives):
        return Case.GEN
    return Case.GEN if _is_comparative(grammar, before[-1]) else None


def _is_comparative(grammar: Grammar, word: str) -> bool:
    return word[0].isalpha() and any(each.tag.POS == "COMP" for each in parses(grammar.code, word))


def _joined(grammar: Grammar, asked: Asked, before: tuple[str, ...]) -> Case | None:
    """The case of what "и" joins the count to: "вам и двум друзьям", "при покупке стола и четырёх стульев"."""
    *rest, word = before
    read = parses(grammar.code, word) if word[0].isalpha() else ()
    pronoun = any(each.tag.POS == "NPRO" and each.tag.person for each in read)
    if pronoun and not asked.animate:
        return None
    wanted = ("NPRO",) if pronoun else ("NOUN",)
    cases = {CASE_OF_TAG.get(str(each.tag.case)) for each in read if each.tag.POS in wanted and each.score > 0.1}
    cases -= {None, Case.NOM}
    preposition = preposition_before(grammar, tuple(rest))
    if (case := grammar.fixed.get(preposition)) in cases:
        return case
    if preposition in grammar.roles:
        likeliest = [Case.DAT] if grammar.roles[preposition] is Role.EACH else []
        likeliest += [Case.INS, Case.LOC, Case.DAT, Case.GEN, Case.ACC]
        return next((case for case in likeliest if case in cases), None)
    if pronoun and cases:
        return Case.DAT if Case.DAT in cases else Case.ACC
    of_deed = Case.GEN in cases and bool(rest) and preposition_before(grammar, tuple(rest[:-1])) in grammar.before_deeds
    return Case.GEN if of_deed and is_any(grammar, rest[-1], grammar.genitive_heads) else None


def _bare_date(grammar: Grammar, asked: Asked, place: Place) -> Case:
    """A date without a preposition means "when", unless it is what the sentence names: "Сегодня первое декабря"."""
    before = place.before
    if len(before) > 2 and before[-1] == "," and is_any(grammar, before[-2], grammar.weekdays):
        before = before[:-2]
        if grammar.roles.get(before[-1]) in (Role.IN, Role.AT):
            return Case.GEN
        if (case := _governed(grammar, asked, before, place.after)) is not None:
            return case
    if before and (before[-1] in grammar.today or is_any(grammar, before[-1], grammar.date_verbs)):
        return Case.NOM
    if before and before[-1] in BREAKS and any(word in grammar.today for word in before[-6:] if word.startswith("дат")):
        return Case.NOM
    if (
        before
        and before[-1] in BREAKS
        and any(f" {name} " in f" {' '.join(before[-5:])} " for name in grammar.date_names)
    ):
        return Case.NOM
    if before and before[-1] in BREAKS and _names_a_date(grammar, clause_of(before[:-1])):
        return Case.NOM
    if before and is_any(grammar, before[-1], grammar.linking) and _day_named_as(grammar, clause_of(before)):
        return Case.NOM
    if not before and place.after[:1] and place.after[0] in BREAKS and grammar.named_dates & set(place.after[1:4]):
        return Case.NOM
    return Case.GEN


def _of_month(grammar: Grammar, place: Place) -> bool:
    """Whether a day's number says when: "первого числа каждого месяца"; not "первое число — выходной"."""
    starts = not place.before or place.before[-1] in BREAKS
    said_of = bool(place.after) and place.after[0] not in BREAKS
    near = (*place.before[-2:], *place.after[:3])
    return (starts and said_of) or begins(near, grammar.months)


def _names_a_date(grammar: Grammar, clause: tuple[str, ...]) -> bool:
    """Whether the subject of the clause is a day or a term: "следующий рабочий день"."""
    for at, word in enumerate(clause):
        read = parses(grammar.code, word) if word[0].isalpha() else ()
        if any(each.tag.POS in ("ADJF", "PRTF") for each in read):
            continue
        nouns = [each for each in read if each.tag.POS == "NOUN" and each.tag.case == "nomn"]
        if nouns and not preposition_before(grammar, clause[:at]):
            return any(each.normal_form in grammar.named_dates for each in nouns)
    return False


def _day_named_as(grammar: Grammar, clause: tuple[str, ...]) -> bool:
    """Whether the clause has a day or a term in the instrumental: "последним днём будет"."""
    return any(
        each.tag.case == "ablt" and each.normal_form in grammar.named_dates
        for word in clause
        if word[0].isalpha()
        for each in parses(grammar.code, word)
    )


def _adjectives(grammar: Grammar, asked: Asked, before: tuple[str, ...]) -> tuple[frozenset[Case], tuple[str, ...]]:
    """The cases that the adjectives before the variable allow, and the words before them."""
    allowed: frozenset[Case] = frozenset()
    singular = asked.kind in (Kind.ORDINAL, Kind.WEEKDAY)
    while before and (cases := _adjective_cases(grammar, asked, before[-1], singular)):
        if (len(before) == 1 or before[-2] in BREAKS) and all(map(active_participle, parses(grammar.code, before[-1]))):
            # "Клиентам, купившим два смартфона": it has an object, and no noun of its own after it.
            break
        allowed = cases if not allowed else (allowed & cases or allowed)
        before = before[:-1]
    return allowed, before


def _adjective_cases(grammar: Grammar, asked: Asked, word: str, singular: bool) -> frozenset[Case]:
    if not word.replace("'", "").isalpha():
        return frozenset()
    code = grammar.code
    lasting = grammar.lasting if asked.noun in grammar.time_units else frozenset()
    if any(each.normal_form in grammar.verbs or each.normal_form in lasting for each in parses(code, word)):
        return frozenset()
    found = set()
    for each in parses(code, word):
        tag = each.tag
        described = tag.POS in ("ADJF", "PRTF") or (
            code == "uk" and tag.POS == "NPRO" and each.normal_form in grammar.pronominal
        )
        # "В которых двое детей": it stands for a noun of its own.
        if not described or "Fixd" in str(tag) or each.normal_form in grammar.relatives:
            if tag.POS == "NOUN" and each.score >= 0.5 and code == "ru" and asked.kind is not Kind.WEEKDAY:
                return frozenset()
            continue
        if not singular and tag.case == "accs" and (tag.animacy == "anim") != asked.animate and tag.animacy:
            continue
        one = tag.number != "plur"
        numbered = one == singular or (
            asked.kind in (Kind.MONEY, Kind.COUNT) and each.normal_form in grammar.determiners
        )
        if numbered and (case := CASE_OF_TAG.get(str(tag.case or "nomn"))):
            found.add(case)
    return frozenset(found)


def _ungoverned(grammar: Grammar, asked: Asked, before: tuple[str, ...], after: tuple[str, ...]) -> Case:
    """What the clause asks for: the word after, the noun before, or the verb; the nominative when nothing does."""
    if asked.kind is Kind.WEEKDAY and before and before[-1] not in BREAKS:
        return by_verb(grammar, asked, before)
    if asked.kind in (Kind.TIME, Kind.WEEKDAY, Kind.ADDRESS):
        return Case.NOM
    for length in (2, 1):
        if (case := grammar.following.get(" ".join(after[:length]))) is not None:
            return case
    opening = before[:-1] if before and before[-1] in grammar.openers else before
    if not opening or opening[-1] in BREAKS:
        return by_later_verb(grammar, asked, _until_break(after))
    if asked.kind is Kind.ORDINAL and any(
        each.normal_form in grammar.linking for each in parses(grammar.code, before[-1])
    ):
        # "Победителем станет сотый покупатель": its place is taken.
        bidden = any(each.tag.mood == "impr" for each in parses(grammar.code, before[-1]))
        told = not bidden and (len(before) == 1 or before[-2] in BREAKS)
        return Case.NOM if told or _named_as(grammar, before[:-1]) else Case.INS
    if asked.kind is Kind.ORDINAL and asked.noun in grammar.sorts and before[-1] == "{count}":
        # "Одна пара тридцать восьмого размера"
        return Case.GEN
    if (case := _by_noun(grammar, asked, before, after)) is not None:
        return case
    return by_verb(grammar, asked, before)


def _named_as(grammar: Grammar, before: tuple[str, ...]) -> bool:
    """Whether the words end in a noun in the instrumental: "победителем"."""
    return bool(before) and any(
        each.tag.POS == "NOUN" and each.tag.case == "ablt" for each in parses(grammar.code, before[-1])
    )


def _until_break(after: tuple[str, ...]) -> tuple[str, ...]:
    return next((after[:at] for at, word in enumerate(after) if word in BREAKS), after)


def _by_noun(grammar: Grammar, asked: Asked, before: tuple[str, ...], after: tuple[str, ...]) -> Case | None:
    """What the noun right before asks for: "при покупке двух товаров"."""
    kind = asked.kind
    kinds = (Kind.COUNT, Kind.MONEY, Kind.ORDINAL, Kind.NUMBER, Kind.MEASURE)
    if kind not in kinds or (kind is Kind.NUMBER and not asked.noun):
        return None
    nouns = [each for each in parses(grammar.code, before[-1]) if each.tag.POS == "NOUN"]
    names = {each.normal_form for each in nouns}
    if asked.animate and grammar.creating and gives(grammar, before):
        return None
    if asked.noun in grammar.time_units:
        if kind is Kind.ORDINAL and names & grammar.genitive_heads:
            return Case.GEN
        # "Стоимость двух дней".
        if asked.noun in grammar.ages and any(each.tag.animacy == "anim" and each.tag.case != "datv" for each in nouns):
            # "Для детей пяти лет", but "ребёнку пять лет"
            return Case.GEN
        priced = kind is Kind.COUNT and names & grammar.priced_heads & grammar.measuring_heads
        return Case.GEN if priced else None
    if not nouns:
        return None
    if is_means(grammar, asked, before):
        return None
    if (asked.animate or asked.noun in grammar.groups) and names & grammar.gifts:
        return Case.DAT
    if kind is Kind.ORDINAL:
        given = by_verb(grammar, asked, before)
        return (given if given is Case.DAT else Case.GEN) if asked.noun else None
    previous = preposition_before(grammar, before[:-1])
    if previous in grammar.due_to and names & grammar.due:
        return None
    role = grammar.roles.get(previous)
    governed = bool(previous)
    located = role in (Role.IN, Role.ON, Role.AT) and any(each.tag.case in ("loct", "loc2") for each in nouns)
    if previous == "из" and by_verb(grammar, asked, before[:-2]) is Case.ACC:
        # "Выводим из продажи две модели"
        return None
    if located and not names & grammar.measuring_heads and not begins(clause_of(before), grammar.engaging):
        return None
    if kept := next((grammar.noun_cases[name] for name in names if name in grammar.noun_cases), None):
        return kept
    if kind is Kind.MONEY or asked.noun in grammar.currencies:
        said_of = bool(after) and after[0][0].isalpha()
        owed = names & grammar.paid_heads and (governed or said_of)
        return Case.GEN if names & grammar.money_heads or owed else None
    if kind is Kind.MEASURE:
        return Case.GEN if names & grammar.priced_heads or (governed and names & grammar.oblique_heads) else None
    named = any(each.tag.case in ("nomn", "accs", "gent") and each.score > 0.1 for each in nouns)
    of_people = asked.animate and named and _opens(grammar, before[:-1]) and bool(grammar.heads_counted)
    of_people = of_people and asked.noun not in grammar.heads_counted
    if kind is Kind.COUNT and not governed and ((asked.noun in grammar.sorts and named) or of_people):
        # "Мороженое трёх вкусов", "советы двух врачей"
        return Case.GEN
    if names & grammar.agents:
        return Case.GEN if asked.noun in grammar.events else None
    if any(name.endswith(grammar.deeds) for name in names) and (
        previous in grammar.before_deeds or (grammar.no_deeds and not governed and not names & grammar.no_deeds)
    ):
        return Case.GEN
    if not governed and by_verb(grammar, asked, before) is Case.INS:
        # "Дополните заказ двумя соусами"
        return None
    if names & grammar.oblique_heads and not asked.animate:
        # "При заказе двух пицц", "подтвердите заказ двух пицц"; "ваш заказ две пиццы".
        dependent = (governed and not located) or by_verb(grammar, asked, before[:-1]) is Case.ACC
        return Case.GEN if dependent else None
    owned = len(before) > 1 and before[-2][0].isalpha() and is_any(grammar, before[-2], grammar.possessives)
    if owned or _tells_what_there_is(grammar, clause_of(before), after):
        # "На ваше имя две посылки": it is somebody's already.
        return None
    return Case.GEN if names & grammar.genitive_heads else None


def _opens(grammar: Grammar, before: tuple[str, ...]) -> bool:
    """Whether nothing but adjectives stands before in the clause."""
    return all(
        word[0].isalpha() and parses(grammar.code, word)[0].tag.POS in ("ADJF", "PRTF") for word in clause_of(before)
    )


def _tells_what_there_is(grammar: Grammar, clause: tuple[str, ...], after: tuple[str, ...]) -> bool:
    """Whether a place and an aim are all that the sentence has beside the count: "в очереди на выдачу два заказа"."""
    if after or grammar.roles.get(clause[0]) not in (Role.IN, Role.ON, Role.AT):
        return False
    aims = [at for at, word in enumerate(clause) if at > 1 and (word in grammar.roles or word in grammar.fixed)]
    return len(aims) == 1 and not any(
        each.tag.POS in ("VERB", "INFN") and not any(other.tag.POS == "NOUN" for other in parses(grammar.code, word))
        for word in clause
        if word[0].isalpha()
        for each in parses(grammar.code, word)[:1]
    )
