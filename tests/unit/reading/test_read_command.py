"""`ivr prompt read`: one sentence, and a file of them of which any line may be faulty."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.commands.read import LONGEST_LINE, answer, read
from faults import UserError

app = typer.Typer()
app.command()(read)


def test_one_sentence() -> None:
    result = CliRunner().invoke(app, ["--lang", "ru", "--var", "price=1201.50", "Всего {price:money}."])
    assert result.output == "Всего тысяча двести один рубль пятьдесят копеек.\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["{x:money"], ["{x:money}"], ["--var", "x", "{x:money}"], ["--lang", "xx", "a"], ["--jsonl", "no such file"],
     ["--jsonl", "-", "text"]],
)  # fmt: skip
def test_wrong_use_is_told(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UserError)


def test_a_file_with_faulty_lines(tmp_path: Path) -> None:
    good = {"lang": "ru", "text": "{n:count стол}", "vars": {"n": 22}, "id": 7}
    lines = [
        b"\xef\xbb\xbf" + json.dumps(good).encode(),
        b"",
        b"\xff\xfe",
        b"[1]",
        b"{",
        b"[" * 100_000,
        json.dumps({"lang": "ru", "text": "x" * 10_000_000}).encode(),
        json.dumps(good | {"vars": {"n": None}}).encode(),
        json.dumps(good, ensure_ascii=False).encode() + b"\r",
    ]
    file = tmp_path / "asked.jsonl"
    file.write_bytes(b"\n".join(lines))
    result = CliRunner().invoke(app, ["--jsonl", str(file)])
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert answers[0] == good | {"read": "двадцать два стола"}
    assert [("read" in each, "error" in each) for each in answers] == [(True, False)] + [(False, True)] * 6 + [
        (True, False)
    ]
    assert answers[6]["id"] == 7


def test_standard_input() -> None:
    asked = json.dumps({"lang": "en", "text": "{n:number}", "vars": {"n": "21"}})
    result = CliRunner().invoke(app, ["--jsonl", "-"], input=asked)
    assert json.loads(result.output)["read"] == "twenty one"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"lang": "ru"},
        {"lang": 1, "text": "a"},
        {"lang": "ru", "text": None},
        {"lang": "ru", "text": "a", "vars": []},
        {"lang": "ru", "text": "{x:number}", "vars": {"x": True}},
        {"lang": "ru", "text": "{x:number}", "vars": {"x": [1]}},
        {"lang": "ru", "text": "{x:number}"},
        {"lang": "ru", "text": "{x:number}", "vars": {"x": float("nan")}},
        {"lang": "ru", "text": "{x:name}", "vars": {"x": "\ud800"}},
    ],
)
def test_wrong_types_are_answered(asked: dict[str, object]) -> None:
    said = json.loads(answer(json.dumps(asked).encode(), 1))
    assert said["error"]
    assert "read" not in said


def test_an_overlong_line_is_not_parsed() -> None:
    assert "longer" in json.loads(answer(b" " * (LONGEST_LINE + 1) + b"{}", 3))["error"]
