"""menu: speak and take one of the keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import yaml

from ivr.flow.given import Given
from ivr.flow.grammar import FLAG, NODE, SAY_FIELD, VALUES, Field, Grammar, by_key, fields_schema
from ivr.flow.keys import Match, match_key
from ivr.flow.node import Link
from ivr.flow.nodes.question import NO_INPUT_TEXT, QUESTION_FIELDS, WRONG_KEY_TEXT, Question
from ivr.flow.turn import Next, Turn

_CHOICE_FIELDS: Mapping[str, Field] = {
    "to": Field(schema=NODE, about="The node that the key leads to.", required=True),
    "follow_up": Field(schema=FLAG, about="The key is a follow-up question: the report counts who pressed it."),
    "set": Field(schema=VALUES, about="Variables that the key sets: {city: moscow}."),
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one key of a menu leads to."""

    to: str
    #: The key is a follow-up question in the report's sense.
    follow_up: bool = False
    #: Variables set by the choice.
    set: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Menu(Question):
    """Speak and take one of the keys. A key may have several digits ("12")."""

    keys: Mapping[str, Choice]

    grammar: ClassVar[Grammar] = Grammar(
        word="menu",
        about="Say something and take one of the keys.",
        fields={
            "say": SAY_FIELD,
            "keys": Field(
                schema=by_key({"$ref": "#/$defs/choice"}, longest=10), about="Where each key leads.", required=True
            ),
            **QUESTION_FIELDS,
        },
        definitions={"choice": {"anyOf": [NODE, fields_schema(_CHOICE_FIELDS)]}},
    )
    offers_keys: ClassVar[bool] = True

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(
            name=given.name,
            line=given.line,
            say=given.say(),
            keys={key: _choice(given, key, value) for key, value in given.by_key("keys", longest=10)},
            no_input=given.policy("no_input", NO_INPUT_TEXT),
            invalid=given.policy("invalid", WRONG_KEY_TEXT),
            again=given.say("again") if "again" in given else None,
            barge_in=given.flag("barge_in", True),
            first_key_s=given.seconds("first_key_s", 5.0),
            between_keys_s=given.seconds("between_keys_s", 3.0),
        )

    def take(self, turn: Turn, typed: str, *, silent: bool) -> Next:
        result = match_key(self.keys, typed, silent=silent)
        if result is not Match.COMPLETE:
            return self.not_complete(turn, typed, result)
        choice = self.keys[typed]
        turn.note_key(typed, follow_up=choice.follow_up)
        turn.set(choice.set)
        return choice.to

    def links(self) -> tuple[Link, ...]:
        keys = (
            Link(label=key, to=choice.to, pressed=True, follow_up=choice.follow_up) for key, choice in self.keys.items()
        )
        return (*keys, *self.ways_out())

    def sets(self) -> Collection[str]:
        return {name for choice in self.keys.values() for name in choice.set}


def _choice(given: Given, key: str, at: yaml.Node) -> Choice:
    read = given.reader
    if not isinstance(at, yaml.MappingNode):
        return Choice(to=read.target(at, f"key {key}"))
    fields = read.fields(at, _CHOICE_FIELDS, f"key {key}")
    return Choice(
        to=read.target(fields.get("to"), f"key {key}"),
        follow_up=read.flag(fields.get("follow_up"), "follow_up", False),
        set=read.values(fields["set"], "set") if "set" in fields else {},
    )
