"""Compare a contacts file with what a flow says: its columns, and the values in them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from faults import Fault
from ivr.flow.graph import texts
from ivr.flow.model import Flow
from people.contacts import Contact
from prompts.languages import Language
from prompts.reading import ReadingError, Variable, read, variables
from prompts.sentences import Sentences


def missing_columns(
    flow: Flow, sentences: Sentences, columns: Collection[str], language: Language
) -> Iterator[tuple[str, str, str | None]]:
    """Each variable of the flow that no column gives, the text that needs it, and what is said instead in `language`.

    None instead of a sentence: the text is left out.
    """
    there = {*columns, "name", "phone", "language"}
    for need in _needs(flow, sentences, language):
        name = need.variable.name
        if name in flow.variables and name not in there:
            yield name, need.text, need.fallback


@dataclass(frozen=True, kw_only=True)
class _Need:
    """A variable that a text of the flow takes from the contacts file."""

    variable: Variable
    #: Key of the text.
    text: str
    fallback: str | None


def _needs(flow: Flow, sentences: Sentences, language: Language) -> tuple[_Need, ...]:
    """Each once, in the order of the flow."""
    needs: dict[tuple[str, str], _Need] = {}
    for say in texts(flow):
        sentence = sentences.get(language, say.text)
        if sentence is None:
            continue
        for variable in variables(sentence.text):
            if variable.name not in say.values:
                need = _Need(variable=variable, text=say.text, fallback=sentence.fallback)
                needs.setdefault((variable.name, say.text), need)
    return tuple(needs.values())


@dataclass
class _Unreadable:
    """People whose value of one variable can't be said in one text."""

    line: int
    fault: Fault
    need: _Need
    people: int = 0


@dataclass
class UnreadableValues:
    """Finds values that callers can't be told, for a fallback is spoken then; `look` at each contact, then `notes`."""

    flow: Flow
    sentences: Sentences
    _by_language: dict[Language, tuple[_Need, ...]] = field(default_factory=dict)
    _found: dict[tuple[Language, str, str], _Unreadable] = field(default_factory=dict)

    def look(self, contact: Contact) -> None:
        language = contact.language
        if language not in self._by_language:
            self._by_language[language] = _needs(self.flow, self.sentences, language)
        for need in self._by_language[language]:
            name = need.variable.name
            value = contact.name if name == "name" else contact.variables.get(name)
            if value and (fault := _unreadable(language, need.variable, value)):
                first = _Unreadable(line=contact.line, fault=fault, need=need)
                self._found.setdefault((language, name, need.text), first).people += 1

    def notes(self) -> Iterator[tuple[int, str]]:
        """Line of the first such value, and what is wrong, how to mend it, and what is heard until then."""
        for found in self._found.values():
            fault, need = found.fault, found.need
            instead = f"hear: {need.fallback}" if need.fallback else f"do not hear {need.text}."
            yield (
                found.line,
                f"{need.variable.name}: {fault.what} {fault.mend} As it is, {found.people} people {instead}",
            )


@lru_cache(maxsize=65536)
def _unreadable(language: Language, variable: Variable, value: str) -> Fault | None:
    """Why the value can't be said as the variable's type; None: it can."""
    alone = f"{{{variable.name}:{variable.kind.value} {variable.argument}}}"
    try:
        read(language, alone, {variable.name: value})
    except ReadingError as error:
        return error.faults[0]
    return None
