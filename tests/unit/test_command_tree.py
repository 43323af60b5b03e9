"""The list of commands is true though it loads none of them, and a command loads only what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.main

from app.commands.main import app
from app.commands.tree import COMMANDS, Commands
from ivr.site import init_site
from tests.databases import put_tables

#: Slow to import; what no command needs that only looks at files or rows.
HEAVY = (
    "alembic",
    "cryptography",
    "phonenumbers",
    "numpy",
    "scipy",
    "soxr",
    "soundfile",
    "pymorphy3",
    "num2words",
    "requests",
    "gtts",
    "uvloop",
    "asyncpg",
    "jinja2",
)


def _program() -> tuple[Commands, typer.Context]:
    program = typer.main.get_command(app)
    assert isinstance(program, Commands)
    return program, typer.Context(program)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_each_command_what_it_says_itself(name: str) -> None:
    program, context = _program()
    command = program.get_command(context, name)
    assert command is not None
    assert command.help is not None
    assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name].about


def loaded(*words: str) -> set[str]:
    """The heavy modules that `ivr ...` imports, in a process of its own."""
    code = (
        "import sys; sys.argv[0] = 'ivr'\n"
        "from app.commands.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('LOADED', *(set(sys.modules) & {{*{HEAVY!r}, 'sqlalchemy', 'yaml', 'pydantic'}}))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_the_list_of_commands_loads_nothing_slow() -> None:
    assert loaded("--help") == set()


@pytest.mark.parametrize(
    "words",
    [
        ("campaign", "list"),
        ("campaign", "status", "tv"),
        ("campaign", "do-not-call", "list"),
        ("calls",),
        ("report", "tv"),
    ],
)
def test_looking_at_rows_loads_nothing_slow(tmp_path: Path, words: tuple[str, ...]) -> None:
    init_site(tmp_path / "shop", {"trunk.host": "127.0.0.1"})
    site = ("--site", str(tmp_path / "shop"))
    put_tables(tmp_path / "shop/var/ivr.sqlite3")
    assert not loaded(*words, *site) & set(HEAVY)


def test_checking_flows_loads_no_rows_and_no_sound() -> None:
    assert loaded("flow", "check") <= {"yaml", "pydantic", "pymorphy3"}
