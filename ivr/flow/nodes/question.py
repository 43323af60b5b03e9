"""What menu and gather share: a question that is asked again after silence or a wrong key. No kind by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ivr.flow.grammar import FIRST_KEY, FLAG, POLICY, SAY, Field, seconds
from ivr.flow.keys import KEYPAD, Match
from ivr.flow.node import Link, Node
from ivr.flow.policy import Policy
from ivr.flow.say import Say
from ivr.flow.steps import NoteKind
from ivr.flow.turn import Next, Turn

NO_INPUT_TEXT = "common.no_input"
WRONG_KEY_TEXT = "common.wrong_key"

QUESTION_FIELDS = {
    "again": Field(schema=SAY, about="Said in place of `say` when the question is asked again; by default `say`."),
    "no_input": Field(
        schema=POLICY,
        about="On silence. By default common.no_input is said, the question is asked twice more, then goodbye.",
    ),
    "invalid": Field(
        schema=POLICY,
        about="On a wrong key. By default common.wrong_key is said, the question is asked twice more, then goodbye.",
    ),
    "barge_in": Field(schema=FLAG, about="Keys interrupt the speech; by default they do."),
    "first_key_s": FIRST_KEY,
    "between_keys_s": Field(schema=seconds(0.5, 20), about="Longest gap between two digits, seconds; 3."),
}


@dataclass(frozen=True, kw_only=True)
class Question(Node):
    no_input: Policy
    invalid: Policy
    #: Said in place of `say` when the question is asked again; None: `say` itself.
    again: tuple[Say, ...] | None = None
    #: Keys interrupt the speech.
    barge_in: bool = True
    #: Seconds of silence after the speech before `no_input`.
    first_key_s: float = 5.0
    #: Longest gap between two digits.
    between_keys_s: float = 3.0

    colour: ClassVar[str] = "#2f8f6b"

    def stop_keys(self) -> str:
        return KEYPAD if self.barge_in else ""

    def take(self, turn: Turn, typed: str, *, silent: bool) -> Next:
        """What was typed since the question was asked; `silent`: and nothing more came."""
        raise NotImplementedError

    def spoken(self, turn: Turn) -> Next:
        return turn.listen(self.first_key_s)

    def key(self, turn: Turn, key: str) -> Next:
        return self.take(turn, turn.state.typed + key, silent=False)

    def silence(self, turn: Turn) -> Next:
        if turn.state.typed:
            return self.take(turn, turn.state.typed, silent=True)
        turn.note(NoteKind.NO_INPUT)
        turn.state = turn.state._replace(no_inputs=turn.state.no_inputs + 1)
        return self._ask_again(turn, self.no_input, turn.state.no_inputs)

    def not_complete(self, turn: Turn, typed: str, result: Match) -> Next:
        """Wait for more, or take it as wrong."""
        if result is Match.INCOMPLETE:
            turn.state = turn.state._replace(typed=typed)
            return turn.listen(self.between_keys_s)
        turn.note(NoteKind.INVALID, typed)
        turn.state = turn.state._replace(typed="", invalids=turn.state.invalids + 1)
        return self._ask_again(turn, self.invalid, turn.state.invalids)

    def _ask_again(self, turn: Turn, policy: Policy, times: int) -> Next:
        if times > policy.repeat:
            return policy.then
        return self.speak(turn, policy.say + (self.say if self.again is None else self.again))

    def waits(self) -> bool:
        return True

    def ways_out(self) -> tuple[Link, Link]:
        """Where the call goes on when no answer comes."""
        return (
            Link(label="silence", to=self.no_input.then, silent=True),
            Link(label="wrong key", to=self.invalid.then),
        )

    def says(self) -> tuple[Say, ...]:
        return (*self.say, *(self.again or ()), *self.no_input.say, *self.invalid.say)
