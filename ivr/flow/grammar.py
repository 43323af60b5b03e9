"""The grammar of dialplans/*.yaml as data: what a field is for, and what an editor takes for it.

The fields of each kind of node are in its own file under ivr/flow/nodes; here are the ones that many share, and those
of the flow around the nodes. The reader of files and the JSON Schema for editors both follow it. Data only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A JSON Schema, or a part of one.
Schema = dict[str, Any]

#: One text or a list of texts: `promo.offer`, or {text: promo.offer, with: {name: value}}.
SAY: Schema = {"$ref": "#/$defs/say"}
#: The name of a node.
NODE: Schema = {"$ref": "#/$defs/target"}
#: What to do about silence or a wrong key: {repeat, say, then}.
POLICY: Schema = {"$ref": "#/$defs/policy"}
#: Value of a variable -> node.
CASES: Schema = {"type": "object", "additionalProperties": NODE}
#: The name of a variable.
VARIABLE: Schema = {"type": "string", "pattern": r"^\S{1,64}$"}
#: Variable -> value.
VALUES: Schema = {"$ref": "#/$defs/values"}
#: A short name that something outside of the flow knows: a destination, a kind of request.
NAME: Schema = {"type": "string", "pattern": r"^\S{1,32}$"}
LANGUAGE: Schema = {"$ref": "#/$defs/language"}
FLAG: Schema = {"type": "boolean"}


def count(lowest: int, highest: int) -> Schema:
    """A whole number within limits."""
    return {"type": "integer", "minimum": lowest, "maximum": highest}


def seconds(lowest: float, highest: float) -> Schema:
    """Seconds within limits."""
    return {"type": "number", "minimum": lowest, "maximum": highest}


def by_key(value: Schema, *, longest: int) -> Schema:
    """Key of the telephone, of up to `longest` digits -> value."""
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[0-9*#]$" if longest == 1 else f"^[0-9*#]{{1,{longest}}}$"},
        "additionalProperties": value,
    }


@dataclass(frozen=True, kw_only=True)
class Field:
    #: What an editor takes for it.
    schema: Schema
    #: For editors: what it is for, and the default.
    about: str
    required: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value of a count or of seconds."""
        return self.schema["minimum"], self.schema["maximum"]


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """How a kind of node is written in a file."""

    #: The word for the kind: `play` in `hello: {play: {say: shop.welcome}}`.
    word: str
    about: str
    fields: Mapping[str, Field]
    #: The field that may be written alone: `goto: main`.
    short: str | None = None
    #: Schemas of its own, by the names under which its fields refer to them.
    definitions: Mapping[str, Schema] = field(default_factory=dict)


def closed(properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    """A map of these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def fields_schema(fields: Mapping[str, Field]) -> Schema:
    properties = {name: {**item.schema, "description": item.about} for name, item in fields.items()}
    return closed(properties, [name for name, item in fields.items() if item.required])


# ---------------------------------------------------------------- fields that many kinds of node have

SAY_FIELD = Field(schema=SAY, about="What is said: a text key, or a list of them.", required=True)
SAY_BEFORE = Field(schema=SAY, about="What is said before.")
SAY_AFTER = Field(schema=SAY, about="What is said after.")
THEN = Field(schema=NODE, about="The node that comes next.", required=True)
FIRST_KEY = Field(schema=seconds(1, 60), about="Seconds of silence after the speech before `no_input`; 5.")

# ---------------------------------------------------------------- the flow around the nodes

POLICY_FIELDS: Mapping[str, Field] = {
    "repeat": Field(schema=count(0, 5), about="How many times the question is asked again; 2."),
    "say": Field(schema=SAY, about="Said before it is asked again; [] for nothing."),
    "then": Field(schema=NODE, about="Where the call goes after the last repeat; goodbye."),
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
#: Asks of a policy that names none.
REPEAT = 2
