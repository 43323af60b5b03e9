"""gather: speak and take several digits into a variable."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Self

import yaml

from ivr.flow.fields import is_null
from ivr.flow.given import Given
from ivr.flow.grammar import SAY_FIELD, THEN, VARIABLE, Field, Grammar, count
from ivr.flow.keys import Match, match_digits
from ivr.flow.node import Link
from ivr.flow.nodes.question import NO_INPUT_TEXT, QUESTION_FIELDS, WRONG_KEY_TEXT, Question
from ivr.flow.turn import Next, Turn


@dataclass(frozen=True, kw_only=True)
class Gather(Question):
    #: The variable.
    into: str
    then: str
    min_digits: int = 1
    max_digits: int = 20
    #: Ends the input early; not part of it. None: only length or the time-out ends it.
    terminator: str | None = "#"

    grammar: ClassVar[Grammar] = Grammar(
        word="gather",
        about="Say something and take several digits into a variable.",
        fields={
            "say": SAY_FIELD,
            "into": Field(schema=VARIABLE, about="The variable that gets the digits.", required=True),
            "then": THEN,
            "min_digits": Field(schema=count(1, 40), about="Fewest digits; 1."),
            "max_digits": Field(schema=count(1, 40), about="Most digits: the input ends there; 20."),
            "terminator": Field(
                schema={"enum": ["#", "*", "none", None]},
                about='The key that ends the input: "#" (the default), "*", none.',
            ),
            **QUESTION_FIELDS,
        },
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        fewest, most = given.count("min_digits", 1), given.count("max_digits", 20)
        if fewest > most:
            given.fault(f"min_digits {fewest} is above max_digits {most}.", "Swap or mend them.")
        return cls(
            name=given.name,
            line=given.line,
            say=given.say(),
            into=given.variable("into"),
            then=given.node("then"),
            no_input=given.policy("no_input", NO_INPUT_TEXT),
            invalid=given.policy("invalid", WRONG_KEY_TEXT),
            again=given.say("again") if "again" in given else None,
            min_digits=fewest,
            max_digits=most,
            terminator=_terminator(given),
            barge_in=given.flag("barge_in", True),
            first_key_s=given.seconds("first_key_s", 5.0),
            between_keys_s=given.seconds("between_keys_s", 3.0),
        )

    def take(self, turn: Turn, typed: str, *, silent: bool) -> Next:
        result, digits = match_digits(
            typed, min_digits=self.min_digits, max_digits=self.max_digits, terminator=self.terminator, silent=silent
        )
        if result is not Match.COMPLETE:
            return self.not_complete(turn, typed, result)
        turn.note_key(typed)
        turn.set({self.into: digits})
        return self.then

    def links(self) -> tuple[Link, ...]:
        return (Link(label=self.into, to=self.then, pressed=True), *self.ways_out())

    def sets(self) -> Collection[str]:
        return {self.into}

    def in_words(self) -> str:
        return f"gather {self.into}"


def _terminator(given: Given) -> str | None:
    at = given.get("terminator")
    if at is None:
        return "#"
    if is_null(at):
        return None
    value = at.value if isinstance(at, yaml.ScalarNode) else ""
    if value == "none":
        return None
    if value not in ("*", "#"):
        given.reader.fault(at, "terminator must be *, # or none.", 'Write "#", in quotes.')
        return "#"
    return str(value)
