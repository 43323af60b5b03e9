"""Tables are made and brought up to date by one process at a time, whole or not at all, and never by opening."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from faults import MachineError
from people.store.db import NEWEST, open_database
from people.store.upgrade import upgrade
from tests.databases import url

#: Databases that the releases of these tables have made themselves.
OLD = ("0001", "0002")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ivr.sqlite3"


def old_database(path: Path, revision: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript((Path(__file__).parent / f"tables_{revision}.sql").read_text("utf-8"))


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


def rows(path: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


async def opens(path: Path) -> None:
    await (await open_database(url(path))).dispose()


async def refused(path: Path) -> str:
    with pytest.raises(MachineError) as error:
        await opens(path)
    return str(error.value)


async def test_opening_makes_no_tables(path: Path) -> None:
    assert "it has no tables yet. Make them with: ivr store upgrade." in await refused(path)
    assert rows(path, "SELECT * FROM sqlite_master") == []
    assert (await upgrade(url(path))).before is None
    await opens(path)
    done = await upgrade(url(path))
    assert (done.before, done.after) == (NEWEST, NEWEST)


@pytest.mark.parametrize("revision", OLD)
async def test_opening_leaves_old_tables_as_they_are(path: Path, revision: str) -> None:
    old_database(path, revision)
    before = dump(path)
    if revision < NEWEST:
        said = f"of an older release ({revision}, and {NEWEST} are needed). Bring them up to date"
        assert said in await refused(path)
    assert dump(path) == before


@pytest.mark.parametrize("revision", OLD)
async def test_old_tables_are_brought_up_to_date_with_their_rows(path: Path, revision: str) -> None:
    old_database(path, revision)
    counted = "SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM attempt), (SELECT count(*) FROM journal)"
    assert rows(path, counted) == [(5, 3, 2)]
    numbers = rows(path, "SELECT p.phone FROM lead l JOIN contact p ON p.id = l.contact_id ORDER BY l.id")
    assert (await upgrade(url(path))).before == revision
    await opens(path)
    assert rows(path, counted) == [(5, 3, 2)]
    assert rows(path, "SELECT p.phone FROM lead l JOIN contact p ON p.id = l.contact_id ORDER BY l.id") == numbers
    assert rows(path, "SELECT campaign_id, name, language, line FROM lead ORDER BY id") == [
        (1, "Иван", "ru", None),
        (1, "Ольга Петровна", "ru", None),
        (1, "", "en", None),
        (2, "Ольга Петровна", "ru", None),
        (2, "Sam", "ru", None),
    ]
    for table in ("refused_row", "lead", "attempt"):
        assert rows(path, f"SELECT DISTINCT tenant FROM {table}") == [("shop",)]  # noqa: S608
    assert rows(path, "SELECT id, campaign_id FROM call ORDER BY id") == [("c1", 1), ("c2", None)]
    assert rows(path, "PRAGMA foreign_key_check") == []


async def test_who_was_kept_no_longer_is_nobody(path: Path) -> None:
    """A release before has left a row of him."""
    old_database(path, "0002")
    await upgrade(url(path), to="0009")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE contact SET phone = '#1', name = '' WHERE id = 1")
    await upgrade(url(path))
    assert rows(path, "SELECT id FROM contact WHERE id = 1") == []
    assert rows(path, "SELECT contact_id, name, variables FROM lead WHERE id = 1") == [(None, "", "{}")]


async def test_newer_tables_are_used_when_they_serve_this_release(path: Path) -> None:
    await upgrade(url(path))
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO migration VALUES ('9998', ?)", (NEWEST,))
    await opens(path)
    assert (await upgrade(url(path))).after == "9998"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO migration VALUES ('9999', '9999')")
    assert "A newer release has used it" in await refused(path)


@contextlib.contextmanager
def failing_at(statement: int) -> Iterator[None]:
    """The disk refuses the so many-th statement."""
    count = 0

    def refuse(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == statement:
            raise OSError(28, "No space left on device")

    event.listen(Engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", refuse)


#: Each statement is refused from nothing, by one of four tests, and from one of the old releases.
_REFUSED = [*(("", first, 4) for first in range(4)), *((each, first, len(OLD)) for first, each in enumerate(OLD))]


@pytest.mark.parametrize(("revision", "first", "step"), _REFUSED)
async def test_an_upgrade_that_fails_anywhere_changes_nothing(path: Path, revision: str, first: int, step: int) -> None:
    if revision:
        old_database(path, revision)
    before, failures = dump(path), 0
    for statement in range(1 + first, 1000, step):
        with failing_at(statement):
            try:
                await upgrade(url(path))
                break
            except MachineError as error:
                assert "No space left" in str(error)
        assert dump(path) == before
        failures += 1
    assert failures > 5 or revision == NEWEST
    await opens(path)


#: Upgrades, and is killed in the middle of it.
KILLED = """
import asyncio, os, signal, sys
from sqlalchemy import Engine, event
from people.store.upgrade import upgrade

def kill(connection, cursor, statement, *_):
    if statement.lstrip().startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "after_cursor_execute", kill)
asyncio.run(upgrade(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("revision", "statement"),
    [
        ("", "CREATE TABLE contact"),
        ("", "CREATE INDEX"),
        ("0001", "CREATE TABLE loss"),
        ("0001", "INSERT INTO migration"),
    ],
)
async def test_a_killed_upgrade_leaves_the_old_tables(path: Path, revision: str, statement: str) -> None:
    if revision:
        old_database(path, revision)
    before = dump(path)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, url(path), statement)
    assert await killed.wait() == -signal.SIGKILL
    assert dump(path) == before
    await upgrade(url(path))
    await opens(path)


async def test_many_first_starts_at_once(path: Path) -> None:
    program = "import asyncio, sys; from people.store.upgrade import upgrade; print(asyncio.run(upgrade(sys.argv[1])))"
    async with contextlib.AsyncExitStack() as stack:
        started = [await stack.enter_async_context(process(program, url(path))) for _ in range(4)]
        said = [(await each.communicate())[0].decode() for each in started]
    assert sorted(each.returncode or 0 for each in started) == [0] * 4
    assert sum("before=None" in text for text in said) == 1
    await opens(path)


@contextlib.asynccontextmanager
async def process(program: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", program, *arguments, stdout=subprocess.PIPE)
    try:
        yield made
    finally:
        if made.returncode is None:
            made.kill()
            await made.wait()


async def test_a_first_start_of_an_older_release_that_was_killed(path: Path) -> None:
    """It made its tables one by one."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("CREATE TABLE contact (id INTEGER NOT NULL)")
        database.execute("CREATE TABLE lead (id INTEGER NOT NULL)")
    await upgrade(url(path))
    await opens(path)


async def test_an_upgrade_of_an_older_release_that_was_killed(path: Path) -> None:
    old_database(path, "0001")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE lead ADD COLUMN spared INTEGER DEFAULT '0' NOT NULL")
        database.execute("CREATE TABLE loss (call_id VARCHAR(40) NOT NULL)")
    await upgrade(url(path))
    await opens(path)


async def test_rows_of_nobody_knows_whom_are_left_alone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE contact (id INTEGER NOT NULL)")
        database.execute("INSERT INTO contact VALUES (1)")
    before = dump(path)
    with pytest.raises(MachineError, match="it has rows, and nothing says of which release"):
        await upgrade(url(path))
    assert dump(path) == before
