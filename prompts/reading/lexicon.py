"""The lemmas of Russian and Ukrainian with all that is known of each -> the tables that the reading asks.

Reads the files verbs, nouns, adjectives, words, prepositions and stems of a language, and refuses what they must not
have: an unknown field, trait or case, a lemma that stands twice. Holds no words itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from prompts.reading.cases import TABLE_ORDER, Case, Gender
from prompts.reading.grammar import ADJECTIVES, NOUNS, PREPOSITIONS, VERBS, WORDS, Grammar, Role
from prompts.reading.wordfiles import Table, load

#: The one entry of these fields that stands for "as the preposition alone says".
_ANY = "any"
_ROLES = {role.name.lower(): role for role in Role}

#: Fields of an entry by file; a preposition that has a role is a field of verbs, nouns, adjectives and words too.
FIELDS: Mapping[str, tuple[str, ...]] = {
    VERBS: ("asks", "done", "we_ask", "means", "manner", "next", "before", "is"),
    NOUNS: ("asks", "means", "next", "gender", "one", "many", "counted", "where", "weekday", "is"),
    ADJECTIVES: ("asks", "means", "is"),
    WORDS: ("asks", "next", "before", "is"),
    PREPOSITIONS: ("role", "time", "along", "next", "next_count", "before", "is"),
}
#: Traits of nouns that no rule of grammar asks: "animate" goes with forms, the others mend what the dictionary says.
_FORM_TRAITS = ("animate", "thing", "person")
#: What `means` and `manner` of a verb may name instead of the nouns themselves.
GROUPS = ("point", "part", "payment", "instalment", "consignment", "language", "method")
#: Every trait, and the files that it may stand in.
TRAITS: Mapping[str, tuple[str, ...]] = {
    **{each.metadata["trait"]: each.metadata["in"] for each in fields(Grammar) if "trait" in each.metadata},
    **dict.fromkeys((*_FORM_TRAITS, *GROUPS), (NOUNS,)),
}
STEMS = tuple(each.metadata["stem"] for each in fields(Grammar) if "stem" in each.metadata)


@dataclass(frozen=True, kw_only=True)
class Irregular:
    """A noun's forms as they are spoken with numbers, in TABLE_ORDER."""

    gender: Gender
    animate: bool
    singular: tuple[str, ...]
    plural: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    grammar: Grammar
    irregular: Mapping[str, Irregular]
    #: Genitive plurals said with numbers, where the dictionary puts another one first.
    count_plurals: Mapping[str, str]
    #: Singulars after "в" and "на": "в году".
    locatives: Mapping[str, str]
    #: Animate in the dictionary, counted like things: "стол на четыре персоны".
    things: frozenset[str]
    #: People whose namesakes are things.
    people: frozenset[str]
    #: Monday first.
    weekdays: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    word: str
    file: str
    #: What the entry says; faults are told by it.
    said: Table

    @property
    def traits(self) -> tuple[str, ...]:
        return self.said.texts("is")

    def case(self, field: str) -> Case:
        value = self.said.text(field)
        if value not in tuple(Case):
            raise self.said.fault(field, f"{self.word}: there is no case {value}.", f"Use {', '.join(Case)}.")
        return Case(value)


@lru_cache(maxsize=2)
def lexicon(code: str) -> Lexicon:
    """All of that language, "ru" or "uk"; raises WordsError with the file and line of the first fault."""
    entries = tuple(_entries(code))
    roles = {each.word: _role(each) for each in entries if "role" in each.said}
    marked = _by_trait(entries)
    groups = {group: marked.get(group, frozenset()) for group in GROUPS}
    nouns = frozenset(each.word for each in entries if each.file == NOUNS)
    for each in entries:
        _check(each, roles)

    def asked(field: str, *kinds: str) -> dict[str, Case]:
        return {each.word: each.case(field) for each in entries if field in each.said and each.file in kinds}

    def named(field: str) -> dict[str, frozenset[str]]:
        return {each.word: _nouns(each, field, groups, nouns) for each in entries if field in each.said}

    every = (*FIELDS,)
    kept = asked("asks", NOUNS)
    grammar = Grammar(
        code=code,
        fixed=asked("next", *every),
        roles=roles,
        links=_links(entries, roles),
        verbs=asked("asks", VERBS, ADJECTIVES, WORDS),
        genitive_heads=frozenset(noun for noun, case in kept.items() if case is Case.GEN),
        noun_cases={noun: case for noun, case in kept.items() if case is not Case.GEN},
        participles=asked("done", VERBS),
        personal=asked("we_ask", VERBS),
        means=named("means"),
        manner=named("manner"),
        following=asked("before", *every),
        fixed_for_counts=asked("next_count", PREPOSITIONS),
        clock_in=next(iter(asked("time", PREPOSITIONS).values())),
        along=next(iter(asked("along", PREPOSITIONS).values())),
        weekdays=frozenset(each.word for each in entries if "weekday" in each.said),
        **_sets(marked),
        **_stems(code),
    )
    return Lexicon(
        grammar=grammar,
        irregular={each.word: _irregular(each) for each in entries if each.said.keys() & {"gender", "one", "many"}},
        count_plurals={each.word: each.said.text("counted") for each in entries if "counted" in each.said},
        locatives={each.word: each.said.text("where") for each in entries if "where" in each.said},
        things=marked.get("thing", frozenset()),
        people=marked.get("person", frozenset()),
        weekdays=_weekdays(entries),
    )


def _entries(code: str) -> Iterator[_Entry]:
    """The entries of the language's files, each in every spelling: "счёт" is written "счет" too."""
    seen: dict[str, Table] = {}
    for file in FIELDS:
        table = load(f"{code}/{file}.yaml")
        for word, said in table.items():
            plain = word.replace("ё", "е")
            if plain in seen:
                other = seen[plain]
                line = other.lines.get(word) or other.lines[plain]
                what = f"{word} stands here and in {other.where.name}, line {line}."
                raise table.fault(word, what, "Say all that is known of it in one entry.")
            seen[plain] = table
            entry = _entry(table, word, said, file)
            yield entry
            if plain != word:
                yield _Entry(plain, file, entry.said)


def _entry(table: Table, word: str, said: Any, file: str) -> _Entry:
    if isinstance(said, str) and file == PREPOSITIONS:
        # "без: gen" is short for "без: {next: gen}".
        short = Table(table.where, table.lines[word])
        short["next"] = said
        short.lines["next"] = table.lines[word]
        said = short
    if not isinstance(said, Table) or not said:
        raise table.fault(word, f"{word} says nothing.", "Write it as {is: object}.")
    return _Entry(word, file, said)


def _check(entry: _Entry, roles: Mapping[str, Role]) -> None:
    allowed = (*FIELDS[entry.file], *(roles if entry.file != PREPOSITIONS else ()))
    for field in entry.said:
        if field not in allowed:
            mend = f"In {entry.file}.yaml use {', '.join(allowed)}."
            raise entry.said.fault(field, f"{entry.word}: there is no field {field}.", mend)
    for trait in entry.traits:
        if entry.file not in TRAITS.get(trait, ()):
            known = ", ".join(name for name, stands_in in TRAITS.items() if entry.file in stands_in)
            mend = f"In {entry.file}.yaml use {known}."
            raise entry.said.fault("is", f"{entry.word}: there is no trait {trait}.", mend)


def _role(entry: _Entry) -> Role:
    name = entry.said.text("role")
    if name not in _ROLES:
        raise entry.said.fault("role", f"{entry.word}: there is no role {name}.", f"Use {', '.join(_ROLES)}.")
    return _ROLES[name]


def _links(entries: tuple[_Entry, ...], roles: Mapping[str, Role]) -> dict[Role, dict[str, Case | None]]:
    """What verbs and nouns ask of a preposition after them; None: what it asks by itself."""
    found: dict[Role, dict[str, Case | None]] = {}
    for entry in entries:
        for field in entry.said if entry.file != PREPOSITIONS else ():
            if (role := roles.get(field)) is not None:
                left = entry.said[field] == _ANY
                found.setdefault(role, {})[entry.word] = None if left else entry.case(field)
    return found


def _nouns(entry: _Entry, field: str, groups: Mapping[str, frozenset[str]], nouns: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in entry.said.texts(field):
        if name not in groups and name not in nouns:
            mend = f"Name nouns of nouns.yaml, or a group: {', '.join(GROUPS)}."
            raise entry.said.fault(field, f"{entry.word}: there is no noun {name}.", mend)
        found |= groups.get(name, {name})
    return frozenset(found)


def _by_trait(entries: tuple[_Entry, ...]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for entry in entries:
        for trait in entry.traits:
            found.setdefault(trait, set()).add(entry.word)
    return {trait: frozenset(words) for trait, words in found.items()}


def _sets(marked: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    return {
        each.name: marked.get(each.metadata["trait"], frozenset())
        for each in fields(Grammar)
        if "trait" in each.metadata
    }


def _stems(code: str) -> dict[str, Any]:
    table = load(f"{code}/stems.yaml")
    by_name: dict[str, list[str]] = {}
    for stem in table:
        for name in table.texts(stem):
            if name not in STEMS:
                raise table.fault(stem, f"{stem}: stems do not say {name}.", f"Use {', '.join(STEMS)}.")
            bare = stem.removeprefix("-")
            by_name.setdefault(name, []).extend(dict.fromkeys((bare, bare.replace("ё", "е"))))
    return {
        each.name: tuple(by_name.get(each.metadata["stem"], ())) for each in fields(Grammar) if "stem" in each.metadata
    }


def _irregular(entry: _Entry) -> Irregular:
    gender = entry.said.text("gender")
    if gender not in tuple(Gender):
        raise entry.said.fault("gender", f"{entry.word}: there is no gender {gender}.", f"Use {', '.join(Gender)}.")
    return Irregular(
        gender=Gender(gender),
        animate="animate" in entry.traits,
        singular=entry.said.forms("one", len(TABLE_ORDER)),
        plural=entry.said.forms("many", len(TABLE_ORDER)),
    )


def _weekdays(entries: tuple[_Entry, ...]) -> tuple[str, ...]:
    days: dict[str, str] = {}
    for each in entries:
        if "weekday" in each.said and (day := each.said.text("weekday")) in tuple("1234567") and day not in days:
            days[day] = each.word
        elif "weekday" in each.said:
            raise each.said.fault("weekday", f"{each.word} is no day of the week.", "Number them 1 to 7, Monday first.")
    return tuple(days[day] for day in sorted(days))
