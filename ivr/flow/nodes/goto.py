"""goto: go on at another node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.given import Given
from ivr.flow.grammar import NODE, Field, Grammar
from ivr.flow.node import Link, Node
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class Goto(Node):
    to: str

    colour: ClassVar[str] = "#7a8594"
    grammar: ClassVar[Grammar] = Grammar(
        word="goto",
        about="Go on at another node.",
        fields={"to": Field(schema=NODE, about="That node.", required=True)},
        short="to",
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(name=given.name, line=given.line, to=given.node("to"))

    def entered(self, turn: Turn) -> Next:
        return self.to

    def links(self) -> tuple[Link, ...]:
        return (Link(label="then", to=self.to, silent=True),)
