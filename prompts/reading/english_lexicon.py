"""The English words with all that is known of each -> the tables that the reading asks. Holds no words itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from prompts.reading.wordfiles import Table, load

FIELDS = ("plural", "many_own", "is")


def _trait(name: str) -> Any:
    """The words whose entries say `is: name`."""
    return field(metadata={"trait": name})


@dataclass(frozen=True, kw_only=True)
class EnglishLexicon:
    #: Plurals that the rules don't make: "children".
    plurals: Mapping[str, str]
    #: "woman's" -> "women's".
    possessives: Mapping[str, str]
    #: With them one thing is meant, whatever the number: "this three piece set".
    single: frozenset[str] = _trait("single")
    determiners: frozenset[str] = _trait("determiner")
    more: frozenset[str] = _trait("more")
    #: After them a stretch of time stands alone: "in three days delivery is free".
    timing: frozenset[str] = _trait("timing")
    adjectives: frozenset[str] = _trait("adjective")
    #: Measures that describe a thing: "a three day offer", "a two litre bottle".
    units: frozenset[str] = _trait("unit")
    #: Other nouns that are counted to describe a thing: "a four person tent".
    pieces: frozenset[str] = _trait("piece")
    #: "Six feet tall".
    sizes: frozenset[str] = _trait("size")
    #: Between a quantity and its noun only when the noun does follow: "the thirty day free trial".
    maybe: frozenset[str] = _trait("maybe")
    bounds: frozenset[str] = _trait("bound")
    #: What a quantity describes in retail: "offer".
    heads: frozenset[str] = _trait("head")
    #: Those of them that are verbs as well: "the twelve shops offer ...".
    actions: frozenset[str] = _trait("action")
    #: Nouns that end like adverbs.
    ly_nouns: frozenset[str] = _trait("ly_noun")
    #: What has its worth written on it: "a fifty dollar gift card".
    instruments: frozenset[str] = _trait("instrument")
    auxiliaries: frozenset[str] = _trait("auxiliary")
    #: Words that don't make a quantity before them describe a thing: "ten dollars off".
    no_nouns: frozenset[str] = _trait("no_noun")
    #: Words that begin what follows a noun: "box of pens".
    tails: frozenset[str] = _trait("tail")
    #: A phrase that opens with them ends in its head: "up to date phone".
    openers: frozenset[str] = _trait("opener")
    #: Follow the word that has the plural: "degrees Celsius".
    degrees: frozenset[str] = _trait("degree")


TRAITS = tuple(each.metadata["trait"] for each in fields(EnglishLexicon) if "trait" in each.metadata)


@lru_cache(maxsize=1)
def english() -> EnglishLexicon:
    """Raises WordsError with the line of the first fault."""
    table = load("en/words.yaml")
    by_trait: dict[str, set[str]] = {trait: set() for trait in TRAITS}
    plurals: dict[str, str] = {}
    possessives: dict[str, str] = {}
    for word in table:
        said = _said(table, word)
        for trait in said.texts("is"):
            if trait not in by_trait:
                raise said.fault("is", f"{word}: there is no trait {trait}.", f"Use {', '.join(TRAITS)}.")
            by_trait[trait].add(word)
        if "plural" in said:
            plurals[word] = said.text("plural")
        if "many_own" in said:
            possessives[f"{word}'s"] = said.text("many_own")
    # A size or a "free" is no noun by itself.
    by_trait["no_noun"] |= by_trait["size"] | by_trait["maybe"]
    sets = {
        each.name: frozenset(by_trait[each.metadata["trait"]])
        for each in fields(EnglishLexicon)
        if "trait" in each.metadata
    }
    return EnglishLexicon(plurals=plurals, possessives=possessives, **sets)


def _said(table: Table, word: str) -> Table:
    said = table.table(word)
    if not said:
        raise table.fault(word, f"{word} says nothing.", "Write it as {is: head}.")
    return said.known(*FIELDS)
