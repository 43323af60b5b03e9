"""transfer: connect the caller to a destination that the site's settings name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from ivr.flow.fields import did_you_mean
from ivr.flow.given import Given
from ivr.flow.grammar import NAME, NODE, SAY_BEFORE, Field, Grammar
from ivr.flow.node import Finding, Link, Node
from ivr.flow.turn import Next, Turn
from prompts.languages import Language


@dataclass(frozen=True, kw_only=True)
class Transfer(Node):
    #: Name of the destination (`operator`).
    to: str
    #: Where the call goes on when the destination does not answer.
    failed: str

    colour: ClassVar[str] = "#c77d1e"
    grammar: ClassVar[Grammar] = Grammar(
        word="transfer",
        about="Connect the caller to a destination of the site's settings.",
        fields={
            "to": Field(schema=NAME, about="Its name under [destinations] in ivr.toml.", required=True),
            "say": SAY_BEFORE,
            "failed": Field(schema=NODE, about="Where the call goes on when nobody answers there.", required=True),
        },
    )
    ends: ClassVar[bool] = True

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(
            name=given.name,
            line=given.line,
            to=given.short_name("to"),
            say=given.say(),
            failed=given.node("failed"),
        )

    def findings(self, languages: Collection[Language], destinations: Collection[str] | None) -> Iterator[Finding]:
        if destinations is not None and self.to and self.to not in destinations:
            mend = did_you_mean(self.to, tuple(destinations), "Add it under [destinations] in ivr.toml.")
            yield Finding(f"the settings name no destination {self.to}.", mend)

    def spoken(self, turn: Turn) -> Next:
        return turn.transfer(self.to)

    def transfer_ended(self, turn: Turn, *, answered: bool) -> Next:
        return turn.end("flow") if answered else self.failed

    def waits(self) -> bool:
        return True

    def links(self) -> tuple[Link, ...]:
        return (Link(label="no answer", to=self.failed, silent=True),)

    def in_words(self) -> str:
        return f"transfer to {self.to}"
