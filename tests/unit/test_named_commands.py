"""Every `ivr ...` that a message, a help text or a document tells people to type is a command that there is."""

from __future__ import annotations

import re
from pathlib import Path

import typer
import typer.main
from typer.core import TyperGroup

from app.commands.main import app

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "ivr", "outbound", "people", "prompts", "reports", "dialplans", "asterisk-conf")
_TYPED = re.compile(r"(?<![\w./-])ivr ([a-z][a-z-]*)\b(?!:)(?: ([a-z][a-z-]*))?")


def _is_there(words: tuple[str, ...], command: object) -> bool:
    """Whether `words` lead from `command` to a command; words after it are arguments."""
    if not words or not isinstance(command, TyperGroup):
        return True
    found = command.get_command(typer.Context(command), words[0])
    return found is not None and _is_there(words[1:], found)


def test_every_command_that_is_named_is_there() -> None:
    files = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".j2", ".md", ".yaml")
    ]
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.py")]
    program = typer.main.get_command(app)
    named = [
        (path, found[0], tuple(word for word in found.groups() if word))
        for path in files
        for found in _TYPED.finditer(path.read_text("utf-8"))
    ]
    assert len(named) > 50
    assert [f"{path.relative_to(ROOT)}: {said}" for path, said, words in named if not _is_there(words, program)] == []
