"""What a language's grammar tells of the words that govern: its tables, and the clause they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

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


@dataclass(frozen=True, kw_only=True)
class Grammar:
    code: str
    #: Governing phrases of one to four words.
    fixed: Mapping[str, Case]
    roles: Mapping[str, Role]
    #: Adverbs that may stand between the governing word and the variable.
    transparent: frozenset[str]
    #: Those of them that part an adjective from the number: "перед вашим ещё два заказа".
    parting: frozenset[str]
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
    #: Forms that begin like those and mean none: "акция проходит в".
    resting: tuple[str, ...] = ()
    #: Beginnings of words that make "с" mean "from".
    source: tuple[str, ...]
    #: Pronouns that stand for a noun of the main clause.
    relatives: frozenset[str] = frozenset()
    #: What verbs and nouns ask of a preposition after them: "играть на", "следить за".
    links: Mapping[Role, Mapping[str, Case | None]] = field(default_factory=dict)
    #: Verbs of a price, which other counts than amounts are never the object of: "у входа стоят два продавца".
    pricing: frozenset[str] = frozenset()
    #: Conjunctions that a clause opens with.
    openers: frozenset[str] = frozenset()
    #: What one takes from ("спишем с двух карт"), what always means "from" ("с двух сторон"), how old one is
    #: ("с трёх лет"), and what changes from an amount ("цена с тысячи рублей"); without the first, any count after a
    #: word of `source` is taken from.
    origins: frozenset[str] = frozenset()
    sides: frozenset[str] = frozenset()
    ages: frozenset[str] = frozenset()
    changing: frozenset[str] = frozenset()
    #: Beginnings of words right before "з" that make it mean "out of": "кожен з".
    partitive: tuple[str, ...]
    #: Beginnings of words that make "за" mean "after, to fetch".
    fetching: tuple[str, ...]
    #: Measures of what "за" takes in the genitive: "за сорока градусів".
    conditions: frozenset[str] = frozenset()
    #: What one passes on the way: "за вторым поворотом".
    landmarks: frozenset[str] = frozenset()
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
    #: "ваш"; the Ukrainian dictionary files it under pronouns, but it is no subject by itself.
    possessives: frozenset[str] = frozenset()
    #: Those of `to_words` that also give each so many: "с тремя лампами по сорок ватт".
    sharing: frozenset[str] = frozenset({"по"})
    #: With them before a variable, "в" after it says where to.
    out_of: frozenset[str] = frozenset()
    #: What people are counted by, so that a noun before is their place: "группа двенадцать человек".
    heads_counted: frozenset[str] = frozenset()
    #: Counts of these say what a thing before them is like: "мороженое трёх вкусов".
    sorts: frozenset[str] = frozenset()
    #: Comparatives that the dictionary takes for any adjectives: "старшим шістдесяти років".
    comparatives: frozenset[str] = frozenset()
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
    #: "вас" and "вам": an object that leaves the count to be the subject, and a place that is taken.
    whom: frozenset[str] = frozenset()
    to_whom: frozenset[str] = frozenset()
    #: Passive participles: "оснащён тремя камерами".
    participles: Mapping[str, Case] = field(default_factory=dict)
    #: Nouns whose count says how often, whatever the verb: "воспользоваться два раза".
    occasions: frozenset[str] = frozenset({"раз"})
    #: Adjectives that say how long: "дійсні одну добу".
    lasting: frozenset[str] = frozenset()
    #: Verbs with the living in the dative: "позвоним", and, when they have an object already, "вернём деньги".
    giving: frozenset[str] = frozenset()
    handing: frozenset[str] = frozenset()
    #: Those whose passive has a receiver, "передан двум курьерам", and those whose passive without a subject names who
    #: did it, "создано двумя мастерами".
    conveying: frozenset[str] = frozenset()
    creating: frozenset[str] = frozenset()
    #: Verbs that govern in all but the third person: "следуйте двум правилам", "следует подождать".
    personal: Mapping[str, Case] = field(default_factory=dict)
    #: What one rides, so that "на" after motion says with what: "повезут на двух машинах".
    vehicles: frozenset[str] = frozenset()
    #: Verbs of an occupation, which a stretch of time may follow instead: "служит семь лет".
    enduring: frozenset[str] = frozenset()
    #: Groups of people that receive as a person does: "подарили двум семьям".
    groups: frozenset[str] = frozenset()
    #: Bodies that act as people do: "жюри выберет двух победителей".
    actors: frozenset[str] = frozenset()
    #: Verbs with a person as object and a thing in the instrumental: "порадуем вас двумя новинками".
    rewarding: frozenset[str] = frozenset()
    #: Verbs with things as objects, so that the living do it: "купили два человека".
    taking: frozenset[str] = frozenset()
    #: What one pays or sends with, by verb; the second only when the verb has an object: "двумя платежами".
    means: Mapping[str, frozenset[str]] = field(default_factory=dict)
    manner: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: Nouns before the living in the dative: "подарок сотому покупателю".
    gifts: frozenset[str] = frozenset()
    #: Those that hold what is counted, after "в" and "на": "в каталоге два товара".
    measuring_heads: frozenset[str] = frozenset()
    #: Those that govern the genitive only after a preposition: "при заказе двух пицц".
    oblique_heads: frozenset[str] = frozenset()
    #: Those that govern the genitive of an amount after a preposition or with something said of them.
    paid_heads: frozenset[str] = frozenset()
    #: Endings of nouns of an action, and the prepositions after which they govern: "при предъявлении двух чеков".
    deeds: tuple[str, ...] = ()
    before_deeds: frozenset[str] = frozenset()
    #: Nouns that end so and are none; with them named, the others govern without a preposition too.
    no_deeds: frozenset[str] = frozenset()
    #: Beginnings of words with which "в розыгрыше" takes part in what is counted, not holds it.
    engaging: tuple[str, ...] = ()
    #: Nouns with another case than the genitive: "управление двумя магазинами".
    noun_cases: Mapping[str, Case] = field(default_factory=dict)
    #: What may stand in the singular before an amount: "за каждую тысячу".
    determiners: frozenset[str] = frozenset()
    #: Before these, after "к", nothing governs: "к оплате две тысячи рублей".
    due_to: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    #: Phrases that govern only what is counted: "по цене двух товаров".
    fixed_for_counts: Mapping[str, Case] = field(default_factory=dict)
    #: Occasions to congratulate on: "с пятой годовщиной".
    feasts: frozenset[str] = frozenset()
    #: Those of an action or a price that a measure follows in the genitive.
    priced_heads: frozenset[str] = frozenset()
    #: Whoever takes part, and in what: "участники двух акций".
    agents: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    #: What a thing comes in: "в двух цветах".
    qualities: frozenset[str] = frozenset()
    #: Beginnings of words that make "на" mean where: "работает на двух телефонах".
    using: tuple[str, ...] = ()
    #: What has pages: "роман на пятьсот страниц".
    paged: frozenset[str] = frozenset()
    #: Beginnings of words after the variable with which "на" says where: "на двух фотографиях виден дефект".
    showing: tuple[str, ...] = ()
    #: Counts of these say how, whatever the verb asks of "на": "отвечает на двух языках".
    manners: frozenset[str] = frozenset()
    #: What is counted in these is an amount of money.
    currencies: frozenset[str] = frozenset()
    #: Beginnings of words that make "с" with an ordinal or a count mean "together with", "on the occasion of".
    company: tuple[str, ...] = ()
    #: Those with which a date is what one congratulates on: "поздравляем с восьмым марта".
    greeting: tuple[str, ...] = ()
    #: Beginnings of words that make "из" of what is counted: "оберіть один подарунок із десяти".
    choosing: tuple[str, ...] = ()
    #: Beginnings of words after the variable that single some out of it: "із трьох магазинів один".
    singling: tuple[str, ...] = ()
    #: Beginnings of words after the variable that make "с" mean "from": "с трёх процентов начинается".
    starting: tuple[str, ...] = ()
    #: Beginnings of words that make "в" mean "what colour": "окрашен в два цвета".
    painting: tuple[str, ...] = ()
    #: What is taken from an amount: "кешбэк с тысячи рублей".
    shares: frozenset[str] = frozenset()
    #: Words between commas that the sentence could do without.
    asides: frozenset[str] = frozenset()
    #: Comparatives that only correct what was said.
    corrections: frozenset[str] = frozenset()
    #: "включительно"
    inclusive: frozenset[str] = frozenset()
    #: Verbs that a date right after them names, not dates: "выберите третье декабря".
    date_verbs: frozenset[str] = frozenset()
    #: The days of the week, which a date after a comma agrees with: "на среду, второе декабря".
    weekdays: frozenset[str] = frozenset()
    #: What a date is the name of, not a "when", before a dash or colon and after one.
    date_names: frozenset[str] = frozenset()
    named_dates: frozenset[str] = frozenset()
    #: Nouns whose ordinal is a date, and beginnings of words that say of which month.
    day_numbers: frozenset[str] = frozenset()
    months: tuple[str, ...] = ()


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
