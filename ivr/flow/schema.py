"""The grammar of flows as a JSON Schema, so that editors complete fields and underline mistakes. Pure.

It follows ivr.flow.grammar and the kinds of node; what only a whole flow can show (targets, texts, dead ends) is
check's business. Names may have letters of any alphabet, for which the regular expressions of editors have no common
word: any but blanks will do there.
"""

from __future__ import annotations

from ivr.flow import grammar
from ivr.flow.grammar import LANGUAGE, NODE, Grammar, Schema, closed, fields_schema
from ivr.flow.nodes import by_word
from prompts.languages import LANGUAGES

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}


def flow_schema() -> Schema:
    """The schema of one file of dialplans/."""
    properties: dict[str, Schema] = {
        "flow": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"},
        "kind": {"enum": ["hotline", "promo"]},
        "languages": {
            "type": "array",
            "items": LANGUAGE,
            "minItems": 1,
            "uniqueItems": True,
        },
        "start": NODE,
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
        **closed(properties, grammar.FLOW_REQUIRED),
        "if": {"properties": {"kind": {"const": "promo"}}},
        "then": {"required": ["main_message"]},
        "$defs": {**_definitions(), **_kinds()},
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
        "text": closed(
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
        "policy": fields_schema(grammar.POLICY_FIELDS),
    }


def _kinds() -> dict[str, Schema]:
    """What the kinds define for themselves, and the node: a map with exactly one kind."""
    words = {word: kind.grammar for word, kind in by_word().items()}
    definitions: dict[str, Schema] = {}
    for kind in words.values():
        definitions |= kind.definitions
    node = closed({word: _kind(kind) for word, kind in words.items()}, ())
    return {**definitions, "node": {**node, "minProperties": 1, "maxProperties": 1}}


def _kind(kind: Grammar) -> Schema:
    shapes = [fields_schema(kind.fields)]
    if kind.short:
        shapes.append(kind.fields[kind.short].schema)
    if not any(item.required for item in kind.fields.values()):
        shapes.append({"type": "null"})
    about = {"description": kind.about}
    return {**shapes[0], **about} if len(shapes) == 1 else {"anyOf": shapes, **about}
