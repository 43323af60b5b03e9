"""The grammar of flows as a JSON Schema, so that editors complete fields and underline mistakes. Pure.

It follows ivr.flow.grammar; what only a whole flow can show (targets, texts, dead ends) is check's business. Names may
have letters of any alphabet, for which the regular expressions of editors have no common word: any
but blanks will do there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from ivr.flow import grammar
from ivr.flow.grammar import NODE_KINDS, Field, NodeKind, Shape
from prompts.languages import LANGUAGES

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_KEYPAD = "[0-9*#]"
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}


def flow_schema() -> Schema:
    """The schema of one file of dialplans/."""
    properties: dict[str, Schema] = {
        "flow": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"},
        "kind": {"enum": ["hotline", "promo"]},
        "languages": {
            "type": "array",
            "items": {"$ref": "#/$defs/language"},
            "minItems": 1,
            "uniqueItems": True,
        },
        "start": {"$ref": "#/$defs/target"},
        "main_message": {"$ref": "#/$defs/key"},
        "variables": {"$ref": "#/$defs/values"},
        "nodes": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"^\S{1,100}$"},
            "additionalProperties": {"$ref": "#/$defs/node"},
        },
    }
    for name, about in grammar.FLOW_FIELDS.items():
        properties[name] = {**properties[name], "description": about}
    return {
        "$schema": _DRAFT,
        "title": "A call flow",
        **_closed(properties, grammar.FLOW_REQUIRED),
        "if": {"properties": {"kind": {"const": "promo"}}},
        "then": {"required": ["main_message"]},
        "$defs": {**_definitions(), "node": _node()},
    }


def _definitions() -> Schema:
    say = {"anyOf": [{"$ref": "#/$defs/key"}, {"$ref": "#/$defs/text"}]}
    return {
        "language": {"enum": list(LANGUAGES)},
        "target": {"type": ["string", "integer"], "description": "The name of a node."},
        "key": {"type": "string", "pattern": r"^\S{1,100}$", "description": "The key of a sentence."},
        "values": {"type": "object", "additionalProperties": _SCALAR},
        "constant": {
            "anyOf": [
                _SCALAR,
                {"type": "object", "propertyNames": {"enum": list(LANGUAGES)}, "additionalProperties": _SCALAR},
            ]
        },
        "text": _closed(
            {
                "text": {"$ref": "#/$defs/key", "description": grammar.TEXT_FIELDS["text"]},
                "with": {
                    "type": "object",
                    "additionalProperties": {"$ref": "#/$defs/constant"},
                    "description": grammar.TEXT_FIELDS["with"],
                },
            },
            ["text"],
        ),
        "say": {"anyOf": [*say["anyOf"], {"type": "array", "items": say}]},
        "policy": _fields(grammar.POLICY_FIELDS),
        "choice": {"anyOf": [{"$ref": "#/$defs/target"}, _fields(grammar.CHOICE_FIELDS)]},
    }


def _node() -> Schema:
    """A map with exactly one kind."""
    kinds = {name: _kind(kind) for name, kind in NODE_KINDS.items()}
    return {**_closed(kinds, ()), "minProperties": 1, "maxProperties": 1}


def _kind(kind: NodeKind) -> Schema:
    shapes = [_fields(kind.fields)]
    if kind.short:
        shapes.append(_shape(kind.fields[kind.short]))
    if not any(item.required for item in kind.fields.values()):
        shapes.append({"type": "null"})
    about = {"description": kind.about}
    return {**shapes[0], **about} if len(shapes) == 1 else {"anyOf": shapes, **about}


def _fields(fields: Mapping[str, Field]) -> Schema:
    properties = {name: {**_shape(item), "description": item.about} for name, item in fields.items()}
    return _closed(properties, [name for name, item in fields.items() if item.required])


def _closed(properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _shape(item: Field) -> Schema:
    low, high = item.limits
    match item.shape:
        case Shape.SAY:
            return {"$ref": "#/$defs/say"}
        case Shape.NODE:
            return {"$ref": "#/$defs/target"}
        case Shape.POLICY:
            return {"$ref": "#/$defs/policy"}
        case Shape.CHOICES:
            return _by_key(f"^{_KEYPAD}{{1,10}}$", {"$ref": "#/$defs/choice"})
        case Shape.TONGUES:
            return _by_key(f"^{_KEYPAD}$", {"$ref": "#/$defs/language"})
        case Shape.CASES:
            return {"type": "object", "additionalProperties": {"$ref": "#/$defs/target"}}
        case Shape.VALUES:
            return {"$ref": "#/$defs/values"}
        case Shape.VARIABLE:
            return {"type": "string", "pattern": r"^\S{1,64}$"}
        case Shape.NAME:
            return {"type": "string", "pattern": r"^\S{1,32}$"}
        case Shape.FLAG:
            return {"type": "boolean"}
        case Shape.COUNT:
            return {"type": "integer", "minimum": low, "maximum": high}
        case Shape.SECONDS:
            return {"type": "number", "minimum": low, "maximum": high}
        case Shape.TERMINATOR:
            return {"enum": ["#", "*", "none", None]}
        case _:
            assert_never(item.shape)


def _by_key(pattern: str, value: Schema) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": pattern},
        "additionalProperties": value,
    }
