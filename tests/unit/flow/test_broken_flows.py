"""Each broken flow brings exactly the faults written beside it, all at once.

`python -m tests.unit.flow.test_broken_flows` writes the .faults files anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import AuthorError, Fault
from ivr.flow.load import check_flow_file, check_flow_files, load_flows
from ivr.flow.source import MAX_BYTES
from prompts.sentences import Sentences, load_sentences

FOLDER = Path(__file__).resolve().parents[2] / "broken_flows"
FLOWS = sorted(FOLDER.glob("*.yaml"))
DESTINATIONS = ("operator",)

GOOD = """
flow: {name}
kind: hotline
languages: [ru, en]
start: hello
nodes:
  hello:
    play: {{say: shop.welcome, then: goodbye}}
"""


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return load_sentences(FOLDER / "texts")


def report(path: Path, sentences: Sentences) -> str:
    """Every fault of the flow as the user sees it, the file's folder apart."""
    flow, faults = check_flow_file(path, sentences, DESTINATIONS)
    assert (flow is None) == bool(faults)
    return "".join(f"{fault}\n".replace(f"{FOLDER}/", "") for fault in faults)


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_faults_are_the_ones_beside_it(path: Path, sentences: Sentences) -> None:
    found = report(path, sentences)
    assert found == path.with_suffix(".faults").read_text("utf-8")
    assert found


def only_fault(path: Path, sentences: Sentences) -> Fault:
    flow, faults = check_flow_file(path, sentences)
    assert flow is None
    (fault,) = faults
    assert fault.where == path
    return fault


def test_ten_megabytes_are_refused_unread(tmp_path: Path, sentences: Sentences) -> None:
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"flow: " + b"x" * 10_000_000)
    assert str(MAX_BYTES // 1024) in only_fault(path, sentences).what


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(tmp_path: Path, sentences: Sentences, opening: str) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("flow: deep\nnodes:\n  " + opening * 20_000, "utf-8")
    fault = only_fault(path, sentences)
    assert "nested too deeply" in fault.what
    assert fault.line == 3


def test_thousands_of_nodes_are_refused_quickly(tmp_path: Path, sentences: Sentences) -> None:
    nodes = "".join(f"  n{i}: {{goto: n{i + 1}}}\n" for i in range(8000))
    path = tmp_path / "many.yaml"
    path.write_text(f"flow: many\nkind: hotline\nlanguages: [ru]\nstart: n0\nnodes:\n{nodes}", "utf-8")
    _, faults = check_flow_file(path, sentences)
    assert any("more than 500 nodes" in fault.what for fault in faults)


def test_a_small_file_that_aliases_make_endless_is_refused_quickly(tmp_path: Path, sentences: Sentences) -> None:
    variables = ", ".join(f"v{i}: x" for i in range(5000))
    says = "*say, " * 20_000
    path = tmp_path / "aliases.yaml"
    path.write_text(
        "flow: aliases\nkind: hotline\nlanguages: [ru]\nstart: a\nnodes:\n"
        f"  a: {{play: {{say: [&say {{text: shop.ask, with: {{{variables}}}}}, {says}], then: goodbye}}}}\n",
        "utf-8",
    )
    assert "endless" in only_fault(path, sentences).what


def test_a_missing_file_and_a_folder(tmp_path: Path, sentences: Sentences) -> None:
    assert "can't be read" in only_fault(tmp_path / "none.yaml", sentences).what
    assert "can't be read" in only_fault(tmp_path, sentences).what


def test_a_byte_order_mark_is_no_fault(tmp_path: Path, sentences: Sentences) -> None:
    path = tmp_path / "bom.yaml"
    path.write_text(GOOD.format(name="bom"), "utf-8-sig")
    flow, faults = check_flow_file(path, sentences)
    assert flow is not None, faults


def test_two_flows_of_one_name(tmp_path: Path, sentences: Sentences) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.format(name="same"), "utf-8")
    flows, faults = check_flow_files([tmp_path / "a.yaml", tmp_path / "b.yaml"], sentences)
    assert list(flows) == ["same"]
    (fault,) = faults
    assert fault.where == tmp_path / "b.yaml"
    assert "a.yaml" in fault.what


def test_load_flows_raises_every_fault_of_every_file(tmp_path: Path, sentences: Sentences) -> None:
    (tmp_path / "good.yaml").write_text(GOOD.format(name="good"), "utf-8")
    assert load_flows(tmp_path, sentences).keys() == {"good"}
    for name in ("dead_end", "twice"):
        (tmp_path / f"{name}.yaml").write_bytes((FOLDER / f"{name}.yaml").read_bytes())
    with pytest.raises(AuthorError) as raised:
        load_flows(tmp_path, sentences)
    assert {Path(str(fault.where)).name for fault in raised.value.faults} == {"dead_end.yaml", "twice.yaml"}


def test_a_folder_without_flows(tmp_path: Path, sentences: Sentences) -> None:
    with pytest.raises(AuthorError, match="no call flow"):
        load_flows(tmp_path, sentences)


if __name__ == "__main__":
    for each in FLOWS:
        each.with_suffix(".faults").write_text(report(each, load_sentences(FOLDER / "texts")), "utf-8")
