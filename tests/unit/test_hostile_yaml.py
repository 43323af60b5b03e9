"""Whatever stands in a YAML file, its author is told what is wrong, at once and in few words; nothing hangs, fills the
memory or ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow.grammar import FLOW_FIELDS
from ivr.flow.nodes import KINDS
from tests.unit.named_files import YAML, faults, flow, place

DEEP = [opening * 100_000 for opening in ("[", "{", "{a: ", "- ", "? ", "[[\n", "a: [", "!!x [", "&a [", "- [\n")]
ENDLESS = [
    "&a [*a]",
    "&a {a: *a}",
    "a: &a {b: *a}",
    "a: &a {text: *a}",
    "a: &a {text: x, fallback: *a}",
    "? &a [*a]\n: b",
    "&a {*a : b}",
    "a: &a\n  <<: *a\n  b: c",
    "a0: &a0 {x: y}\n" + "".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}\n" for i in range(1, 60)),
    "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)),
]
STRANGE = [
    r'"\ud800": слово',
    r'слово: "\ud800"',
    r'слово: "\0"',
    r'слово: "\e[31m"',
    r'слово: "\UFFFFFFFF"',
    r'слово: "\U00110000"',
    r'"a\uDFFF": {text: "\ud83d"}',
    r'слово: !!binary "\ud800"',
    "a: !!python/object/apply:os.system ['true']",
    "a: !!python/name:os.system",
    "!!binary a: b",
    "a: !!timestamp 2024-99-99",
    "2024-99-99: 2024-13-45",
    "a: !!int x",
    "a: !!float x",
    "a: !<%FF> b",
    "a: " + "9" * 100_000,
    "9" * 100_000 + ": a",
    "%YAML " + "1" * 10_000 + ".1\n---\na: b",
    "%YAML 1." + "1" * 10_000 + "\n---\na: b",
    "%TAG ! tag:\n--- !x\na: b",
    "a: " + "x" * 200_000,
    "x" * 200_000 + ": a",
    "a: *" + "x" * 100_000,
    "a: &a x\nb: &a y\nc: *a",
    "<<: {a: b}",
    "<<: [1, 2]",
    "a:\n  <<: *b",
    "[1, 2]: a",
    "{a: b}: c",
    "~: a",
    "'': a",
    "? \n: a",
    "1: 2\n1.5: yes\nno: off",
    "a: |99999\n b",
    "a: >99\n b",
    "a: 'b",
    "\t",
    "---\n---\n",
    "...",
    "a: b\0",
    "a: \x1b",
    "a: \x85b\u2028c",
    "﻿﻿a: b",
]


@pytest.mark.parametrize("kind", YAML)
@pytest.mark.parametrize("text", [*DEEP, *ENDLESS, *STRANGE], ids=lambda text: ascii(text[:24]))
def test_hostile_yaml_ends_in_short_faults(tmp_path: Path, kind: str, text: str) -> None:
    path = place(kind, tmp_path)
    path.write_text(text, "utf-8")
    for fault in faults(kind, path):
        assert len(str(fault)) < 2000
        str(fault).encode("utf-8")


@pytest.mark.parametrize("kind", YAML)
@pytest.mark.parametrize("text", DEEP, ids=lambda text: ascii(text[:8]))
def test_deep_nesting_is_a_fault(tmp_path: Path, kind: str, text: str) -> None:
    path = place(kind, tmp_path)
    path.write_text(text[:200_000], "utf-8")
    (fault,) = faults(kind, path)
    assert "nested too deeply" in fault.what or "can't" in fault.what or "no YAML" in fault.what
    assert fault.line


@pytest.mark.parametrize("kind", ["texts", "dictionary"])
@pytest.mark.parametrize("text", ENDLESS)
def test_aliases_without_end_are_a_fault(tmp_path: Path, kind: str, text: str) -> None:
    path = place(kind, tmp_path)
    path.write_text(text, "utf-8")
    assert faults(kind, path)


@pytest.mark.parametrize("kind", YAML)
@pytest.mark.parametrize(
    "text", [r'"\ud800": слово', r'слово: "\ud83d\ude00"', r'a: "\0"', r'a: "\e"', r'a: "\UFFFFFFFF"']
)
def test_what_is_no_letter_is_a_fault_with_its_line(tmp_path: Path, kind: str, text: str) -> None:
    path = place(kind, tmp_path)
    path.write_text(f"# comment\n{text}\n", "utf-8")
    (fault,) = faults(kind, path)
    assert fault.line == 2


STRANGE_FLOW = r"""
flow: "{0}"
kind: promo
languages: [ru]
start: "{1}"
main_message: "{2}"
variables: {{"{3}": "{4}"}}
nodes:
  "{5}":
    menu:
      say: [{{text: "{6}", with: {{"{7}": "{8}"}}}}]
      keys: {{"{9}": {{to: "{10}", set: {{"{11}": "{12}"}}}}}}
"""


@pytest.mark.parametrize("at", range(13))
@pytest.mark.parametrize("letter", [r"\ud800", r"\0", r"\e[2J", r"\x9b"])
def test_half_a_letter_anywhere_in_a_flow(tmp_path: Path, at: int, letter: str) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(STRANGE_FLOW.format(*("1" if i != at else f"1{letter}" for i in range(13))), "utf-8")
    (fault,) = flow(path)
    assert "neither spoken nor shown" in fault.what
    assert str(fault).isprintable()


@pytest.mark.parametrize("alias", ["*all", "{x: *all}", "[*all]"])
@pytest.mark.parametrize("at", ["with", "set", "variables", "nodes", "keys", "say", "case", "policy", "key"])
def test_a_flow_that_holds_itself(tmp_path: Path, at: str, alias: str) -> None:
    places = dict.fromkeys(("with", "set", "variables", "nodes", "keys", "say", "case", "policy", "key"), "{a: b}")
    places |= {"say": "hotline.welcome", "key": "k", "nodes": "{goto: goodbye}", at: alias}
    path = tmp_path / "flow.yaml"
    path.write_text(
        f"""&all
flow: whole
kind: hotline
languages: [ru]
start: a
variables: {places["variables"]}
nodes:
  a:
    menu:
      say: [{{text: common.goodbye, with: {places["with"]}}}, {places["say"]}]
      keys: {{1: {{to: a, set: {places["set"]}}}, 2: {places["keys"]}, ? {places["key"]} : b}}
      no_input: {places["policy"]}
  b:
    branch: {{on: x, cases: {places["case"]}, otherwise: goodbye}}
  c: {places["nodes"]}
""",
        "utf-8",
    )
    assert flow(path)


def test_thousands_of_misspelt_fields_are_told_quickly(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    fields = ", ".join(f"first_key_{i}: 1" for i in range(12_000))
    head = "flow: f\nkind: hotline\nlanguages: [ru]\nstart: a\n"
    path.write_text(f"{head}nodes:\n  a: {{menu: {{{fields}}}}}\n", "utf-8")
    found = flow(path)
    assert 0 < len(found) <= 1000


def yaml_like() -> st.SearchStrategy[str]:
    """Texts of the pieces that YAML is made of, in any order."""
    signs = ["\n", "\n  ", "\n    ", ": ", "- ", "? ", "&a ", "*a", "<<: ", "!!str ", "!!int ", "%YAML 1.2", "\t", " "]
    marks = [*"[]{}:,|>'#~*@`\ufeff\x00😀", "---", "...", "!!python/none"]
    words = ['"', '"\\ud800"', '"\\0"', "kind: promo", "languages: [ru]", "start: a", "{name:name}", "flow: f", "null"]
    more = ["1", "1.5", "yes", "2024-01-01", "a", "я", "text", "fallback", "nodes", "menu", "say", "keys", "with"]
    pieces = st.sampled_from([*signs, *marks, *words, *more])
    return st.lists(st.one_of(pieces, st.text(max_size=3)), max_size=40).map("".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("garbage")


@pytest.mark.parametrize("kind", YAML)
@given(data=yaml_like().map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_garbage_is_told(folder: Path, kind: str, data: bytes) -> None:
    path = place(kind, folder)
    path.write_bytes(data)
    for fault in faults(kind, path):
        str(fault).encode("utf-8")


def trees(names: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.binary(max_size=3), names)
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)


WORDS = st.sampled_from(
    [
        *FLOW_FIELDS,
        *(word for kind in KINDS for word in (kind.grammar.word, *kind.grammar.fields)),
        *("with", "text", "1", "ru", "en", "a", "common.goodbye", "set", "fallback", "follow_up", "repeat"),
    ]
)


@pytest.mark.parametrize("kind", YAML)
@given(tree=trees(WORDS | st.text(max_size=5)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_well_formed_yaml_is_read_or_told(folder: Path, kind: str, tree: object) -> None:
    path = place(kind, folder)
    path.write_text(yaml.safe_dump(tree), "utf-8")
    for fault in faults(kind, path):
        str(fault).encode("utf-8")
