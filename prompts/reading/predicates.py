"""What the verb or predicative of a clause asks of a variable that nothing governs directly."""

from __future__ import annotations

from typing import Any

from prompts.reading.cases import Case
from prompts.reading.grammar import Asked, Grammar, clause_of
from prompts.reading.nouns import parses
from prompts.reading.sentence import ALSO
from prompts.reading.template import Kind

_OBJECTS = frozenset({"{money}", "{count}", "{ordinal}", "{percent}", "{measure}"})
_SURE = 0.1


def by_verb(grammar: Grammar, asked: Asked, before: tuple[str, ...]) -> Case:
    """The case that the nearest verb asks for; the nominative when there is none."""
    clause = clause_of(before)
    for at in range(len(clause) - 1, -1, -1):
        word = clause[at]
        if not word[0].isalpha():
            continue
        read = parses(grammar.code, word)
        if grammar.code == "uk" and any(each.tag.POS == "PREP" for each in read):
            # "При" is an imperative too, and this dictionary ranks nothing.
            continue
        if len(read) > 1 and asked.kind in (Kind.COUNT, Kind.ORDINAL) and asked.noun not in grammar.units:
            read = tuple(each for each in read if each.normal_form not in grammar.pricing) or read
        if (case := _listed(grammar, asked, read, clause, at)) is not None:
            return case
        if at == 0 and any(map(active_participle, read)):
            # "Клиентам, купившим два смартфона".
            return Case.ACC
        verbs = [each for each in read if each.tag.POS in ("VERB", "INFN", "GRND", "PRTS", "ADJS", "PRED")]
        if any(each.tag.person == "3per" for each in verbs):
            # "Входить" is also an infinitive out of use.
            verbs = [each for each in verbs if "infn" not in str(each.tag)]
        if not verbs or all(each.score < 0.2 for each in verbs) or _is_rather_noun(grammar, read):
            continue
        if all(each.tag.POS == "GRND" for each in verbs) and any(each.tag.case == "nomn" for each in read):
            # "Пеня" is seldom of "пенять".
            continue
        if any(
            each.normal_form in grammar.existential
            and each.tag.person not in ("1per", "2per")
            and each.tag.mood != "impr"
            for each in verbs
        ):
            return Case.GEN if at > 0 and clause[at - 1] == grammar.negation else Case.NOM
        if any(_takes_object(grammar, each, clause[:at]) for each in verbs):
            return Case.NOM if _subject_follows(grammar, asked, verbs[0], clause, at) else Case.ACC
        finite = any(each.tag.POS in ("VERB", "INFN") for each in verbs)
        verb = verbs[0].tag
        acts = verb.POS == "VERB" and verb.person not in ("1per", "2per") and verb.mood != "impr"
        if asked.kind is Kind.ORDINAL and acts and not _has_subject(grammar, verbs[0], clause[:at]):
            # "Началась вторая неделя", but "акция идёт вторую неделю"
            return Case.NOM
        return Case.ACC if finite and asked.noun in grammar.time_units else Case.NOM
    # "Вы на линии одну минуту".
    lasts = asked.noun in grammar.time_units and any(word in grammar.subjects for word in clause)
    return Case.ACC if lasts else Case.NOM


def by_later_verb(grammar: Grammar, asked: Asked, after: tuple[str, ...]) -> Case:
    """The case of what opens a clause: the object when the verb after it has another subject, else the nominative."""
    if after[:1] and after[0] in grammar.subjects:
        # "{p:money} вы сэкономите"
        return by_verb(grammar, asked, after)
    for at, word in enumerate(after):
        best = parses(grammar.code, word)[0].tag if word[0].isalpha() else None
        if best is None or best.POS not in ("VERB", "PRED"):
            continue
        if best.POS == "PRED" or best.person in ("1per", "2per") or best.mood == "impr":
            # "Одну вещь можно вернуть", "третью пару получите в подарок"
            infinitive = next(
                (to for to in range(at + 1, len(after)) if parses(grammar.code, after[to])[0].tag.POS == "INFN"), None
            )
            if best.POS == "PRED" and infinitive is None:
                return Case.NOM
            return by_verb(grammar, asked, after[: (at if infinitive is None else infinitive) + 1])
        if (
            asked.kind is Kind.MONEY
            and best.number == "plur"
            and not (has_object(grammar, after) or _stands_bare(grammar, after, grammar.whom))
        ):
            # "Тысячу рублей спишут завтра": an amount does nothing itself.
            return by_verb(grammar, asked, after[: at + 1])
        return Case.NOM
    return Case.NOM


def _listed(grammar: Grammar, asked: Asked, read: tuple[Any, ...], clause: tuple[str, ...], at: int) -> Case | None:
    """What a word of the tables asks for."""
    others = (*clause[:at], "", *clause[at + 1 :])
    for each in read:
        lemma = each.normal_form
        if (each.tag.POS == "PRTS" or "Impe" in str(each.tag)) and (case := grammar.participles.get(lemma)) is not None:
            return case
        if lemma in grammar.lasting and asked.noun in grammar.time_units:
            return Case.ACC
        by_us = each.tag.person in ("1per", "2per") or each.tag.mood == "impr" or each.tag.POS in ("INFN", "GRND")
        told = each.tag.POS == "VERB" and not by_us and not _has_subject(grammar, each, clause[:at])
        giving = lemma in grammar.giving or grammar.verbs.get(lemma) is Case.DAT
        if asked.kind is Kind.PERCENT and asked.animate and told and giving:
            # "Ответили шестьдесят два процента покупателей"
            return Case.NOM
        if lemma in grammar.personal and by_us:
            return grammar.personal[lemma]
        if lemma in grammar.enduring and asked.noun in grammar.time_units:
            return Case.ACC
        if asked.noun not in grammar.occasions and (case := grammar.verbs.get(lemma)) is not None:
            if case is Case.DAT and _stands_bare(grammar, others, grammar.to_whom):
                # "Вам помогут два консультанта": its place is taken.
                return Case.ACC if asked.noun in grammar.time_units else Case.NOM
            if case is Case.INS and _does_it(grammar, asked, each, clause, at):
                return Case.NOM
            return case
        if (asked.animate or asked.noun in grammar.groups) and not _stands_bare(grammar, others, grammar.to_whom):
            if each.tag.POS == "PRTS" and lemma in grammar.conveying and _has_subject(grammar, each, clause[:at]):
                # "Заказ передан двум курьерам"
                return Case.DAT
            if each.tag.POS == "PRTS" and lemma in grammar.creating:
                # "Создано двумя мастерами"
                return Case.INS
            given = has_object(grammar, clause[at + 1 :])
            handed = (lemma in grammar.handing or _is_somebodys(grammar, each, clause, at)) and (
                given or (each.tag.POS == "INFN" and has_object(grammar, others))
            )
            if lemma in grammar.giving or handed:
                # "Выплатили деньги двум клиентам": who does it would stand before the verb.
                paid = given and each.tag.number == "plur" and lemma not in grammar.taking
                if paid or not _subject_follows(grammar, asked, each, clause, at):
                    return Case.DAT
        if _done_by(grammar, asked, each) and _has_subject(grammar, each, clause[:at]):
            # "Проект утверждён тремя экспертами", "качество подтверждено двумя сертификатами"
            return Case.INS
        if asked.kind is Kind.COUNT and asked.noun in grammar.means.get(lemma, ()):
            return Case.INS
        if each.tag.POS not in ("VERB", "INFN", "GRND"):
            continue
        whom = _stands_bare(grammar, others, grammar.whom)
        filled = whom or has_object(grammar, clause[at + 1 :])
        if each.tag.number == "plur" and not _has_subject(grammar, each, clause[:at]):
            # "Торт украсили двумя ягодами"
            filled = filled or has_object(grammar, clause[:at])
        if asked.noun in grammar.manner.get(lemma, ()) and (
            filled
            or (("intr" in str(each.tag) or lemma in grammar.existential) and _has_subject(grammar, each, clause[:at]))
        ):
            return Case.INS
        rewarded = lemma in grammar.rewarding and filled and asked.noun not in grammar.time_units
        if rewarded and not asked.animate and not _subject_follows(grammar, asked, each, clause, at):
            return Case.INS
    return None


def _done_by(grammar: Grammar, asked: Asked, verb: Any) -> bool:
    """Whether the word is a passive participle of the past, and the count may say by whom or by what it was done."""
    done = verb.tag.POS == "PRTS" and verb.tag.tense == "past" and asked.kind is Kind.COUNT
    return (
        done and bool(grammar.creating) and verb.normal_form not in grammar.giving and asked.noun not in grammar.units
    )


def gives(grammar: Grammar, before: tuple[str, ...]) -> bool:
    """Whether the clause's verb has a receiver: "предложили работу двум кандидатам"."""
    return any(
        each.normal_form in grammar.giving and each.tag.POS in ("VERB", "INFN", "GRND")
        for word in clause_of(before)
        if word[0].isalpha()
        for each in parses(grammar.code, word)[:1]
    )


def _is_somebodys(grammar: Grammar, verb: Any, clause: tuple[str, ...], at: int) -> bool:
    """Whether a transitive verb has a subject, so that the living after its object get that:
    "повысили зарплату двум сотрудникам".
    """
    if grammar.code != "ru" or clause[-1] in ALSO or not _takes_object(grammar, verb, clause[:at]):
        return False
    return verb.tag.person in ("1per", "2per") or verb.tag.mood == "impr" or _has_subject(grammar, verb, clause[:at])


def is_means(grammar: Grammar, asked: Asked, before: tuple[str, ...]) -> bool:
    """Whether the count says what the clause's verb pays or sends with."""
    tables = (grammar.means, grammar.manner)
    if asked.kind is not Kind.COUNT or not any(asked.noun in nouns for table in tables for nouns in table.values()):
        return False
    return any(
        asked.noun in table.get(each.normal_form, ())
        for word in clause_of(before)
        for each in parses(grammar.code, word)
        for table in tables
    )


def active_participle(parse: Any) -> bool:
    """Whether the reading is a participle that has an object: "купивший"."""
    tag = str(parse.tag)
    return parse.tag.POS == "PRTF" and "actv" in tag and "tran" in tag


def _is_rather_noun(grammar: Grammar, read: tuple[Any, ...]) -> bool:
    """ "До сплати": the Ukrainian dictionary ranks no readings, so one as a noun is taken first."""
    nouns = any(each.tag.POS == "NOUN" and each.tag.case != "voct" for each in read)
    return grammar.code == "uk" and nouns and not any(each.normal_form in grammar.objects for each in read)


def _takes_object(grammar: Grammar, verb: Any, before: tuple[str, ...]) -> bool:
    tag = verb.tag
    lemma = verb.normal_form
    if tag.POS not in ("VERB", "INFN", "GRND"):
        return False
    if lemma in grammar.objects:
        return True
    if grammar.code == "ru":
        return "tran" in str(tag)
    if "Refl" in str(tag) or lemma.endswith(("ся", "сь")):
        return False
    if tag.POS != "VERB" or tag.person in ("1per", "2per") or tag.number == "plur":
        return True
    # "Сплачено одну гривню"; the dictionary doesn't tell of others, but who has a subject may have an object.
    return "Impe" in str(tag) or "infn" in str(tag) or _has_subject(grammar, verb, before)


def _subject_follows(grammar: Grammar, asked: Asked, verb: Any, clause: tuple[str, ...], at: int) -> bool:
    """Whether the variable is what does it: "вас ждут два подарка", "приз получат три человека"."""
    tag = verb.tag
    if tag.POS != "VERB" or tag.person in ("1per", "2per") or tag.mood == "impr" or asked.noun in grammar.time_units:
        return False
    takers = asked.animate and verb.normal_form in grammar.taking
    if not grammar.whom or _has_subject(grammar, verb, clause[:at], living=takers):
        return False
    others = (*clause[:at], "", *clause[at + 1 :])
    if grammar.code == "ru" and asked.animate and at == 0 and tag.person == "3per" and tag.number == "sing":
        # "Консультирует один стилист"
        return True
    if tag.number == "sing" and tag.gender == "neut" and asked.animate:
        # "Проголосовало двести человек".
        return True
    if asked.animate and verb.normal_form in grammar.giving and _stands_bare(grammar, others, grammar.to_whom):
        return True
    return takers or _stands_bare(grammar, others, grammar.whom) or (asked.animate and has_object(grammar, others))


def _does_it(grammar: Grammar, asked: Asked, verb: Any, clause: tuple[str, ...], at: int) -> bool:
    """Whether the variable is the subject of a verb with the instrumental: "скидкой воспользовались две семьи"."""
    tag = verb.tag
    if (
        tag.POS not in ("VERB", "ADJS")
        or tag.person in ("1per", "2per")
        or tag.mood == "impr"
        or asked.noun in grammar.time_units
    ):
        return False
    if not grammar.whom or _has_subject(grammar, verb, clause[:at], living=asked.animate):
        return False
    others = (*clause[:at], "", *clause[at + 1 :])
    return asked.animate or any(
        word
        and any(each.tag.case == "ablt" and each.tag.POS in ("NOUN", "NPRO") for each in parses(grammar.code, word))
        and not _governed(grammar, others, index)
        for index, word in enumerate(others)
    )


def _has_subject(grammar: Grammar, verb: Any, words: tuple[str, ...], *, living: bool = False) -> bool:
    """Whether the words before a verb have its subject; a thing that may be its object isn't one when it is to live."""
    for at, word in enumerate(words):
        if word == "{name}" and verb.tag.number != "plur" and not _governed(grammar, words, at):
            return True
        if word in grammar.roles or word in grammar.fixed:
            continue
        for each in parses(grammar.code, word) if word[:1].isalpha() else ():
            tag = each.tag
            if (
                tag.case != "nomn"
                or tag.POS not in ("NPRO", "NOUN")
                or (each.score < _SURE and each.normal_form not in grammar.actors)
                or _governed(grammar, words, at)
            ):
                continue
            if tag.POS == "NPRO":
                if each.normal_form in grammar.possessives:
                    continue
                return True
            if verb.tag.POS == "PRTS" and verb.tag.gender and tag.gender != verb.tag.gender:
                continue
            if (tag.number == "plur") == (verb.tag.number == "plur") and not (
                living and "inan" in str(tag) and each.normal_form not in grammar.actors
            ):
                return True
    return False


def has_object(grammar: Grammar, words: tuple[str, ...]) -> bool:
    """Whether the words have an object in the accusative."""
    for at, word in enumerate(words):
        if word in _OBJECTS and not _governed(grammar, words, at):
            return True
        nouns = [each for each in parses(grammar.code, word) if each.tag.POS == "NOUN"] if word[:1].isalpha() else []
        named = any(
            each.tag.case == "accs" and each.score >= _SURE and each.normal_form not in grammar.time_units
            for each in nouns
        )
        if named and not _governed(grammar, words, at):
            return True
    return False


def _stands_bare(grammar: Grammar, words: tuple[str, ...], wanted: frozenset[str]) -> bool:
    """Whether one of the wanted words is there without a preposition."""
    return any(word in wanted and not _governed(grammar, words, at) for at, word in enumerate(words))


def _governed(grammar: Grammar, words: tuple[str, ...], at: int) -> bool:
    return bool(preposition_before(grammar, words[:at]))


def preposition_before(grammar: Grammar, words: tuple[str, ...]) -> str:
    """The preposition that the words end in but for adjectives, or ""."""
    for word in reversed(words):
        if word in grammar.roles or word in grammar.fixed:
            return word
        if not word or not any(each.tag.POS in ("ADJF", "PRTF", "NUMR") for each in parses(grammar.code, word)):
            return ""
    return ""
