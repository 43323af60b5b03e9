from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from ivr.flow.graph import outline, texts
from ivr.flow.load import check_flow_file
from ivr.flow.model import Flow, Menu, OptOut, Request
from ivr.flow.nodes import KINDS
from ivr.flow.schema import flow_schema
from ivr.flow.show import flow_text
from ivr.flow.svg import flow_svg
from prompts.languages import LANGUAGES
from tests.unit.flow.flows import DIALPLANS, shipped_flows, shipped_sentences

BROKEN = Path(__file__).resolve().parents[2] / "broken_flows"
FLOWS = shipped_flows()
SENTENCES = shipped_sentences()


def instance(path: Path) -> object:
    """The file as an editor sees it: every key of a map is a text, as in JSON."""
    return json.loads(json.dumps(yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)))  # noqa: S506 - builds texts only


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(flow_schema())


def test_both_flows_speak_every_language() -> None:
    assert set(FLOWS) == {"hotline", "promo"}
    assert all(flow.languages == LANGUAGES for flow in FLOWS.values())


def test_promo_offers_what_the_subscriber_may_want() -> None:
    flow = FLOWS["promo"]
    offer = flow.nodes["offer"]
    assert isinstance(offer, Menu)
    assert [say.text for say in offer.say[:2]] == ["promo.greeting", flow.main_message]
    assert list(offer.keys) == ["1", "2", "3", "9", "0"]
    assert [key for key, choice in offer.keys.items() if choice.follow_up] == ["1", "3"]
    again = flow.nodes[offer.keys["2"].to]
    assert isinstance(again, Menu)
    assert again.say[0].text == flow.main_message
    assert again.keys == offer.keys
    assert isinstance(flow.nodes[offer.keys["9"].to], OptOut)
    request = flow.nodes[offer.keys["3"].to]
    assert isinstance(request, Request)
    assert request.kind == "send_address"


def test_every_language_has_the_same_texts() -> None:
    keys = {language: set(SENTENCES.by_language[language]) for language in LANGUAGES}
    assert keys["ru"] == keys["uk"] == keys["en"]


def test_every_text_of_the_flows_is_used() -> None:
    used = {say.text for flow in FLOWS.values() for say in texts(flow)}
    unused = {key for key in SENTENCES.keys() if not key.startswith(("fallback.", "opt_out."))} - used  # noqa: SIM118
    assert not unused


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_no_latin_letters_or_digits_outside_of_variables(language: str) -> None:
    for key, sentence in SENTENCES.by_language[language].items():
        words = re.sub(r"\{[^}]*\}", "", f"{sentence.text} {sentence.fallback or ''}")
        assert not re.search(r"[A-Za-z0-9]", words), key


def test_every_node_is_in_the_outline_once() -> None:
    for flow in FLOWS.values():
        tree = outline(flow)
        opened = [way.to for ways in tree.values() for way in ways if way.opens]
        assert sorted([flow.start, *opened]) == sorted(flow.nodes)


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: flow.name)
def test_drawing_is_one_file_with_every_node_and_no_overlap(flow: Flow) -> None:
    svg = flow_svg(flow, SENTENCES)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own drawing
    space = "{http://www.w3.org/2000/svg}"
    groups = {group.get("id"): group for group in root.iter(f"{space}g")}
    assert groups.keys() == flow.nodes.keys()
    links = {link.get("href") for link in root.iter(f"{space}a")}
    assert links <= {f"#{name}" for name in flow.nodes}
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    boxes: list[tuple[float, float, float, float]] = []
    for group in groups.values():
        card = group.find(f"{space}rect[@class='card']")
        assert card is not None
        x, y, width, height = (float(card.get(name, "")) for name in ("x", "y", "width", "height"))
        assert all(
            x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
            for x2, y2, width2, height2 in boxes
        )
        boxes.append((x, y, width, height))


def test_text_tree_shows_where_keys_lead() -> None:
    tree = flow_text(FLOWS["promo"], SENTENCES)
    assert "main message promo.offer" in tree
    assert "├─ 1 *: addresses [branch on address_2]" in tree
    assert "├─ 2: once_more [menu]" in tree
    assert "9: never_again [opt out]" in tree


def test_schema_that_ships_is_the_one_of_the_grammar() -> None:
    """Refresh it with: ivr flow schema > dialplans/flow.schema.json"""
    assert json.loads((DIALPLANS / "flow.schema.json").read_text("utf-8")) == flow_schema()
    jsonschema.Draft202012Validator.check_schema(flow_schema())


@pytest.mark.parametrize("path", sorted(DIALPLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_flows_fit_the_schema(path: Path) -> None:
    # Editors read YAML 1.2, where `on` is a text; PyYAML reads 1.1, where it is true.
    text = path.read_text("utf-8").replace(" on: ", ' "on": ')
    typed = json.loads(json.dumps(yaml.safe_load(text), default=str))
    assert [error.message for error in validator().iter_errors(typed)] == []


@pytest.mark.parametrize("name", ["fields", "keys", "nodes", "head", "nothing_but_a_name", "promo_without_message"])
def test_schema_refuses_broken_grammar(name: str) -> None:
    assert list(validator().iter_errors(instance(BROKEN / f"{name}.yaml")))


def test_the_example_of_the_readme_is_a_good_flow(tmp_path: Path) -> None:
    example = (DIALPLANS / "README.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example, "utf-8")
    flow, faults = check_flow_file(path, SENTENCES)
    assert faults == []
    assert flow is not None


def test_the_readme_names_every_kind_and_field() -> None:
    readme = (DIALPLANS / "README.md").read_text("utf-8")
    words = {word for kind in KINDS for word in (kind.grammar.word, *kind.grammar.fields)}
    assert {word for word in words if f"`{word}`" not in readme} == set()
