"""request: record something that the caller asks for, then say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.given import Given
from ivr.flow.grammar import NAME, SAY_AFTER, THEN, Field, Grammar
from ivr.flow.nodes.onward import Onward
from ivr.flow.steps import NoteKind
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class Request(Onward):
    #: What it is: `send_address`, `call_back`.
    kind: str

    colour: ClassVar[str] = "#c77d1e"
    grammar: ClassVar[Grammar] = Grammar(
        word="request",
        about="Record something that the caller asks for, then say so.",
        fields={
            "kind": Field(schema=NAME, about="What it is, such as send_address or call_back.", required=True),
            "say": SAY_AFTER,
            "then": THEN,
        },
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(
            name=given.name,
            line=given.line,
            kind=given.short_name("kind"),
            say=given.say(),
            then=given.node("then"),
        )

    def entered(self, turn: Turn) -> Next:
        turn.note(NoteKind.REQUEST, self.kind, variables=turn.state.variables)
        return self.speak(turn)

    def in_words(self) -> str:
        return f"request {self.kind}"
