"""Each command that takes a campaign's name or a person's number finds and changes nothing of another tenant's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from sqlalchemy import select
from typer.testing import CliRunner

from app.commands.main import app
from ivr.settings_files import load_site, load_tenant
from ivr.site import free_ports, init_site
from people.store.db import make_engine
from people.store.tables import metadata
from tests.databases import a_url, all_rows
from tests.edges.store.test_tenants import PHONE, THEIR_NAME, THEIR_PHONE, THEIRS, fill

pytestmark = pytest.mark.both_databases

#: What is about machines, files, flows and tenants themselves takes names of those.
_OF_A_TENANT = ("campaign", "report", "calls", "number")
_THEIRS = {"name": THEIR_NAME, "campaign": THEIR_NAME, "phone": THEIR_PHONE, "number": THEIR_PHONE}


def commands(group: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if hasattr(command, "list_commands"):
                yield from commands(command, *words, name)
            else:
                yield (*words, name), command


def asking(folder: Path) -> dict[tuple[str, ...], list[str]]:
    """The words of each command, and what makes it ask for something of theirs."""
    (folder / "file").write_text(f"phone,name\n{THEIR_PHONE},Их\n", "utf-8")
    found = {}
    for words, command in commands(typer.main.get_command(app)):
        if words[0] not in _OF_A_TENANT:
            continue
        given: list[str] = []
        for parameter in command.params:
            value = {**_THEIRS, "numbers": THEIR_PHONE, "file": str(folder / "file")}.get(parameter.name)
            if parameter.name == "contacts":
                value = str(folder / "file")
            if value is not None:
                given += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
        found[words] = given
    return found


def rows(folder: Path, tenant: str) -> dict[str, list[str]]:
    """What the site's database has of the tenant, by table."""

    async def read() -> dict[str, list[str]]:
        database = make_engine(load_site(folder).database_url)
        async with all_rows(database).begin() as connection:
            found = {
                table.name: sorted(map(str, await connection.execute(select(table).where(table.c.tenant == tenant))))
                for table in metadata.sorted_tables
                if "tenant" in table.c
            }
        await database.dispose()
        return found

    return asyncio.run(read())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Path]:
    async with a_url(tmp_path) as url:
        folder = init_site(tmp_path / "site", {**free_ports(), "trunk.host": "127.0.0.1", "database": url}).folder
        database = make_engine(url)
        await fill(database, "shop", 1, name="tv", phone=PHONE)
        await fill(database, THEIRS, 2, name=THEIR_NAME, phone=THEIR_PHONE)
        await database.dispose()
        yield folder


def test_the_commands_that_name_something_of_theirs(site: Path, tmp_path: Path) -> None:
    before, found = rows(site, THEIRS), asking(tmp_path)
    assert before["lead"]
    assert len(found) > 10
    # One of that name of our own is made last.
    for words, given in sorted(found.items(), key=lambda each: "create" in each[0]):
        done = CliRunner().invoke(app, [*words, *given, "--site", str(site)])
        assert rows(site, THEIRS) == before, words
        said = f"{done.output} {done.exception}"
        takes_name = THEIR_NAME in given and words[-1] != "create"
        assert not takes_name or "There is no campaign 'lg'" in said, (words, said)
        # Of whom they called, nothing is told.
        assert "c2" not in said, (words, said)


def test_every_command_of_a_tenants_things_says_whose(site: Path, tmp_path: Path) -> None:
    """As another tenant, asked for what is ours: nothing of ours is found or changed, by option or by variable."""
    before, found = rows(site, "shop"), asking(tmp_path)
    of_theirs = {THEIR_NAME: "tv", THEIR_PHONE: PHONE}
    for words, given in sorted(found.items(), key=lambda each: "create" in each[0]):
        ours = [of_theirs.get(word, word) for word in given]
        for whose, variables in ((["--tenant", THEIRS], {}), ([], {"IVR_TENANT": THEIRS})):
            done = CliRunner().invoke(app, [*words, *ours, "--site", str(site), *whose], env=variables)
            assert rows(site, "shop") == before, words
            said = f"{done.output} {done.exception}"
            assert "tv" not in given or words[-1] == "create" or "There is no campaign 'tv'" in said, (words, said)
            assert "c1" not in said, (words, said)


def ivr(site: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--site", str(site)])
    assert done.exit_code == status, f"{done.output} {done.exception}"
    return f"{done.output} {done.exception or ''}"


def doctor(site: Path) -> str:
    """What it says, as if the terminal were wide."""
    return " ".join(CliRunner().invoke(app, ["doctor", "--site", str(site)]).output.split())


def test_a_tenant_that_is_not_there_is_told(site: Path) -> None:
    for words in (("campaign", "list"), ("number", "list"), ("calls",), ("flow", "versions")):
        assert "There is no tenant 'nobody'" in ivr(site, *words, "--tenant", "nobody", status=1)


def test_a_campaign_is_told_with_its_tenant(site: Path) -> None:
    assert f"{THEIR_NAME} of {THEIRS} running: " in ivr(site, "campaign", "status", THEIR_NAME, "--tenant", THEIRS)
    assert "tv of shop running: " in ivr(site, "campaign", "status", "tv")
    for words, whose in (((), "shop"), (("--tenant", THEIRS), THEIRS)):
        assert ivr(site, "campaign", "list", *words).startswith(f"Campaigns of {whose}:\n")


def test_numbers_are_added_and_taken_away(site: Path) -> None:
    assert f"+74950000005 is answered by night of {THEIRS}" in ivr(
        site, "number", "add", "8 495 000-00-05", "night", "--tenant", THEIRS
    )
    assert "+74950000005" in ivr(site, "number", "list", "--tenant", THEIRS)
    assert "+74950000005" not in ivr(site, "number", "list")
    assert f"'{THEIRS}' has it" in ivr(site, "number", "add", "+74950000005", "hotline", status=1)
    assert "+74950000005 leads nowhere now" in ivr(site, "number", "remove", "+74950000005", "--tenant", THEIRS)
    assert "+74950000005" not in ivr(site, "number", "list", "--tenant", THEIRS)


def test_a_folder_to_begin_from(site: Path) -> None:
    assert "write its numbers into tenant.toml" in ivr(site, "tenant", "add", "mir", "--title", "Мир", "--folder")
    folder = site / "tenants" / "mir"
    assert load_tenant(folder).title == "Мир"
    assert "beside shop: mir" in doctor(site)
    assert ivr(site, "campaign", "list", "--tenant", "mir")
    (folder / "tenant.toml").write_text('language = "ru"\ntrunk = 5\n', "utf-8")
    assert "There is no setting trunk" in ivr(site, "campaign", "list", "--tenant", "mir", status=1)
    assert "There is no setting trunk" in doctor(site)
