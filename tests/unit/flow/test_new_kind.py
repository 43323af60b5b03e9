"""A kind of node is one file and a line in the registry: one made up here goes through every part of the engine."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import jsonschema
import pytest
import yaml

from ivr.flow import nodes
from ivr.flow.given import Given
from ivr.flow.grammar import NODE, SAY_FIELD, Field, Grammar, seconds
from ivr.flow.load import check_flow_file
from ivr.flow.machine import Machine
from ivr.flow.model import Flow
from ivr.flow.node import Finding, Link, Node
from ivr.flow.nodes import KINDS
from ivr.flow.schema import flow_schema
from ivr.flow.show import flow_text
from ivr.flow.state import State
from ivr.flow.steps import (
    Begun,
    End,
    Ended,
    Heard,
    KeyPressed,
    Listen,
    Note,
    NoteKind,
    Silence,
    Speak,
    Spoken,
)
from ivr.flow.svg import flow_svg
from ivr.flow.turn import Next, Turn
from prompts.languages import Language
from prompts.sentences import Sentences, load_sentences

FLOW_FOLDER = Path(nodes.__file__).parents[1]
TEXTS = Path(__file__).resolve().parents[2] / "broken_flows" / "texts"


@dataclass(frozen=True, kw_only=True)
class Think(Node):
    """Speak, then give the caller time; any key cuts it short, and is kept."""

    give_s: float
    hurry: str
    then: str

    colour: ClassVar[str] = "#123456"
    grammar: ClassVar[Grammar] = Grammar(
        word="think",
        about="Give the caller time to think.",
        fields={
            "say": SAY_FIELD,
            "give_s": Field(schema=seconds(2, 30), about="How long; 10."),
            "hurry": Field(schema=NODE, about="Where any key leads.", required=True),
            "then": Field(schema=NODE, about="Where silence leads.", required=True),
        },
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        return cls(
            name=given.name,
            line=given.line,
            say=given.say(),
            give_s=given.seconds("give_s", 10.0),
            hurry=given.node("hurry"),
            then=given.node("then"),
        )

    def findings(self, languages: Collection[Language], destinations: Collection[str] | None) -> Iterator[Finding]:
        if self.hurry == self.then:
            yield Finding("thinking changes nothing.", "Lead keys elsewhere.")

    def spoken(self, turn: Turn) -> Next:
        return turn.listen(self.give_s)

    def key(self, turn: Turn, key: str) -> Next:
        turn.note_key(key)
        turn.set({"thought": key})
        return self.hurry

    def silence(self, turn: Turn) -> Next:
        turn.note(NoteKind.NO_INPUT)
        return self.then

    def links(self) -> tuple[Link, ...]:
        return Link(label="any key", to=self.hurry, pressed=True), Link(label="thought", to=self.then, silent=True)

    def sets(self) -> Collection[str]:
        return ("thought",)

    def in_words(self) -> str:
        return f"think {self.give_s:g} s"


FLOW = """
flow: thoughtful
kind: hotline
languages: [ru, en]
start: think
nodes:
  think: {think: {say: shop.ask, give_s: 4, hurry: kept, then: goodbye}}
  kept: {play: {say: {text: shop.address, with: {address: x}}, then: goodbye}}
"""


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "KINDS", (*KINDS, Think))


@pytest.fixture
def sentences() -> Sentences:
    return load_sentences(TEXTS)


def checked(folder: Path, sentences: Sentences, text: str) -> tuple[Flow | None, list[str]]:
    path = folder / "thoughtful.yaml"
    path.write_text(text, "utf-8")
    flow, faults = check_flow_file(path, sentences)
    return flow, [f"{fault.line}: {fault.what}" for fault in faults]


@pytest.fixture
def flow(tmp_path: Path, sentences: Sentences) -> Flow:
    flow, faults = checked(tmp_path, sentences, FLOW)
    assert faults == []
    assert flow is not None
    return flow


def test_it_is_read(flow: Flow) -> None:
    node = flow.nodes["think"]
    assert isinstance(node, Think)
    assert (node.line, node.give_s, node.hurry, node.then) == (7, 4.0, "kept", "goodbye")


def test_its_faults_are_told(tmp_path: Path, sentences: Sentences) -> None:
    _, faults = checked(tmp_path, sentences, FLOW.replace("give_s: 4, hurry: kept", "give: 99, hurry: kep"))
    assert faults == [
        "7: In think: think has no field give.",
        "7: In think: give_s must be a number of seconds from 2 to 30.",
        "7: In think: there is no node kep.",
    ]
    _, faults = checked(tmp_path, sentences, FLOW.replace("{think: {say", "{thinks: {say"))
    assert faults == ["7: In think: thinks is no kind of node."]


def test_its_ways_count_in_the_check(tmp_path: Path, sentences: Sentences) -> None:
    around = FLOW.replace("hurry: kept, then: goodbye", "hurry: kept, then: think")
    assert checked(tmp_path, sentences, around)[1] == [
        "7: think -> think never lets go of a caller who presses nothing."
    ]
    same = FLOW.replace("hurry: kept, then: goodbye", "hurry: kept, then: kept")
    assert checked(tmp_path, sentences, same)[1] == ["7: In think: thinking changes nothing."]


def test_editors_know_it(flow: Flow) -> None:
    schema = flow_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    written = yaml.safe_load(FLOW)
    assert list(validator.iter_errors(written)) == []
    written["nodes"]["think"]["think"]["give_s"] = 99
    assert list(validator.iter_errors(written))


def test_the_machine_walks_it(flow: Flow) -> None:
    machine = Machine(flow)
    state, (speak,) = machine.advance(State(), Begun(language="en"))
    assert isinstance(speak, Speak)
    assert [say.text for say in speak.say] == ["shop.ask"]
    heard = (Heard(text="shop.ask", heard_ms=9, length_ms=9, ended=Ended.PLAYED),)
    waiting, steps = machine.advance(State.from_json(state.to_json()), Spoken(heard=heard))
    assert steps[-1] == Listen(node="think", seconds=4.0)
    pressed, steps = machine.advance(waiting, KeyPressed(key="5"))
    assert steps[0] == Note(kind=NoteKind.KEY, node="think", value="5")
    assert isinstance(steps[-1], Speak)
    assert pressed.variables == {"thought": "5"}
    silent, steps = machine.advance(waiting, Silence())
    assert isinstance(steps[-1], Speak)
    assert [say.text for say in steps[-1].say] == ["common.goodbye"]
    _, steps = machine.advance(silent, Spoken(heard=()))
    assert steps == (End(node="goodbye"),)


def test_it_is_shown_and_drawn(flow: Flow, sentences: Sentences) -> None:
    tree = flow_text(flow, sentences)
    assert "think [think 4 s]" in tree
    assert "any key: kept [play]" in tree
    svg = flow_svg(flow, sentences)
    assert 'fill="#123456"' in svg
    assert "think 4 s" in svg


#: Where a kind may be named: its own file, the registry, the model's door, and the goodbye that every flow has.
MAY_NAME_KINDS = {"model.py": {kind.__name__ for kind in KINDS}, "parse.py": {"HangUp"}}


def test_the_engine_names_no_kind() -> None:
    words = {kind.__name__ for kind in KINDS}
    for path in sorted(FLOW_FOLDER.glob("*.py")):
        named = {
            name.id if isinstance(name, ast.Name) else name.name
            for name in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(name, ast.Name | ast.alias)
        }
        assert named & words <= MAY_NAME_KINDS.get(path.name, set()), path.name
