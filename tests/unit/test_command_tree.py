"""The list of commands is true though it loads none of them, and a command loads only what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
import typer.main

from app.commands.main import app
from app.commands.tree import COMMANDS, Commands

#: Slow to import; what no command needs that only looks at files or rows.
HEAVY = (
    "alembic",
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
        f"print('LOADED', *(set(sys.modules) & set({HEAVY!r} + ('sqlalchemy', 'yaml', 'pydantic'))))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_the_list_of_commands_loads_nothing_slow() -> None:
    assert loaded("--help") == set()
