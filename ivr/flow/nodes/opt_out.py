"""opt_out: put the caller on the do-not-call list, then say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.given import Given
from ivr.flow.grammar import SAY_AFTER, THEN, Grammar
from ivr.flow.nodes.onward import Onward
from ivr.flow.steps import NoteKind
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class OptOut(Onward):
    colour: ClassVar[str] = "#c24a4a"
    grammar: ClassVar[Grammar] = Grammar(
        word="opt_out",
        about="Never call this person again: put the number on the do-not-call list, then say so.",
        fields={"say": SAY_AFTER, "then": THEN},
    )
    opts_out: ClassVar[bool] = True

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(name=given.name, line=given.line, say=given.say(), then=given.node("then"))

    def entered(self, turn: Turn) -> Next:
        turn.note(NoteKind.OPT_OUT)
        return self.speak(turn)
