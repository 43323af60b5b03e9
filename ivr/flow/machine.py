"""Walk a call through its flow: `advance(state, event) -> (state, steps)`.

Pure: it reads no clock, plays nothing, keeps nothing. The state is all there is, and survives JSON between any two
events. An event that the state does not wait for raises WrongEvent and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from ivr.flow.keys import KEYPAD
from ivr.flow.model import Flow
from ivr.flow.node import Node
from ivr.flow.state import State, Waiting
from ivr.flow.steps import (
    Begun,
    Event,
    Heard,
    HungUp,
    KeyPressed,
    Note,
    NoteKind,
    Silence,
    Spoken,
    Step,
    TransferEnded,
)
from ivr.flow.turn import MAX_WAITS, Next, Turn, WrongEvent

__all__ = ["ACCEPTED", "MAX_HOPS", "MAX_WAITS", "Machine", "WrongEvent"]

#: Nodes passed without waiting, between two events. The check of a flow refuses such loops; this stops what it missed.
MAX_HOPS = 50

#: Which events each state takes; every other one is refused.
ACCEPTED: Mapping[Waiting, tuple[type[Event], ...]] = {
    Waiting.CALL: (Begun, HungUp),
    Waiting.SPEECH: (Spoken, HungUp),
    Waiting.KEY: (KeyPressed, Silence, HungUp),
    Waiting.TRANSFER: (TransferEnded, HungUp),
    Waiting.NOTHING: (),
}


class Machine:
    """Runs calls through one flow; holds no call's state."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def advance(self, state: State, event: Event) -> tuple[State, tuple[Step, ...]]:
        """The next state, and the steps that lead there; only the last step waits (see ivr.flow.steps).

        Raises WrongEvent, with `state` still good, when the event is not one that the state waits for.
        """
        if not isinstance(event, ACCEPTED[state.waiting]):
            raise WrongEvent(f"{type(event).__name__} while waiting for {state.waiting.value}")
        if state.node and state.node not in self.flow.nodes:
            raise WrongEvent(f"the state is in node {state.node!r}, which flow {self.flow.name!r} does not have")
        turn = Turn(state, self.flow.languages)
        _Walk(self.flow, turn).take(event)
        return turn.state, tuple(turn.steps)


class _Walk:
    """From node to node until a step waits. What a node does is its own business."""

    def __init__(self, flow: Flow, turn: Turn) -> None:
        self.flow = flow
        self.turn = turn

    @property
    def node(self) -> Node:
        return self.flow.nodes[self.turn.state.node]

    def take(self, event: Event) -> None:
        target = self._handle(event)
        for _ in range(MAX_HOPS):
            if target is None:
                return
            self.turn.state = self.turn.state._replace(node=target, typed="", no_inputs=0, invalids=0, tongues=0)
            target = self.node.entered(self.turn)
        self.turn.leave()

    def _handle(self, event: Event) -> Next:
        turn = self.turn
        match event:
            case Begun():
                language = event.language if event.language in self.flow.languages else self.flow.languages[0]
                turn.state = turn.state._replace(language=language, variables=dict(event.variables))
                return self.flow.start
            case Spoken():
                stop_keys = "" if turn.state.leaving else self.node.stop_keys()
                if event.key is not None and (len(event.key) != 1 or event.key not in stop_keys):
                    raise WrongEvent(f"key {event.key!r} does not stop the speech of node {turn.state.node!r}")
                self._note_heard(event.heard)
                if turn.state.leaving:
                    return turn.end("steps")
                return self.node.spoken(turn) if event.key is None else self.node.key(turn, event.key)
            case KeyPressed():
                if len(event.key) != 1 or event.key not in KEYPAD:
                    raise WrongEvent(f"{event.key!r} is no key of a telephone")
                return self.node.key(turn, event.key)
            case Silence():
                return self.node.silence(turn)
            case TransferEnded():
                return self.node.transfer_ended(turn, answered=event.answered)
            case HungUp():
                self._note_heard(event.heard)
                if turn.state.typed:
                    turn.note(NoteKind.IGNORED, turn.state.typed)
                return turn.end("hang_up")
            case _:
                assert_never(event)

    def _note_heard(self, heard: tuple[Heard, ...]) -> None:
        for item in heard:
            main = item.text == self.flow.main_message
            if item.ignored:
                self.turn.note(NoteKind.IGNORED, item.ignored)
            node = self.turn.state.node
            self.turn.steps.append(Note(kind=NoteKind.HEARD, node=node, value=item.text, heard=item, main=main))
