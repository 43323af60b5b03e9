"""branch: go on by the value of a variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.given import Given
from ivr.flow.grammar import CASES, NODE, VARIABLE, Field, Grammar
from ivr.flow.node import Link, Node
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class Branch(Node):
    """Go on by the value of a variable; a missing variable is "", and `language` is the caller's language."""

    on: str
    cases: Mapping[str, str]
    otherwise: str

    colour: ClassVar[str] = "#7a8594"
    grammar: ClassVar[Grammar] = Grammar(
        word="branch",
        about="Go on by the value of a variable.",
        fields={
            "on": Field(schema=VARIABLE, about="The variable; `language` is the caller's language.", required=True),
            "cases": Field(schema=CASES, about='Where each value leads; "" is a missing one.', required=True),
            "otherwise": Field(schema=NODE, about="Where every other value leads.", required=True),
        },
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(
            name=given.name,
            line=given.line,
            on=given.variable("on"),
            cases=given.cases("cases"),
            otherwise=given.node("otherwise"),
        )

    def entered(self, turn: Turn) -> Next:
        value = turn.state.language if self.on == "language" else turn.state.variables.get(self.on, "")
        return self.cases.get(value, self.otherwise)

    def links(self) -> tuple[Link, ...]:
        cases = (
            Link(label=f"{self.on} = {value or 'nothing'}", to=to, silent=True) for value, to in self.cases.items()
        )
        return (*cases, Link(label="otherwise", to=self.otherwise, silent=True))

    def in_words(self) -> str:
        return f"branch on {self.on}"
