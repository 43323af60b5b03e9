"""What play, request and opt_out share: speech, after which the call goes on. No kind by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.flow.node import Link, Node
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class Onward(Node):
    then: str

    def spoken(self, turn: Turn) -> Next:
        return self.then

    def links(self) -> tuple[Link, ...]:
        return (Link(label="then", to=self.then, silent=True),)
