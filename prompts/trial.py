"""Read every sentence with example values, so that a text that can't be read is found before a call. Makes no audio."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from faults import Fault
from prompts.reading import Kind, ReadingError, TemplateError, Variable, read, variables
from prompts.sentences import Sentences

#: What a file may hold for each type; the first is tried first.
_NUMBERS = ("5", "21", "1", "2", "1000")
_DATES = ("2026-12-01", "2026-12-02")
EXAMPLES: dict[Kind, tuple[str, ...]] = {
    Kind.MONEY: ("1201.50", *_NUMBERS),
    Kind.NUMBER: _NUMBERS,
    Kind.PERCENT: _NUMBERS,
    Kind.COUNT: _NUMBERS,
    Kind.ORDINAL: _NUMBERS,
    Kind.DATE: _DATES,
    Kind.WEEKDAY: _DATES,
    Kind.TIME: ("21:30", "9:00"),
    Kind.MEASURE: ("5 kg", "21 kg"),
    Kind.PHONE: ("+7 812 345-67-89", "112"),
    Kind.DIGITS: ("1234", "112"),
    Kind.ADDRESS: ("ул. Садовая, д. 5", "вул. Шевченка, буд. 5"),
    Kind.NAME: ("Анна", "Іван"),
}
_ROUNDS = max(map(len, EXAMPLES.values()))


def unreadable(sentences: Sentences, keys: Collection[str] | None = None) -> Iterator[Fault]:
    """The sentences and fallbacks that no values of the right types make readable; of `keys` only, when given.

    A malformed sentence is left to whoever checks its grammar.
    """
    for language, key, sentence in sentences:
        if keys is not None and key not in keys:
            continue
        for text in filter(None, (sentence.text, sentence.fallback)):
            if (fault := trial(language, text)) is not None:
                what = f"{key} can't be read in {language}: {fault.what}"
                yield Fault(what=what, mend=fault.mend, where=sentence.where, line=sentence.line)
                break


def trial(language: str, text: str) -> Fault | None:
    """What keeps the sentence from being read with example values; None: nothing does, or it is malformed."""
    try:
        wanted = variables(text)
    except TemplateError:
        return None
    named: dict[str, list[Variable]] = {}
    for variable in wanted:
        named.setdefault(variable.name, []).append(variable)
    try:
        values = {name: _examples(language, uses) for name, uses in named.items()}
        for at in range(_ROUNDS if values else 1):
            read(language, text, {name: offered[at % len(offered)] for name, offered in values.items()})
    except ReadingError as error:
        return error.faults[0]
    return None


def _examples(language: str, uses: list[Variable]) -> list[str]:
    """Values that can be read as all that the variable is used for. Raises ReadingError when there is none."""
    kinds = list(dict.fromkeys(use.kind for use in uses))
    offered = list(dict.fromkeys(value for kind in kinds for value in EXAMPLES[kind]))
    if len(kinds) == 1:
        return offered
    found = [value for value in offered if all(_fits(language, use, value) for use in uses)]
    if not found:
        what = f"{uses[0].name} is a {' and a '.join(kinds)} at one time."
        raise ReadingError(what, "Use two variables, each of one type.", uses[0].name)
    return found


def _fits(language: str, variable: Variable, value: str) -> bool:
    try:
        read(language, f"{{{variable.name}:{variable.kind} {variable.argument}}}", {variable.name: value})
    except ReadingError:
        return False
    return True
