"""play: speak without listening for keys, and go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.given import Given
from ivr.flow.grammar import SAY_FIELD, THEN, Grammar
from ivr.flow.nodes.onward import Onward


@dataclass(frozen=True, kw_only=True)
class Play(Onward):
    colour: ClassVar[str] = "#3b82c4"
    grammar: ClassVar[Grammar] = Grammar(
        word="play",
        about="Say something without listening for keys, and go on.",
        fields={"say": SAY_FIELD, "then": THEN},
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(name=given.name, line=given.line, say=given.say(), then=given.node("then"))
