"""`ivr report` and `ivr calls` on a site's own database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
import typer
from sqlalchemy import insert
from typer.testing import CliRunner, Result

from app.commands import report as commands
from faults import MachineError, UserError
from ivr.settings_files import load_site
from people.store.db import open_database
from tests.databases import all_rows, put_tables
from tests.unit.reports.example import example
from tests.unit.reports.rows import Rows

SETTINGS = """
tenant = "shop"
title = "Техномир"
[trunk]
host = "127.0.0.1"
"""

app = typer.Typer()
app.command()(commands.report)
app.command()(commands.calls)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "ivr.toml").write_text(SETTINGS, "utf-8")
    (folder / "secrets.toml").write_text("", "utf-8")
    (folder / "var").mkdir()
    put_tables(folder / "var/ivr.sqlite3")
    asyncio.run(fill(folder, example(60)))
    return folder


async def fill(folder: Path, rows: Rows) -> None:
    engine = await open_database(load_site(folder).database_url)
    async with all_rows(engine).begin() as connection:
        for table, values in rows.rows.items():
            await connection.execute(insert(table), values)
    await engine.dispose()


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_the_report_is_shown_and_written_in_every_form(site: Path, tmp_path: Path) -> None:
    page, table, data = tmp_path / "r.html", tmp_path / "r.csv", tmp_path / "r.json"
    shown = run("report", "sony-tv-15", "--site", site, "--html", page, "--csv", table, "--json", data).output
    assert "Дослушали до конца" in shown
    assert "Техномир" in page.read_text("utf-8")
    assert table.read_bytes().startswith(b"\xef\xbb\xbfmetric;numerator")
    assert json.loads(data.read_text("utf-8"))["audience"] == 60
    assert sorted(tmp_path.iterdir()) == sorted([page, table, data])


def test_another_language_may_be_asked_for(site: Path) -> None:
    assert "Listened to the end" in run("report", "sony-tv-15", "--site", site, "--lang", "en").output


def test_json_to_the_terminal_is_nothing_but_json(site: Path) -> None:
    output = run("report", "sony-tv-15", "--site", site, "--json", "-").stdout
    assert json.loads(output)["campaign"] == "sony-tv-15"


def test_an_unknown_campaign_names_those_there_are(site: Path) -> None:
    with pytest.raises(UserError, match="sony-tv-15"):
        run("report", "sony", "--site", site)


def test_a_file_that_cannot_be_written_is_named(site: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"r\.html"):
        run("report", "sony-tv-15", "--site", site, "--html", tmp_path / "missing" / "r.html")


def test_calls_are_shown_masked(site: Path) -> None:
    output = run("calls", "--site", site, "--limit", "2").output
    assert output.count("outbound  +7916***4567  campaign sony-tv-15") == 2
    assert "+79161234567" in run("calls", "--site", site, "--limit", "1", "--show-phones").output


def test_calls_as_json_and_by_number_as_people_write_it(site: Path) -> None:
    output = run("calls", "--site", site, "--phone", "8 (916) 123-45-67", "--json", "--limit", "3").stdout
    assert len(json.loads(output)) == 3
    assert run("calls", "--site", site, "--phone", "+79990000000").output == "No calls yet.\n"
    with pytest.raises(UserError, match="--phone"):
        run("calls", "--site", site, "--phone", "nobody")


def test_calls_of_an_unknown_campaign_name_those_there_are(site: Path) -> None:
    with pytest.raises(UserError, match="sony-tv-15"):
        run("calls", "--site", site, "--campaign", "sony")


def test_a_recount_finds_every_figure_as_it_is_kept(site: Path) -> None:
    said = run("report", "sony-tv-15", "--recount", "--site", site).output
    assert said == "Counted anew from every attempt and call: every figure is as it is kept.\n"


def test_a_recount_tells_the_first_difference(tmp_path: Path) -> None:
    (tmp_path / "ivr.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "secrets.toml").write_text("", "utf-8")
    (tmp_path / "var").mkdir()
    put_tables(tmp_path / "var/ivr.sqlite3")
    asyncio.run(fill(tmp_path, example(5)))
    # Made in a way that marks nothing.
    with contextlib.closing(sqlite3.connect(tmp_path / "var/ivr.sqlite3")) as database, database:
        database.execute("DELETE FROM stale")
    with pytest.raises(MachineError, match=r"differs from a recount in \d+ figures; the first: leads: Cell\(.*0 kept"):
        run("report", "sony-tv-15", "--recount", "--site", tmp_path)
