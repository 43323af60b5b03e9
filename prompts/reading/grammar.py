"""What a language's grammar tells of the words that govern: its tables, and the clause they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prompts.reading.cases import Case
from prompts.reading.template import Kind

BREAKS = frozenset(',:;—–-()«»"')


class Role(Enum):
    """A preposition whose case depends on what follows it."""

    IN = "в"
    ON = "на"
    FOR = "за"
    WITH = "с"
    EACH = "по"
    UNDER = "под"
    AT = "у"


#: The word files that a trait may stand in.
NOUNS, VERBS, ADJECTIVES, WORDS, PREPOSITIONS = "nouns", "verbs", "adjectives", "words", "prepositions"


def _trait(name: str, *stands_in: str) -> Any:
    """The words whose entries, in files of these names, say `is: name`."""
    return field(default=frozenset(), metadata={"trait": name, "in": stands_in})


def _stem(name: str) -> Any:
    """The beginnings (or endings) of words that the file of stems gives that name."""
    return field(default=(), metadata={"stem": name})


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """All of it comes from the word files; their head comments tell a linguist what each trait means."""

    code: str
    #: Governing phrases of one to four words.
    fixed: Mapping[str, Case] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    #: Adverbs that may stand between the governing word and the variable.
    transparent: frozenset[str] = _trait("transparent", WORDS)
    #: Those of them that part an adjective from the number: "перед вашим ещё два заказа".
    parting: frozenset[str] = _trait("parting", WORDS)
    #: Nouns in the nominative whose count says how long, how far, how much, not where.
    units: frozenset[str] = _trait("unit", NOUNS)
    time_units: frozenset[str] = _trait("time_unit", NOUNS)
    #: Ordinals of these say when: "в первый день".
    days: frozenset[str] = _trait("day", NOUNS)
    #: Places that one is on, not in; the second set for ordinals only.
    places_on: frozenset[str] = _trait("place_on", NOUNS)
    ordinal_places_on: frozenset[str] = _trait("ordinal_place_on", NOUNS)
    #: Nouns that "по" spreads over: "по двадцати городам".
    spread: frozenset[str] = _trait("spread", NOUNS)
    #: Beginnings of words that mean a direction: "доставим в", "поднимитесь на".
    motion: tuple[str, ...] = _stem("motion")
    #: Forms that begin like those and mean none: "акция проходит в".
    resting: tuple[str, ...] = _stem("resting")
    #: Beginnings of words that make "с" mean "from".
    source: tuple[str, ...] = _stem("source")
    #: Pronouns that stand for a noun of the main clause.
    relatives: frozenset[str] = _trait("relative", ADJECTIVES)
    #: What verbs and nouns ask of a preposition after them: "играть на", "следить за".
    links: Mapping[Role, Mapping[str, Case | None]] = field(default_factory=dict)
    #: Verbs of a price, which other counts than amounts are never the object of: "у входа стоят два продавца".
    pricing: frozenset[str] = _trait("pricing", VERBS)
    #: Conjunctions that a clause opens with.
    openers: frozenset[str] = _trait("opener", WORDS)
    #: What one takes from ("спишем с двух карт"), what always means "from" ("с двух сторон"), how old one is
    #: ("с трёх лет"), and what changes from an amount ("цена с тысячи рублей"); without the first, any count after a
    #: word of `source` is taken from.
    origins: frozenset[str] = _trait("origin", NOUNS)
    sides: frozenset[str] = _trait("side", NOUNS)
    ages: frozenset[str] = _trait("age", NOUNS)
    changing: frozenset[str] = _trait("changing", NOUNS)
    #: Beginnings of words right before "з" that make it mean "out of": "кожен з".
    partitive: tuple[str, ...] = _stem("partitive")
    #: Beginnings of words that make "за" mean "after, to fetch".
    fetching: tuple[str, ...] = _stem("fetching")
    #: Measures of what "за" takes in the genitive: "за сорока градусів".
    conditions: frozenset[str] = _trait("condition", NOUNS)
    #: What one passes on the way: "за вторым поворотом".
    landmarks: frozenset[str] = _trait("landmark", NOUNS)
    #: Words after the variable that make "в" mean a distance: "в двух минутах ходьбы".
    distance: frozenset[str] = _trait("distance", WORDS, PREPOSITIONS)
    #: Verbs and predicatives by dictionary form.
    verbs: Mapping[str, Case] = field(default_factory=dict)
    #: Verbs that govern the accusative in the third person too, where the dictionary doesn't tell.
    objects: frozenset[str] = _trait("object", VERBS)
    #: Verbs that say what there is: their count is the subject.
    existential: frozenset[str] = _trait("existential", VERBS, ADJECTIVES)
    #: Verbs that an ordinal follows in the instrumental: "вы стали третьим".
    linking: frozenset[str] = _trait("linking", VERBS)
    #: Nouns of an action or a belonging: "при покупке двух товаров".
    genitive_heads: frozenset[str] = frozenset()
    #: Those of them that an amount of money follows in the genitive: "возврат тысячи рублей".
    money_heads: frozenset[str] = _trait("money_head", NOUNS)
    #: "ваш"; the Ukrainian dictionary files it under pronouns, but it is no subject by itself.
    possessives: frozenset[str] = _trait("possessive", ADJECTIVES)
    #: Those of `to_words` that also give each so many: "с тремя лампами по сорок ватт".
    sharing: frozenset[str] = _trait("sharing", PREPOSITIONS)
    #: With them before a variable, "в" after it says where to.
    out_of: frozenset[str] = _trait("out_of", PREPOSITIONS)
    #: What people are counted by, so that a noun before is their place: "группа двенадцать человек".
    heads_counted: frozenset[str] = _trait("head_counted", NOUNS)
    #: Counts of these say what a thing before them is like: "мороженое трёх вкусов".
    sorts: frozenset[str] = _trait("sort", NOUNS)
    #: Comparatives that the dictionary takes for any adjectives: "старшим шістдесяти років".
    comparatives: frozenset[str] = _trait("comparative", ADJECTIVES)
    #: "Больше чем тысяча": with it the comparison governs no longer.
    than: frozenset[str] = _trait("than", WORDS)
    #: "Сегодня первое декабря".
    today: frozenset[str] = _trait("today", WORDS, NOUNS)
    #: Words right after the variable and the case they ask for: "назад".
    following: Mapping[str, Case] = field(default_factory=dict)
    #: "from" in "с ... по ...".
    from_words: frozenset[str] = _trait("from", PREPOSITIONS)
    to_words: frozenset[str] = _trait("to", PREPOSITIONS)
    #: The case of a time of day after IN, and of what "по" spreads over.
    clock_in: Case = Case.ACC
    along: Case = Case.DAT
    negation: str = "не"
    #: "вас" and "вам": an object that leaves the count to be the subject, and a place that is taken.
    whom: frozenset[str] = _trait("whom", WORDS)
    to_whom: frozenset[str] = _trait("to_whom", WORDS)
    #: Passive participles: "оснащён тремя камерами".
    participles: Mapping[str, Case] = field(default_factory=dict)
    #: Nouns whose count says how often, whatever the verb: "воспользоваться два раза".
    occasions: frozenset[str] = _trait("occasion", NOUNS)
    #: Adjectives that say how long: "дійсні одну добу".
    lasting: frozenset[str] = _trait("lasting", ADJECTIVES)
    #: Verbs with the living in the dative: "позвоним", and, when they have an object already, "вернём деньги".
    giving: frozenset[str] = _trait("giving", VERBS, WORDS)
    handing: frozenset[str] = _trait("handing", VERBS)
    #: Those whose passive has a receiver, "передан двум курьерам", and those whose passive without a subject names who
    #: did it, "создано двумя мастерами".
    conveying: frozenset[str] = _trait("conveying", VERBS)
    creating: frozenset[str] = _trait("creating", VERBS)
    #: Verbs that govern in all but the third person: "следуйте двум правилам", "следует подождать".
    personal: Mapping[str, Case] = field(default_factory=dict)
    #: What one rides, so that "на" after motion says with what: "повезут на двух машинах".
    vehicles: frozenset[str] = _trait("vehicle", NOUNS)
    #: Verbs of an occupation, which a stretch of time may follow instead: "служит семь лет".
    enduring: frozenset[str] = _trait("enduring", VERBS)
    #: Groups of people that receive as a person does: "подарили двум семьям".
    groups: frozenset[str] = _trait("group", NOUNS)
    #: Bodies that act as people do: "жюри выберет двух победителей".
    actors: frozenset[str] = _trait("actor", NOUNS)
    #: Verbs with a person as object and a thing in the instrumental: "порадуем вас двумя новинками".
    rewarding: frozenset[str] = _trait("rewarding", VERBS)
    #: Verbs with things as objects, so that the living do it: "купили два человека".
    taking: frozenset[str] = _trait("taking", VERBS)
    #: What one pays or sends with, by verb; the second only when the verb has an object: "двумя платежами".
    means: Mapping[str, frozenset[str]] = field(default_factory=dict)
    manner: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: Nouns before the living in the dative: "подарок сотому покупателю".
    gifts: frozenset[str] = _trait("gift", NOUNS, WORDS)
    #: Those that hold what is counted, after "в" and "на": "в каталоге два товара".
    measuring_heads: frozenset[str] = _trait("measuring_head", NOUNS)
    #: Those that govern the genitive only after a preposition: "при заказе двух пицц".
    oblique_heads: frozenset[str] = _trait("oblique_head", NOUNS)
    #: Those that govern the genitive of an amount after a preposition or with something said of them.
    paid_heads: frozenset[str] = _trait("paid_head", NOUNS)
    #: Endings of nouns of an action, and the prepositions after which they govern: "при предъявлении двух чеков".
    deeds: tuple[str, ...] = _stem("deed")
    before_deeds: frozenset[str] = _trait("before_deed", PREPOSITIONS)
    #: Nouns that end so and are none; with them named, the others govern without a preposition too.
    no_deeds: frozenset[str] = _trait("no_deed", NOUNS)
    #: Beginnings of words with which "в розыгрыше" takes part in what is counted, not holds it.
    engaging: tuple[str, ...] = _stem("engaging")
    #: Nouns with another case than the genitive: "управление двумя магазинами".
    noun_cases: Mapping[str, Case] = field(default_factory=dict)
    #: What may stand in the singular before an amount: "за каждую тысячу".
    determiners: frozenset[str] = _trait("determiner", ADJECTIVES)
    #: Before these, after "к", nothing governs: "к оплате две тысячи рублей".
    due_to: frozenset[str] = _trait("due_to", PREPOSITIONS)
    due: frozenset[str] = _trait("due", NOUNS)
    #: Phrases that govern only what is counted: "по цене двух товаров".
    fixed_for_counts: Mapping[str, Case] = field(default_factory=dict)
    #: Occasions to congratulate on: "с пятой годовщиной".
    feasts: frozenset[str] = _trait("feast", NOUNS, WORDS)
    #: Those of an action or a price that a measure follows in the genitive.
    priced_heads: frozenset[str] = _trait("priced_head", NOUNS)
    #: Whoever takes part, and in what: "участники двух акций".
    agents: frozenset[str] = _trait("agent", NOUNS)
    events: frozenset[str] = _trait("event", NOUNS)
    #: What a thing comes in: "в двух цветах".
    qualities: frozenset[str] = _trait("quality", NOUNS)
    #: Beginnings of words that make "на" mean where: "работает на двух телефонах".
    using: tuple[str, ...] = _stem("using")
    #: What has pages: "роман на пятьсот страниц".
    paged: frozenset[str] = _trait("paged", NOUNS)
    #: Beginnings of words after the variable with which "на" says where: "на двух фотографиях виден дефект".
    showing: tuple[str, ...] = _stem("showing")
    #: Counts of these say how, whatever the verb asks of "на": "отвечает на двух языках".
    manners: frozenset[str] = _trait("way", NOUNS)
    #: Units that follow each other in one amount: "два часа пять минут".
    parts_of_amount: frozenset[str] = _trait("part_of_amount", NOUNS)
    #: Its dictionary files these under pronouns: "ваш", "цей".
    pronominal: frozenset[str] = _trait("pronominal", ADJECTIVES)
    #: "вы": who is on the line.
    subjects: frozenset[str] = _trait("subject", WORDS)
    #: Before a bare number of things counted already: "купите три, а платите за две".
    of_them: frozenset[str] = _trait("of_them", WORDS, PREPOSITIONS)
    #: What is counted in these is an amount of money.
    currencies: frozenset[str] = _trait("currency", NOUNS)
    #: Beginnings of words that make "с" with an ordinal or a count mean "together with", "on the occasion of".
    company: tuple[str, ...] = _stem("company")
    #: Those with which a date is what one congratulates on: "поздравляем с восьмым марта".
    greeting: tuple[str, ...] = _stem("greeting")
    #: Beginnings of words that make "из" of what is counted: "оберіть один подарунок із десяти".
    choosing: tuple[str, ...] = _stem("choosing")
    #: Beginnings of words after the variable that single some out of it: "із трьох магазинів один".
    singling: tuple[str, ...] = _stem("singling")
    #: Beginnings of words after the variable that make "с" mean "from": "с трёх процентов начинается".
    starting: tuple[str, ...] = _stem("starting")
    #: Beginnings of words that make "в" mean "what colour": "окрашен в два цвета".
    painting: tuple[str, ...] = _stem("painting")
    #: What is taken from an amount: "кешбэк с тысячи рублей".
    shares: frozenset[str] = _trait("share", NOUNS)
    #: Words between commas that the sentence could do without.
    asides: frozenset[str] = _trait("aside", WORDS)
    #: Comparatives that only correct what was said.
    corrections: frozenset[str] = _trait("correction", WORDS)
    #: "включительно"
    inclusive: frozenset[str] = _trait("inclusive", WORDS)
    #: Verbs that a date right after them names, not dates: "выберите третье декабря".
    date_verbs: frozenset[str] = _trait("date_verb", VERBS)
    #: The days of the week, which a date after a comma agrees with: "на среду, второе декабря".
    weekdays: frozenset[str] = frozenset()
    #: What a date is the name of, not a "when", before a dash or colon and after one.
    date_names: frozenset[str] = _trait("date_name", NOUNS, WORDS)
    named_dates: frozenset[str] = _trait("named_date", NOUNS, ADJECTIVES)
    #: Nouns whose ordinal is a date, and beginnings of words that say of which month.
    day_numbers: frozenset[str] = _trait("day_number", NOUNS)
    months: tuple[str, ...] = _stem("month")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a case."""

    kind: Kind
    #: The noun counted, nominative singular; "" when there is none.
    noun: str = ""
    animate: bool = False
    #: The word after the noun: "рождения".
    tail: str = ""


def clause_of(before: tuple[str, ...]) -> tuple[str, ...]:
    """The words since the last comma, dash or bracket."""
    for at in range(len(before) - 1, -1, -1):
        if before[at] in BREAKS:
            return before[at + 1 :]
    return before


def begins(clause: tuple[str, ...], stems: tuple[str, ...]) -> bool:
    return any(word.startswith(stems) for word in clause)
