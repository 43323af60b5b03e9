"""The fields that a file gives a node, each read as what it must be. A misfit becomes a fault, and the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from ivr.flow.fields import SHORT_NAME, VARIABLE
from ivr.flow.grammar import Grammar
from ivr.flow.policy import Policy
from ivr.flow.say import Say
from ivr.flow.source import line_of
from ivr.flow.texts import TextReader


class Given:
    """One node of a file, as far as its fields are known."""

    def __init__(
        self,
        reader: TextReader,
        grammar: Grammar,
        fields: Mapping[str, yaml.Node],
        *,
        name: str,
        line: int,
        at: yaml.Node,
    ) -> None:
        #: The name and the line of the node.
        self.name = name
        self.line = line
        self.reader = reader
        self._grammar = grammar
        self._fields = fields
        self._at = at

    def __contains__(self, field: str) -> bool:
        return field in self._fields

    def get(self, field: str) -> yaml.Node | None:
        return self._fields.get(field)

    def fault(self, what: str, mend: str) -> None:
        """A fault of the node as a whole."""
        self.reader.fault(self._at, what, mend)

    def say(self, field: str = "say") -> tuple[Say, ...]:
        if field not in self:
            return ()
        said = self.reader.say(self._fields[field], field)
        if not said and self._grammar.fields[field].required:
            self.reader.fault(self._fields[field], f"{self._grammar.word} says nothing.", "Name a text.")
        return said

    def node(self, field: str) -> str:
        """The name of a node."""
        return self.reader.target(self.get(field), field)

    def short_name(self, field: str) -> str:
        return (self.reader.name(self._fields[field], field, SHORT_NAME) if field in self else None) or ""

    def variable(self, field: str) -> str:
        return (self.reader.name(self._fields[field], field, VARIABLE) if field in self else None) or ""

    def flag(self, field: str, default: bool) -> bool:
        return self.reader.flag(self.get(field), field, default)

    def seconds(self, field: str, default: float) -> float:
        return self.reader.seconds(self.get(field), field, default, self._grammar.fields)

    def count(self, field: str, default: int) -> int:
        return self.reader.count(self.get(field), field, default, self._grammar.fields)

    def policy(self, field: str, text: str) -> Policy:
        """What to do about silence or a wrong key; `text` is said when the field names none."""
        return self.reader.policy(self.get(field), field, text, line_of(self._at))

    def cases(self, field: str) -> dict[str, str]:
        """Value of a variable -> node."""
        at = self.get(field)
        if at is None:
            return {}
        entries = self.reader.entries(at, field, "Write each as: VALUE: NODE.")
        return {value: self.reader.target(target, f"case {value!r}") for value, (_, target) in entries.items()}

    def by_key(self, field: str, *, longest: int) -> Iterator[tuple[str, yaml.Node]]:
        """Key of the telephone, of up to `longest` digits, and what the file has for it."""
        at = self.get(field)
        if at is None:
            return
        entries = self.reader.entries(at, field, "Write each as: 1: NODE.")
        if isinstance(at, yaml.MappingNode) and not entries:
            self.reader.fault(at, f"it has no {field}.", "Add one, or make it a play.")
        for key, (key_node, value) in entries.items():
            self.reader.keypad(key_node, key, longest)
            yield key, value
