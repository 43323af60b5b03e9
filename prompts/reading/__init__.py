"""Typed variables in a sentence -> words a synthesiser can speak. Pure.

`read` gives the words, `read_parts` keeps the author's words and the variables' apart, `read_or_fallback` decides
between a text and its fallback sentence, and `variables` lists what a sentence needs.
"""

from prompts.reading.errors import ReadingError, TemplateError, UnforeseenError
from prompts.reading.reading import (
    Part,
    read,
    read_or_fallback,
    read_parts,
    read_parts_or_fallback,
)
from prompts.reading.template import LANGUAGE_CODES, Kind, Variable, parse, variables

__all__ = [
    "LANGUAGE_CODES",
    "Kind",
    "Part",
    "ReadingError",
    "TemplateError",
    "UnforeseenError",
    "Variable",
    "parse",
    "read",
    "read_or_fallback",
    "read_parts",
    "read_parts_or_fallback",
    "variables",
]
