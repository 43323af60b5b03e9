"""The machine's vocabulary: events that happen on a call, steps that the call carries out.

The machine is `advance(state, event) -> (state, steps)`. Of the steps of one answer only the last waits for an event;
those before it are done at once. Which event may follow which waiting step:

    Speak      -> Spoken | HungUp
    Listen     -> KeyPressed | Silence | HungUp
    TransferTo -> TransferEnded | HungUp
    End        -> nothing: the call is over

Tuples, because each call makes two dozen: a frozen data class takes more than twice as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from ivr.flow.say import Say
from prompts.languages import Language

# ---------------------------------------------------------------- events


class Begun(NamedTuple):
    """The call was answered."""

    language: Language
    #: What is known of the caller and the campaign: columns of the contacts file, `caller`.
    variables: Mapping[str, str] = MappingProxyType({})


class Ended(StrEnum):
    """Why a text stopped."""

    PLAYED = "played"
    KEY = "key"
    HANG_UP = "hang_up"
    #: The audio could not be played; nothing was heard.
    FAULT = "fault"
    #: The engine ended it: it stops, or the call lasted too long.
    STOPPED = "stopped"


class Heard(NamedTuple):
    """One text of a Speak step: how much of it was heard. Texts never begun have no Heard."""

    text: str
    heard_ms: int
    length_ms: int
    ended: Ended
    #: Keys pressed meanwhile that do not stop it, in order.
    ignored: str = ""


class Spoken(NamedTuple):
    """A Speak step is over: played to its end, or stopped by a key."""

    #: In order; the last one tells how the step ended. HungUp follows as an event of its own.
    heard: tuple[Heard, ...]
    #: The key that stopped it, one of KEYPAD; None: played to the end.
    key: str | None = None


class KeyPressed(NamedTuple):
    key: str


@dataclass(frozen=True, kw_only=True)
class Silence:
    """No key within the Listen step's seconds."""


class TransferEnded(NamedTuple):
    #: Asterisk's DIALSTATUS says "ANSWER": they talked, and the destination hung up first.
    answered: bool


class HungUp(NamedTuple):
    """The caller hung up; the texts heard until then, if it was during a Speak step."""

    heard: tuple[Heard, ...] = ()


Event = Begun | Spoken | KeyPressed | Silence | TransferEnded | HungUp

# ---------------------------------------------------------------- steps


class Speak(NamedTuple):
    node: str
    language: Language
    say: tuple[Say, ...]
    #: Keys that stop the speech: KEYPAD or "".
    stop_keys: str
    #: Variables to fill the texts with.
    variables: Mapping[str, str]


class Listen(NamedTuple):
    node: str
    seconds: float


class TransferTo(NamedTuple):
    node: str
    #: Name of a destination in the site's settings.
    destination: str


class End(NamedTuple):
    """Hang up."""

    node: str
    #: Why, for the journal: "flow" in the usual case, "steps" when the limit on steps was met, "hang_up" after HungUp.
    reason: Literal["flow", "steps", "hang_up", "fault"] = "flow"


class NoteKind(StrEnum):
    """What the journal keeps of a call. The values are stored."""

    #: What was pressed in a menu or gather and led somewhere, a terminator included; `follow_up` as the flow marks it.
    KEY = "key"
    #: A wrong key; `value` is what was typed.
    INVALID = "invalid"
    #: Keys that led nowhere: pressed during a text that they do not stop, or typed in and cut short by the hang-up.
    IGNORED = "ignored"
    #: Silence where a key was asked for.
    NO_INPUT = "no_input"
    LANGUAGE = "language"
    OPT_OUT = "opt_out"
    #: `value` is the kind of request.
    REQUEST = "request"
    #: `value` is the destination.
    TRANSFER = "transfer"
    #: A text was played, as far as `heard` says.
    HEARD = "heard"
    #: Something went wrong on our side; `value` says what.
    FAULT = "fault"


class Note(NamedTuple):
    """One line for the journal. Carried out at once; never waits."""

    kind: NoteKind
    node: str
    value: str = ""
    #: KEY only: the flow marks this key as a follow-up question.
    follow_up: bool = False
    #: KEY only: how many keys came before it on this call.
    depth: int = 0
    #: HEARD only.
    heard: Heard | None = None
    #: HEARD only: this text is the flow's main message.
    main: bool = False
    #: REQUEST only: the variables at that moment, to carry it out with.
    variables: Mapping[str, str] = MappingProxyType({})


Step = Note | Speak | Listen | TransferTo | End
