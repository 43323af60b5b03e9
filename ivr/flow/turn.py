"""What a node may do to a call: speak, listen, transfer, end, and note what happened.

A turn is one advance of the machine under way: the state as far as it got, and the steps so far. Pure; it knows no
flow and no kind of node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ivr.flow.say import FAREWELL, Say
from ivr.flow.state import State, Waiting
from ivr.flow.steps import End, Listen, Note, NoteKind, Speak, Step, TransferTo
from prompts.languages import Language

#: Steps that wait for an event, on one call. A shopper who hears everything twice needs about 60.
MAX_WAITS = 200

#: The node to enter next; None when a step now waits, so that the turn is over.
Next = str | None


class WrongEvent(ValueError):
    """The event can't happen in this state; the engine that sent it has a fault."""


class Turn:
    """Methods that make the call wait, or end it, give None, the `Next` of a turn that is over."""

    def __init__(self, state: State, languages: tuple[Language, ...]) -> None:
        self.state = state
        self.steps: list[Step] = []
        #: Those of the flow, in its order.
        self.languages = languages

    # ------------------------------------------------------------ steps that wait

    def speak(self, say: tuple[Say, ...], stop_keys: str, language: Language | None = None) -> Next:
        """Speak in the caller's language, or in another one."""
        return self._wait(Waiting.SPEECH, self._speech(say, stop_keys, language or self.state.language))

    def listen(self, seconds: float) -> Next:
        """Wait for a key."""
        return self._wait(Waiting.KEY, Listen(node=self.state.node, seconds=seconds))

    def transfer(self, destination: str) -> Next:
        self.note(NoteKind.TRANSFER, destination)
        return self._wait(Waiting.TRANSFER, TransferTo(node=self.state.node, destination=destination))

    def leave(self) -> Next:
        """Say goodbye because a limit was met; End follows the speech."""
        self.state = self.state._replace(waiting=Waiting.SPEECH, leaving=True)
        self.steps.append(self._speech((FAREWELL,), "", self.state.language))
        return None

    def end(self, reason: Literal["flow", "steps", "hang_up"]) -> Next:
        self.state = self.state._replace(waiting=Waiting.NOTHING)
        self.steps.append(End(node=self.state.node, reason=reason))
        return None

    def _speech(self, say: tuple[Say, ...], stop_keys: str, language: Language) -> Speak:
        return Speak(
            node=self.state.node, language=language, say=say, stop_keys=stop_keys, variables=self.state.variables
        )

    def _wait(self, waiting: Waiting, step: Step) -> Next:
        if self.state.waits >= MAX_WAITS:
            return self.leave()
        self.state = self.state._replace(waiting=waiting, waits=self.state.waits + 1)
        self.steps.append(step)
        return None

    # ------------------------------------------------------------ what is kept

    def set(self, values: Mapping[str, str]) -> None:
        """Set variables of the call."""
        self.state = self.state._replace(variables={**self.state.variables, **values})

    def note(self, kind: NoteKind, value: str = "", *, variables: Mapping[str, str] | None = None) -> None:
        self.steps.append(Note(kind=kind, node=self.state.node, value=value, variables=variables or {}))

    def note_key(self, key: str, *, follow_up: bool = False) -> None:
        """Note a key, or keys, that led somewhere."""
        depth = self.state.depth
        self.steps.append(Note(kind=NoteKind.KEY, node=self.state.node, value=key, follow_up=follow_up, depth=depth))
        self.state = self.state._replace(depth=depth + 1)
