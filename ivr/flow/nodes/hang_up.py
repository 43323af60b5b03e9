"""hang_up: say goodbye and hang up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.given import Given
from ivr.flow.grammar import SAY_BEFORE, Grammar
from ivr.flow.node import Link, Node
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class HangUp(Node):
    colour: ClassVar[str] = "#5a6472"
    grammar: ClassVar[Grammar] = Grammar(
        word="hang_up", about="Say goodbye and hang up.", fields={"say": SAY_BEFORE}, short="say"
    )
    ends: ClassVar[bool] = True

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(name=given.name, line=given.line, say=given.say())

    def spoken(self, turn: Turn) -> Next:
        return turn.end("flow")

    def waits(self) -> bool:
        return True

    def links(self) -> tuple[Link, ...]:
        return ()
