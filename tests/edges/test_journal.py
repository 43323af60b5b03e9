"""The journal on a real database that is well, locked, full, or will never take the lines."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from ivr.flow.steps import Note, NoteKind
from ivr.journal import CallJournal, Journal, Leg
from people.store.db import prepare_sqlite
from people.store.group_commit import AlchemyWriter, Group, NotNow, Refused, SqliteWriter, group_writer
from people.store.tables import call, do_not_call, journal, request
from tests.databases import a_database


def leg(number: int = 1, *, phone: str = "+79161234567", dialled: str = "") -> Leg:
    return Leg(
        id=f"c{number}",
        tenant="shop",
        direction="inbound",
        attempt_id=None,
        uniqueid="1.1",
        phone=phone,
        dialled=dialled,
        flow="hotline",
        language="ru",
        amd="",
        started_at_ms=1000,
        answered_at_ms=1500,
    )


KEY = Note(kind=NoteKind.KEY, node="main", value="1", follow_up=True, depth=2)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with a_database(tmp_path) as engine:
        yield engine


class WatchedWriter(SqliteWriter):
    """Tells when it could not write, or wrote."""

    def __init__(self, path: Path, *pragmas: str) -> None:
        def prepare(connection: sqlite3.Connection, record: object) -> None:
            prepare_sqlite(connection, record)
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        super().__init__(str(path), prepare)
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def write(self, group: Group) -> None:
        event = "written"
        try:
            super().write(group)
        except (NotNow, Refused) as error:
            event = type(error).__name__
            raise
        finally:
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)

    async def sees(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(5):
            for _ in range(times):
                while await self.events.get() != event:
                    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ivr.sqlite3"


async def count(database: AsyncEngine, table: object) -> int:
    async with database.connect() as connection:
        found = await connection.scalar(select(func.count()).select_from(table))  # type: ignore[arg-type]
    return int(found or 0)


async def test_lines_are_committed_by_themselves(database: AsyncEngine, path: Path, tmp_path: Path) -> None:
    writer = WatchedWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    begun = lines.begin(leg())
    begun.note(KEY, 2345)
    await writer.sees("written")
    assert await count(database, journal) == 1
    begun.end("hang_up", "uk", 9000)
    await lines.close()
    async with database.connect() as connection:
        row = (await connection.execute(select(call))).one()
        note = (await connection.execute(select(journal))).one()
    assert (row.id, row.ended_by, row.language, row.ended_at_ms) == ("c1", "hang_up", "uk", 9000)
    assert (note.seq, note.at_ms, note.kind, note.value, note.follow_up, note.depth) == (0, 845, "key", "1", True, 2)


async def test_opt_out_and_request_come_with_their_notes(database: AsyncEngine, path: Path, tmp_path: Path) -> None:
    lines = Journal(group_writer(database), tmp_path / "spill.jsonl")
    await lines.start()
    for begun in (lines.begin(leg(1)), lines.begin(leg(2)), lines.begin(leg(3, phone=""))):
        begun.note(Note(kind=NoteKind.OPT_OUT, node="never"), 2000)
        begun.note(Note(kind=NoteKind.REQUEST, node="ask", value="send_address", variables={"name": "Иван"}), 2000)
    await lines.close()
    async with database.connect() as connection:
        (opted_out,) = (await connection.execute(select(do_not_call))).all()
        requests = (await connection.execute(select(request).order_by(request.c.id))).all()
    assert (opted_out.phone, opted_out.source, opted_out.call_id) == ("+79161234567", "call", "c1")
    assert requests[0].variables == {"name": "Иван"}
    assert [row.phone for row in requests] == ["+79161234567", ""]


async def test_an_opt_out_is_on_disk_when_it_is_committed(database: AsyncEngine, path: Path) -> None:
    synchronous: list[int] = []

    def prepare(connection: sqlite3.Connection, record: object) -> None:
        prepare_sqlite(connection, record)

        def at_commit(statement: str) -> None:
            if statement == "COMMIT":
                synchronous.extend(connection.execute("PRAGMA synchronous").fetchone())

        connection.set_trace_callback(at_commit)

    writer = SqliteWriter(str(path), prepare)
    opt_out = {"tenant": "shop", "phone": "+79161234567", "since_ms": 1, "source": "call", "call_id": "c1"}
    for opt_outs in ([], [opt_out], []):
        writer.write({"opt_outs": opt_outs})
    writer.close()
    normal, full = 1, 2
    assert synchronous == [normal, full, normal]


async def test_a_locked_database_delays_lines_and_loses_none(database: AsyncEngine, path: Path, tmp_path: Path) -> None:
    writer = WatchedWriter(path, "busy_timeout=1")
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with capture_logs() as logs:
        for number in range(50):
            lines.begin(leg(number)).note(KEY, 2000)
        await writer.sees("NotNow", times=3)
        assert [entry["event"] for entry in logs] == ["journal.waiting"]
        blocker.execute("COMMIT")
        blocker.close()
        await writer.sees("written")
        await lines.close()
    assert [entry["event"] for entry in logs] == ["journal.waiting", "journal.recovered"]
    assert await count(database, journal) == 50
    assert not (tmp_path / "spill.jsonl").exists()


async def test_a_full_disk_sends_lines_to_a_file_that_is_read_back(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    async with database.connect() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar()
    # SQLite says "database or disk is full" then, as it does for a full disk.
    writer = WatchedWriter(path, f"max_page_count={pages}")
    spill = tmp_path / "var" / "spill.jsonl"
    lines = Journal(writer, spill, keep_at_most=10)
    await lines.start()
    with capture_logs() as logs:
        calls = [lines.begin(leg(number, dialled="x" * 32)) for number in range(400)]
        await writer.sees("NotNow")
        for begun in calls:
            begun.end("flow", "uk", 3000)
        await lines.close()
    assert "journal.waiting" in [entry["event"] for entry in logs]
    assert await count(database, call) == 0

    again = Journal(WatchedWriter(path), spill)
    await again.start()
    await again.close()
    assert not spill.exists()
    async with database.connect() as check:
        ended = await check.scalar(select(func.count()).where(call.c.ended_by == "flow", call.c.language == "uk"))
    assert ended == 400


async def test_without_a_place_for_the_file_calls_go_on(path: Path, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where a folder should be")
    writer = WatchedWriter(path, "query_only=ON")
    lines = Journal(writer, tmp_path / "var" / "spill.jsonl")
    await lines.start()
    with capture_logs() as logs:
        lines.begin(leg()).note(KEY, 2000)
        await writer.sees("NotNow")
        await lines.close()
    assert logs[-1]["event"] == "journal.lost"


async def test_an_end_that_overtakes_its_spilled_beginning_is_not_lost(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    spill = tmp_path / "spill.jsonl"
    first = Journal(WatchedWriter(tmp_path / "no database here" / "x"), spill)
    await first.start()
    begun = first.begin(leg())
    await first.close()
    assert spill.exists()

    second = Journal(WatchedWriter(path), tmp_path / "other.jsonl")
    await second.start()
    CallJournal(second, begun.leg).end("flow", "uk", 3000)
    await second.close()

    third = Journal(WatchedWriter(path), spill)
    await third.start()
    await third.close()
    async with database.connect() as connection:
        row = (await connection.execute(select(call))).one()
    assert (row.ended_by, row.language) == ("flow", "uk")


async def test_a_spill_file_cut_by_a_full_disk_is_read_as_far_as_it_goes(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    spill = tmp_path / "spill.jsonl"
    first = Journal(WatchedWriter(tmp_path / "no database here" / "x"), spill)
    await first.start()
    first.begin(leg(1))
    first.begin(leg(2))
    await first.close()
    spill.write_text(spill.read_text("utf-8")[:-20], "utf-8")

    again = Journal(WatchedWriter(path), spill)
    with capture_logs() as logs:
        await again.start()
    await again.close()
    assert await count(database, call) == 1
    assert [entry["event"] for entry in logs] == ["journal.unreadable", "journal.read_back"]


async def test_lines_that_can_never_be_stored_do_not_block_the_rest(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    writer = WatchedWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    with capture_logs() as logs:
        lines.begin(leg(1)).note(replace(KEY, depth=None), 2000)  # type: ignore[arg-type]
        await writer.sees("Refused")
        lines.begin(leg(2))
        await lines.close()
    assert await count(database, call) == 1
    assert logs[0]["event"] == "journal.rejected"
    assert len((tmp_path / "spill.rejected.jsonl").read_text("utf-8").splitlines()) == 2


async def test_through_the_driver_of_another_database_lines_are_committed_too(
    database: AsyncEngine, tmp_path: Path
) -> None:
    lines = Journal(AlchemyWriter(database), tmp_path / "spill.jsonl")
    await lines.start()
    lines.begin(leg()).note(KEY, 2000)
    await lines.close()
    assert await count(database, journal) == 1


async def test_a_value_without_room_is_refused_and_the_next_group_taken(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    writer = WatchedWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    lines.begin(leg(1)).note(replace(KEY, depth=2**80), 2000)
    await writer.sees("Refused")
    lines.begin(leg(2))
    await lines.close()
    assert await count(database, call) == 1
