"""The tables of Russian and Ukrainian addresses, from the word files. Says nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from prompts.reading.calendar import calendar
from prompts.reading.cases import GENDER_NAMES, Case
from prompts.reading.wordfiles import Table, load


@dataclass(frozen=True, kw_only=True)
class AddressWords:
    #: Streets and the like, by abbreviation without its dot; each declines with its name.
    streets: Mapping[str, str]
    #: Towns and regions, likewise.
    settlements: Mapping[str, str]
    #: House, building, flat: what a number follows.
    houses: Mapping[str, str]
    #: Abbreviations that are only such with a dot or before a number: their full form as a word is common.
    dotted: frozenset[str]
    #: Anything else written short; said as it stands here.
    others: Mapping[str, str]
    #: "Б. Садовая": the adjective's masculine form.
    described: Mapping[str, str]
    #: Parts of a city: on their own, and after a street.
    islands: Mapping[str, tuple[str, str]]
    months: frozenset[str]
    fraction: str
    number_sign: str
    #: "года": the number before it is an ordinal.
    of_year: str
    #: "-летия" -> said joined to the number.
    anniversary: tuple[str, ...]
    #: Ordinal endings after a hyphen, longest first: ending -> (gender, case).
    endings: Mapping[str, tuple[str, Case]]
    #: Whose initial it is: "М. Горького".
    initials: Mapping[tuple[str, str], str]


@lru_cache(maxsize=2)
def address_tables(code: str) -> AddressWords:
    """The tables of "ru" or "uk"; raises WordsError with the line of the first fault."""
    table = load(f"{code}/addresses.yaml").known(
        *("streets", "settlements", "houses", "others", "described", "islands", "initials"),
        *("fraction", "number_sign", "anniversary", "endings"),
    )
    sections = [table.table(name) for name in ("streets", "settlements", "houses", "others")]
    streets, settlements, houses, others = sections
    named = calendar(code)
    return AddressWords(
        streets=by_short(streets) | {word: word for word in streets},
        settlements=by_short(settlements) | {word: word for word in settlements},
        houses=by_short(houses) | {word: word for word in houses},
        dotted=frozenset(
            short.removesuffix(".")
            for section in sections
            for word in section
            for short in section.texts(word)
            if short.endswith(".")
        ),
        others=by_short(others),
        described=by_short(table.table("described")),
        islands=_islands(table.table("islands")) if "islands" in table else {},
        months=frozenset(named.months),
        fraction=table.text("fraction"),
        number_sign=table.text("number_sign"),
        of_year=named.of_year,
        anniversary=table.texts("anniversary"),
        endings=_endings(table.table("endings")),
        initials=_initials(table.table("initials")),
    )


def by_short(section: Table) -> dict[str, str]:
    """The word by each of its abbreviations, without their dots; raises WordsError when two words share one."""
    found: dict[str, str] = {}
    for word in section:
        for short in section.texts(word):
            bare = short.removesuffix(".")
            if bare in found:
                raise section.fault(word, f"{short} is short for {found[bare]} too.", "Leave it to one of them.")
            found[bare] = word
    return found


def _islands(section: Table) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name in section:
        said = section.table(name).known("after_a_street", "short")
        found |= dict.fromkeys(said.texts("short"), (name, said.text("after_a_street")))
    return found


def _endings(section: Table) -> dict[str, tuple[str, Case]]:
    found: dict[str, tuple[str, Case]] = {}
    for ending in section:
        gender, case = section.forms(ending, 2)
        if gender not in GENDER_NAMES or case not in tuple(Case):
            raise section.fault(ending, f"{ending}: {gender} {case} is no form.", "Write it as: masculine gen.")
        found[ending] = (GENDER_NAMES[gender], Case(case))
    return found


def _initials(section: Table) -> dict[tuple[str, str], str]:
    names = {name: section.table(name) for name in section}
    return {(letter, name): said.text(letter) for name, said in names.items() for letter in said}
