"""Grammatical case, gender and number as Russian and Ukrainian share them."""

from __future__ import annotations

from enum import StrEnum


class Case(StrEnum):
    NOM = "nom"
    GEN = "gen"
    DAT = "dat"
    ACC = "acc"
    INS = "ins"
    LOC = "loc"
    #: "по одному рублю", "по два рубля", "по тысяче рублей": each gets so many.
    DIST = "dist"


#: The cases that the dictionaries' tags name.
TAGS = {
    Case.NOM: "nomn",
    Case.GEN: "gent",
    Case.DAT: "datv",
    Case.ACC: "accs",
    Case.INS: "ablt",
    Case.LOC: "loct",
}
CASE_OF_TAG = {tag: case for case, tag in TAGS.items()} | {"loc2": Case.LOC, "gen2": Case.GEN}

#: The order of forms in the tables of words.
TABLE_ORDER = (Case.NOM, Case.GEN, Case.DAT, Case.ACC, Case.INS, Case.LOC)


class Gender(StrEnum):
    MASCULINE = "masc"
    FEMININE = "femn"
    NEUTER = "neut"


#: As the word files name them; "" stands for the plural in tables by gender.
GENDER_NAMES = {
    "masculine": Gender.MASCULINE,
    "feminine": Gender.FEMININE,
    "neuter": Gender.NEUTER,
    "plural": "",
}


def plain(case: Case) -> Case:
    """The case of a word that takes no part in distribution: DIST reads as accusative."""
    return Case.ACC if case is Case.DIST else case
