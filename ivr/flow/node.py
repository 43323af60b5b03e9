"""What a node is to the engine, whatever its kind. Pure.

A kind is one file of ivr/flow/nodes: a subclass of Node with its data, its grammar, what it does on a call, where it
leads and how it is drawn. The engine asks a node and never its kind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from ivr.flow.given import Given
from ivr.flow.grammar import Grammar
from ivr.flow.say import Say
from ivr.flow.turn import Next, Turn, WrongEvent
from prompts.languages import Language


@dataclass(frozen=True, kw_only=True)
class Link:
    #: What takes the caller there: "1", "no input", "then" ...
    label: str
    to: str
    #: The caller pressed a key for it.
    pressed: bool = False
    #: The key is a follow-up question.
    follow_up: bool = False
    #: This is where the call goes on when the caller presses nothing.
    silent: bool = False


class Finding(NamedTuple):
    """What is wrong with a node, and the mend."""

    what: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class Node:
    name: str
    line: int
    #: What is said when the node is entered. The grammar of a kind that never speaks has no such field.
    say: tuple[Say, ...] = ()

    # ------------------------------------------------------------ in a file

    grammar: ClassVar[Grammar]

    @classmethod
    def build(cls, given: Given) -> Self:
        """The node that a file describes. Misfits become faults of `given`, and defaults."""
        raise NotImplementedError

    def findings(self, languages: Collection[Language], destinations: Collection[str] | None) -> Iterator[Finding]:
        """What is wrong with it in a flow of these languages, at a site of these destinations; None: not known."""
        yield from ()

    # ------------------------------------------------------------ on a call

    def stop_keys(self) -> str:
        """The keys that stop what it says: KEYPAD or ""."""
        return ""

    def entered(self, turn: Turn) -> Next:
        """The call comes to it."""
        return self.speak(turn)

    def spoken(self, turn: Turn) -> Next:
        """What it said was heard to its end, or there was nothing to say."""
        raise WrongEvent(f"node {self.name!r} never speaks")

    def key(self, turn: Turn, key: str) -> Next:
        """The caller pressed one of KEYPAD."""
        raise WrongEvent(f"node {self.name!r} takes no keys")

    def silence(self, turn: Turn) -> Next:
        """The caller pressed nothing for as long as the turn listened."""
        raise WrongEvent(f"node {self.name!r} takes no keys")

    def transfer_ended(self, turn: Turn, *, answered: bool) -> Next:
        raise WrongEvent(f"node {self.name!r} transfers nobody")

    def speak(self, turn: Turn, say: tuple[Say, ...] | None = None) -> Next:
        """Speak, `say` in place of its own texts when given; with nothing to say, go on at once."""
        texts = self.say if say is None else say
        return turn.speak(texts, self.stop_keys()) if texts else self.spoken(turn)

    # ------------------------------------------------------------ in the flow

    #: A call may end in it.
    ends: ClassVar[bool] = False
    #: It offers keys, each of which leads somewhere.
    offers_keys: ClassVar[bool] = False
    #: It puts the caller on the do-not-call list.
    opts_out: ClassVar[bool] = False

    def waits(self) -> bool:
        """Whether a call ever stands still in it; a node that does not wait is passed within an instant."""
        return bool(self.say)

    def links(self) -> tuple[Link, ...]:
        """Every way on, in the order of the file."""
        raise NotImplementedError

    def says(self) -> tuple[Say, ...]:
        """Every text that it may say."""
        return self.say

    def sets(self) -> Collection[str]:
        """Names of the variables that it may set."""
        return ()

    # ------------------------------------------------------------ in pictures

    #: Of the head of its card.
    colour: ClassVar[str]

    def in_words(self) -> str:
        """What it is, in two or three words: "gather card"."""
        return self.grammar.word.replace("_", " ")
