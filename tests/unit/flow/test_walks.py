"""Golden walks: what a caller hears and what the journal keeps, through `ivr flow phone` as anyone would type it.

The first line of a walk is its command. `python -m tests.unit.flow.test_walks` writes the walks anew; read the
difference before you commit it.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.main import app

WALKS = sorted((Path(__file__).parent / "walks").glob("*.txt"))


def walk(command: str) -> str:
    """The output of `$ echo KEYS | ivr flow phone ...`."""
    echo, keys, pipe, ivr, *arguments = shlex.split(command.removeprefix("$ "))
    assert (echo, pipe, ivr) == ("echo", "|", "ivr")
    result = CliRunner().invoke(app, arguments, input=f"{keys}\n", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("path", WALKS, ids=lambda path: path.stem)
def test_walk(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, _, expected = path.read_text("utf-8").partition("\n")
    assert walk(command) == expected


if __name__ == "__main__":
    os.chdir(tempfile.gettempdir())
    for each in WALKS:
        first = each.read_text("utf-8").split("\n", 1)[0]
        each.write_text(f"{first}\n{walk(first)}", "utf-8")
