"""The grammar of dialplans/*.yaml as a table: the kinds of node and their fields. The reader of files and the JSON
Schema for editors both follow it. Data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Shape(Enum):
    """What a field holds."""

    #: One text or a list of texts: `promo.offer`, or {text: promo.offer, with: {name: value}}.
    SAY = auto()
    #: The name of a node.
    NODE = auto()
    #: What to do about silence or a wrong key: {repeat, say, then}.
    POLICY = auto()
    #: Key -> node, or {to, follow_up, set}.
    CHOICES = auto()
    #: Key -> language.
    TONGUES = auto()
    #: Value of a variable -> node.
    CASES = auto()
    #: The name of a variable.
    VARIABLE = auto()
    #: Variable -> value.
    VALUES = auto()
    #: A short name that something outside of the flow knows: a destination, a kind of request.
    NAME = auto()
    FLAG = auto()
    #: A whole number within the field's limits.
    COUNT = auto()
    #: Seconds within the field's limits.
    SECONDS = auto()
    #: `*`, `#` or nothing.
    TERMINATOR = auto()


@dataclass(frozen=True, kw_only=True)
class Field:
    shape: Shape
    #: For editors: what it is for, and the default.
    about: str
    required: bool = False
    #: Lowest and highest value of COUNT and SECONDS.
    limits: tuple[float, float] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class NodeKind:
    about: str
    fields: Mapping[str, Field]
    #: The field that may be written alone: `goto: main`.
    short: str | None = None


_SAY = Field(shape=Shape.SAY, about="What is said: a text key, or a list of them.", required=True)
_THEN = Field(shape=Shape.NODE, about="The node that comes next.", required=True)
_NO_INPUT = Field(
    shape=Shape.POLICY,
    about="On silence. By default common.no_input is said, the question is asked twice more, then goodbye.",
)
_INVALID = Field(
    shape=Shape.POLICY,
    about="On a wrong key. By default common.wrong_key is said, the question is asked twice more, then goodbye.",
)
_AGAIN = Field(shape=Shape.SAY, about="Said in place of `say` when the question is asked again; by default `say`.")
_BARGE_IN = Field(shape=Shape.FLAG, about="Keys interrupt the speech; by default they do.")
_FIRST_KEY = Field(
    shape=Shape.SECONDS, about="Seconds of silence after the speech before `no_input`; 5.", limits=(1, 60)
)
_BETWEEN_KEYS = Field(shape=Shape.SECONDS, about="Longest gap between two digits, seconds; 3.", limits=(0.5, 20))

NODE_KINDS: Mapping[str, NodeKind] = {
    "play": NodeKind(about="Say something without listening for keys, and go on.", fields={"say": _SAY, "then": _THEN}),
    "menu": NodeKind(
        about="Say something and take one of the keys.",
        fields={
            "say": _SAY,
            "keys": Field(shape=Shape.CHOICES, about="Where each key leads.", required=True),
            "again": _AGAIN,
            "no_input": _NO_INPUT,
            "invalid": _INVALID,
            "barge_in": _BARGE_IN,
            "first_key_s": _FIRST_KEY,
            "between_keys_s": _BETWEEN_KEYS,
        },
    ),
    "gather": NodeKind(
        about="Say something and take several digits into a variable.",
        fields={
            "say": _SAY,
            "into": Field(shape=Shape.VARIABLE, about="The variable that gets the digits.", required=True),
            "then": _THEN,
            "min_digits": Field(shape=Shape.COUNT, about="Fewest digits; 1.", limits=(1, 40)),
            "max_digits": Field(shape=Shape.COUNT, about="Most digits: the input ends there; 20.", limits=(1, 40)),
            "terminator": Field(
                shape=Shape.TERMINATOR, about='The key that ends the input: "#" (the default), "*", none.'
            ),
            "again": _AGAIN,
            "no_input": _NO_INPUT,
            "invalid": _INVALID,
            "barge_in": _BARGE_IN,
            "first_key_s": _FIRST_KEY,
            "between_keys_s": _BETWEEN_KEYS,
        },
    ),
    "language": NodeKind(
        about="Say something in every language and take the caller's; otherwise the language stays as it is.",
        fields={
            "say": _SAY,
            "keys": Field(shape=Shape.TONGUES, about="Which key chooses which language.", required=True),
            "then": _THEN,
            "first_key_s": _FIRST_KEY,
        },
    ),
    "goto": NodeKind(
        about="Go on at another node.",
        fields={"to": Field(shape=Shape.NODE, about="That node.", required=True)},
        short="to",
    ),
    "branch": NodeKind(
        about="Go on by the value of a variable.",
        fields={
            "on": Field(
                shape=Shape.VARIABLE, about="The variable; `language` is the caller's language.", required=True
            ),
            "cases": Field(shape=Shape.CASES, about='Where each value leads; "" is a missing one.', required=True),
            "otherwise": Field(shape=Shape.NODE, about="Where every other value leads.", required=True),
        },
    ),
    "transfer": NodeKind(
        about="Connect the caller to a destination of the site's settings.",
        fields={
            "to": Field(shape=Shape.NAME, about="Its name under [destinations] in ivr.toml.", required=True),
            "say": Field(shape=Shape.SAY, about="What is said before."),
            "failed": Field(shape=Shape.NODE, about="Where the call goes on when nobody answers there.", required=True),
        },
    ),
    "request": NodeKind(
        about="Record something that the caller asks for, then say so.",
        fields={
            "kind": Field(shape=Shape.NAME, about="What it is, such as send_address or call_back.", required=True),
            "say": Field(shape=Shape.SAY, about="What is said after."),
            "then": _THEN,
        },
    ),
    "opt_out": NodeKind(
        about="Never call this person again: put the number on the do-not-call list, then say so.",
        fields={"say": Field(shape=Shape.SAY, about="What is said after."), "then": _THEN},
    ),
    "hang_up": NodeKind(
        about="Say goodbye and hang up.",
        fields={"say": Field(shape=Shape.SAY, about="What is said before.")},
        short="say",
    ),
}

POLICY_FIELDS: Mapping[str, Field] = {
    "repeat": Field(shape=Shape.COUNT, about="How many times the question is asked again; 2.", limits=(0, 5)),
    "say": Field(shape=Shape.SAY, about="Said before it is asked again; [] for nothing."),
    "then": Field(shape=Shape.NODE, about="Where the call goes after the last repeat; goodbye."),
}

CHOICE_FIELDS: Mapping[str, Field] = {
    "to": Field(shape=Shape.NODE, about="The node that the key leads to.", required=True),
    "follow_up": Field(shape=Shape.FLAG, about="The key is a follow-up question: the report counts who pressed it."),
    "set": Field(shape=Shape.VALUES, about="Variables that the key sets: {city: moscow}."),
}

TEXT_FIELDS: Mapping[str, str] = {
    "text": "The key of a sentence in prompts/texts.",
    "with": "Values of its variables: one for every language, or {ru: ..., uk: ..., en: ...}.",
}

FLOW_FIELDS: Mapping[str, str] = {
    "flow": "The flow's name: letters, digits, dash, underscore.",
    "kind": "hotline: shoppers call us; promo: we call them.",
    "languages": "The languages it speaks, the usual one first.",
    "start": "The node a call begins in.",
    "main_message": "promo: the text that the campaign is about; who heard it to its end has listened.",
    "variables": "What a call brings, each with an example: columns of the contacts file.",
    "nodes": "The nodes by name. One called goodbye, which says common.goodbye and hangs up, is always there.",
}
FLOW_REQUIRED = ("flow", "kind", "languages", "start", "nodes")

#: The node that every flow has, unless it defines one of this name.
GOODBYE = "goodbye"
GOODBYE_TEXT = "common.goodbye"
NO_INPUT_TEXT = "common.no_input"
WRONG_KEY_TEXT = "common.wrong_key"
#: Asks of a policy that names none.
REPEAT = 2
