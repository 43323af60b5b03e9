"""Walk a call through its flow: `advance(state, event) -> (state, steps)`.

Pure: it reads no clock, plays nothing, keeps nothing. The state is all there is, and survives JSON between any two
events. An event that the state does not wait for raises WrongEvent and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never

from ivr.flow.keys import Match, match_digits, match_key
from ivr.flow.model import (
    KEYPAD,
    Branch,
    Flow,
    Gather,
    Goto,
    HangUp,
    LanguageChoice,
    Menu,
    Node,
    OptOut,
    Play,
    Policy,
    Request,
    Say,
    Transfer,
)
from ivr.flow.state import State, Waiting
from ivr.flow.steps import (
    Begun,
    End,
    Event,
    Heard,
    HungUp,
    KeyPressed,
    Listen,
    Note,
    NoteKind,
    Silence,
    Speak,
    Spoken,
    Step,
    TransferEnded,
    TransferTo,
)
from prompts.languages import Language

#: Steps that wait for an event, on one call. A shopper who hears everything twice needs about 60.
MAX_WAITS = 200
#: Nodes passed without waiting, between two events. The check of a flow refuses such loops; this stops what it missed.
MAX_HOPS = 50
#: Said when a limit is met, so that nobody is dropped in silence.
GOODBYE = Say(text="common.goodbye")

#: Which events each state takes; every other one is refused.
ACCEPTED: Mapping[Waiting, tuple[type[Event], ...]] = {
    Waiting.CALL: (Begun, HungUp),
    Waiting.SPEECH: (Spoken, HungUp),
    Waiting.KEY: (KeyPressed, Silence, HungUp),
    Waiting.TRANSFER: (TransferEnded, HungUp),
    Waiting.NOTHING: (),
}


class WrongEvent(ValueError):
    """The event can't happen in this state; the engine that sent it has a fault."""


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
        turn = _Turn(self.flow, state)
        turn.take(event)
        return turn.state, tuple(turn.steps)


class _Turn:
    """One advance under way: the state as far as it got, and the steps so far.

    Methods that move the call return the name of the node to enter next, or None when a step now waits.
    """

    def __init__(self, flow: Flow, state: State) -> None:
        self.flow = flow
        self.state = state
        self.steps: list[Step] = []

    @property
    def node(self) -> Node:
        return self.flow.nodes[self.state.node]

    def take(self, event: Event) -> None:
        target = self._handle(event)
        for _ in range(MAX_HOPS):
            if target is None:
                return
            self.state = self.state._replace(node=target, typed="", no_inputs=0, invalids=0, tongues=0)
            target = self._begin(self.node)
        self._leave()

    def _handle(self, event: Event) -> str | None:
        match event:
            case Begun():
                language = event.language if event.language in self.flow.languages else self.flow.languages[0]
                self.state = self.state._replace(language=language, variables=dict(event.variables))
                return self.flow.start
            case Spoken():
                stop_keys = "" if self.state.leaving else _stop_keys(self.node)
                if event.key is not None and (len(event.key) != 1 or event.key not in stop_keys):
                    raise WrongEvent(f"key {event.key!r} does not stop the speech of node {self.state.node!r}")
                self._note_heard(event.heard)
                if self.state.leaving:
                    return self._end("steps")
                return self._key(event.key) if event.key is not None else self._after_speech(self.node)
            case KeyPressed():
                if len(event.key) != 1 or event.key not in KEYPAD:
                    raise WrongEvent(f"{event.key!r} is no key of a telephone")
                return self._key(event.key)
            case Silence():
                return self._silence()
            case TransferEnded():
                assert isinstance(self.node, Transfer)  # noqa: S101 - only a transfer waits for this event
                return self._end("flow") if event.answered else self.node.failed
            case HungUp():
                self._note_heard(event.heard)
                if self.state.typed:
                    self._note(NoteKind.IGNORED, self.state.typed)
                return self._end("hang_up")
            case _:
                assert_never(event)

    # ------------------------------------------------------------ entering and leaving nodes

    def _begin(self, node: Node) -> str | None:
        match node:
            case Play() | HangUp():
                return self._speak(node.say)
            case Menu() | Gather():
                return self._speak(node.say)
            case LanguageChoice():
                return self._speak_in_turn(node)
            case Goto():
                return node.to
            case Branch():
                value = self.state.language if node.on == "language" else self.state.variables.get(node.on, "")
                return node.cases.get(value, node.otherwise)
            case Transfer():
                return self._speak(node.say)
            case Request():
                self._note(NoteKind.REQUEST, node.kind, variables=self.state.variables)
                return self._speak(node.say)
            case OptOut():
                self._note(NoteKind.OPT_OUT)
                return self._speak(node.say)
            case _:
                assert_never(node)

    def _after_speech(self, node: Node) -> str | None:
        match node:
            case Play() | Request() | OptOut():
                return node.then
            case Menu() | Gather():
                return self._wait(Waiting.KEY, Listen(node=node.name, seconds=node.first_key_s))
            case LanguageChoice():
                return self._speak_in_turn(node)
            case Transfer():
                self._note(NoteKind.TRANSFER, node.to)
                return self._wait(Waiting.TRANSFER, TransferTo(node=node.name, destination=node.to))
            case HangUp():
                return self._end("flow")
            case Goto() | Branch():
                raise WrongEvent(f"node {node.name!r} never speaks")
            case _:
                assert_never(node)

    # ------------------------------------------------------------ keys

    def _key(self, key: str) -> str | None:
        node, typed = self.node, self.state.typed + key
        match node:
            case Menu():
                return self._menu(node, typed, silent=False)
            case Gather():
                return self._gather(node, typed, silent=False)
            case LanguageChoice():
                chosen = node.keys.get(key)
                if chosen is None:
                    self._note(NoteKind.INVALID, key)
                else:
                    self.state = self.state._replace(language=chosen)
                    self._note(NoteKind.LANGUAGE, chosen)
                return node.then
            case _:
                raise WrongEvent(f"node {node.name!r} takes no keys")

    def _silence(self) -> str | None:
        node, typed = self.node, self.state.typed
        match node:
            case Menu() if typed:
                return self._menu(node, typed, silent=True)
            case Gather() if typed:
                return self._gather(node, typed, silent=True)
            case Menu() | Gather():
                self._note(NoteKind.NO_INPUT)
                self.state = self.state._replace(no_inputs=self.state.no_inputs + 1)
                return self._ask_again(node, node.no_input, self.state.no_inputs)
            case LanguageChoice():
                self._note(NoteKind.NO_INPUT)
                return node.then
            case _:
                raise WrongEvent(f"node {node.name!r} takes no keys")

    def _menu(self, node: Menu, typed: str, *, silent: bool) -> str | None:
        result = match_key(node.keys, typed, silent=silent)
        if result is not Match.COMPLETE:
            return self._not_complete(node, typed, result)
        choice = node.keys[typed]
        self._note_key(typed, follow_up=choice.follow_up)
        self.state = self.state._replace(variables={**self.state.variables, **choice.set})
        return choice.to

    def _gather(self, node: Gather, typed: str, *, silent: bool) -> str | None:
        result, digits = match_digits(
            typed, min_digits=node.min_digits, max_digits=node.max_digits, terminator=node.terminator, silent=silent
        )
        if result is not Match.COMPLETE:
            return self._not_complete(node, typed, result)
        self._note_key(typed, follow_up=False)
        self.state = self.state._replace(variables={**self.state.variables, node.into: digits})
        return node.then

    def _not_complete(self, node: Menu | Gather, typed: str, result: Match) -> str | None:
        if result is Match.INCOMPLETE:
            self.state = self.state._replace(typed=typed)
            return self._wait(Waiting.KEY, Listen(node=node.name, seconds=node.between_keys_s))
        self._note(NoteKind.INVALID, typed)
        self.state = self.state._replace(typed="", invalids=self.state.invalids + 1)
        return self._ask_again(node, node.invalid, self.state.invalids)

    def _ask_again(self, node: Menu | Gather, policy: Policy, times: int) -> str | None:
        if times > policy.repeat:
            return policy.then
        return self._speak(policy.say + (node.say if node.again is None else node.again))

    # ------------------------------------------------------------ steps

    def _speak(self, say: tuple[Say, ...]) -> str | None:
        """Speak in the caller's language; with nothing to say, go on at once."""
        if not say:
            return self._after_speech(self.node)
        return self._wait(Waiting.SPEECH, self._speech(say, self.state.language, _stop_keys(self.node)))

    def _speak_in_turn(self, node: LanguageChoice) -> str | None:
        """Speak in the next language that can be chosen, in the flow's order; after the last one, listen."""
        offered = [language for language in self.flow.languages if language in node.keys.values()]
        turn = self.state.tongues
        if not node.say or turn >= len(offered):
            return self._wait(Waiting.KEY, Listen(node=node.name, seconds=node.first_key_s))
        self.state = self.state._replace(tongues=turn + 1)
        return self._wait(Waiting.SPEECH, self._speech(node.say, offered[turn], KEYPAD))

    def _speech(self, say: tuple[Say, ...], language: Language, stop_keys: str) -> Speak:
        return Speak(
            node=self.state.node, language=language, say=say, stop_keys=stop_keys, variables=self.state.variables
        )

    def _wait(self, waiting: Waiting, step: Step) -> str | None:
        if self.state.waits >= MAX_WAITS:
            return self._leave()
        self.state = self.state._replace(waiting=waiting, waits=self.state.waits + 1)
        self.steps.append(step)
        return None

    def _leave(self) -> str | None:
        """Say goodbye because a limit was met; End follows the speech."""
        self.state = self.state._replace(waiting=Waiting.SPEECH, leaving=True)
        self.steps.append(self._speech((GOODBYE,), self.state.language, ""))
        return None

    def _end(self, reason: Literal["flow", "steps", "hang_up"]) -> str | None:
        self.state = self.state._replace(waiting=Waiting.NOTHING)
        self.steps.append(End(node=self.state.node, reason=reason))
        return None

    # ------------------------------------------------------------ notes

    def _note(self, kind: NoteKind, value: str = "", *, variables: Mapping[str, str] | None = None) -> None:
        self.steps.append(Note(kind=kind, node=self.state.node, value=value, variables=variables or {}))

    def _note_key(self, key: str, *, follow_up: bool) -> None:
        depth = self.state.depth
        self.steps.append(Note(kind=NoteKind.KEY, node=self.state.node, value=key, follow_up=follow_up, depth=depth))
        self.state = self.state._replace(depth=depth + 1)

    def _note_heard(self, heard: tuple[Heard, ...]) -> None:
        for item in heard:
            main = item.text == self.flow.main_message
            if item.ignored:
                self._note(NoteKind.IGNORED, item.ignored)
            self.steps.append(Note(kind=NoteKind.HEARD, node=self.state.node, value=item.text, heard=item, main=main))


def _stop_keys(node: Node) -> str:
    match node:
        case Menu() | Gather():
            return KEYPAD if node.barge_in else ""
        case LanguageChoice():
            return KEYPAD
        case _:
            return ""
