"""The journal on a real database that is well, locked, full, or will never take the lines."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from ivr.flow.steps import Note, NoteKind
from ivr.journal import CallJournal, Journal, Leg, committing
from ivr.journal import journal as journal_module
from ivr.journal.journal import JournalDied
from ivr.journal.lines import Line, Whose, to_json
from people.store.dialect import prepare_sqlite
from people.store.group_commit import Group, NotNow, Refused, SqliteWriter, group_writer
from people.store.tables import call, do_not_call, journal, loss, request
from tests.databases import a_database, all_rows
from tests.edges.waiting import PATIENCE_S, until


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
        version=None,
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
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(times):
                while await self.events.get() != event:
                    pass


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines wait for others as they do in earnest, but not for half a second."""
    monkeypatch.setattr(committing, "GROUP_S", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ivr.sqlite3"


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("spill.*"))


async def count(database: AsyncEngine, table: object) -> int:
    async with all_rows(database).begin() as connection:
        found = await connection.scalar(select(func.count()).select_from(table))  # type: ignore[arg-type]
    return int(found or 0)


async def losses(database: AsyncEngine) -> list[tuple[str, str, int]]:
    async with all_rows(database).begin() as connection:
        rows = await connection.execute(select(loss).order_by(loss.c.call_id, loss.c.kind))
        return [(row.call_id, row.kind, row.lines) for row in rows]


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
    async with all_rows(database).begin() as connection:
        row = (await connection.execute(select(call))).one()
        note = (await connection.execute(select(journal))).one()
    assert (row.id, row.ended_by, row.language, row.ended_at_ms) == ("c1", "hang_up", "uk", 9000)
    assert (note.seq, note.at_ms, note.kind, note.value, note.follow_up, note.depth) == (0, 845, "key", "1", True, 2)


@pytest.mark.both_databases
async def test_opt_out_and_request_come_with_their_notes(database: AsyncEngine, tmp_path: Path) -> None:
    lines = Journal(group_writer(database), tmp_path / "spill.jsonl")
    await lines.start()
    for begun in (lines.begin(leg(1)), lines.begin(leg(2)), lines.begin(leg(3, phone=""))):
        begun.note(Note(kind=NoteKind.OPT_OUT, node="never"), 2000)
        begun.note(Note(kind=NoteKind.REQUEST, node="ask", value="send_address", variables={"name": "Иван"}), 2000)
    await lines.close()
    async with all_rows(database).begin() as connection:
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
    async with all_rows(database).begin() as connection:
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
    async with all_rows(database).begin() as check:
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
    async with all_rows(database).begin() as connection:
        row = (await connection.execute(select(call))).one()
    assert (row.ended_by, row.language) == ("flow", "uk")


async def test_a_call_that_a_release_before_versions_spilled_is_read_back(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    spill = tmp_path / "spill.jsonl"
    row = leg().row()
    del row["version"]
    spill.write_bytes(to_json(Line("begun", row, Whose("c1", "shop", None))))
    lines = Journal(WatchedWriter(path), spill)
    await lines.start()
    await lines.close()
    async with database.connect() as connection:
        found = (await connection.execute(select(call))).one()
    assert (found.id, found.version) == ("c1", None)


async def test_a_line_is_in_a_file_before_the_call_goes_on(database: AsyncEngine, path: Path, tmp_path: Path) -> None:
    writer = StuckWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    begun = lines.begin(leg(1))
    await asyncio.to_thread(writer.entered.wait)
    begun.note(KEY, 2000)
    begun.note(KEY, 2100)
    # The loop's next turn: what a call waits for takes longer.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    killed = tmp_path / "killed"
    killed.mkdir()
    for file in files_of(tmp_path):
        shutil.copy(file, killed)
    writer.release.set()

    again = Journal(SqliteWriter(str(path)), killed / "spill.jsonl")
    await again.start()
    assert (await count(database, call), await count(database, journal)) == (1, 2)
    await again.close()
    await lines.close()
    assert not files_of(tmp_path) + files_of(killed)


async def test_lines_without_room_in_the_file_are_committed_at_once_and_leave_no_half_line(
    database: AsyncEngine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "GROUP_S", 20.0)
    writer = WatchedWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    real, room = os.write, 10

    def full(fd: int, data: bytes) -> int:
        return real(fd, data[:room])

    monkeypatch.setattr("ivr.journal.ahead.os.write", full)
    with capture_logs() as logs:
        lines.begin(leg(1))
        await writer.sees("written")
    monkeypatch.undo()
    assert [entry["event"] for entry in logs] == ["journal.no_room"]
    assert await count(database, call) == 1
    assert [file.stat().st_size for file in files_of(tmp_path)] == [0, 0]
    await lines.close()


async def test_a_second_journal_leaves_the_files_to_the_first(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    first, second = (Journal(SqliteWriter(str(path)), tmp_path / "spill.jsonl") for _ in range(2))
    await first.start()
    with capture_logs() as logs:
        await second.start()
    assert [entry["event"] for entry in logs] == ["journal.no_file", "journal.no_reserve"]
    second.begin(leg(2))
    first.begin(leg(1))
    await second.close()
    assert len(files_of(tmp_path)) == 2
    await first.close()
    assert await count(database, call) == 2


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
        lines.begin(leg(1)).note(KEY._replace(depth=None), 2000)  # type: ignore[arg-type]
        await writer.sees("Refused")
        lines.begin(leg(2))
        await lines.close()
    assert await count(database, call) == 2
    assert logs[0]["event"] == "journal.rejected"
    assert len((tmp_path / "spill.rejected.jsonl").read_text("utf-8").splitlines()) == 1
    assert await losses(database) == [("c1", "notes", 1)]


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "bad",
    [
        {"depth": 2**63},
        {"depth": 2**80},
        {"depth": None},
        {"depth": [1]},
        {"depth": object()},
        {"node": None},
        {"kind": None},
    ],
    # The same in every worker: an object's own words name its address.
    ids=lambda bad: re.sub(" at 0x.*", "", repr(bad)),
)
async def test_a_bad_line_is_put_aside_alone(database: AsyncEngine, tmp_path: Path, bad: dict[str, object]) -> None:
    lines = Journal(group_writer(database), tmp_path / "spill.jsonl")
    await lines.start()
    for number in range(20):
        begun = lines.begin(leg(number))
        begun.note(KEY, 2000)
        if number == 7:
            noted = begun._noted(KEY, 2000)
            lines.write(noted._replace(row={**noted.row, **bad}))
        begun.end("flow", "uk", 3000)
    await lines.close()
    assert await count(database, call) == await count(database, journal) == 20
    assert await losses(database) == [("c7", "notes", 1)]
    assert len((tmp_path / "spill.rejected.jsonl").read_text("utf-8").splitlines()) == 1


@pytest.mark.both_databases
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0", "x\0\ud800", "\U0010ffff"])
async def test_no_text_that_a_caller_brings_is_refused(database: AsyncEngine, tmp_path: Path, text: str) -> None:
    lines = Journal(group_writer(database), tmp_path / "spill.jsonl")
    await lines.start()
    begun = lines.begin(leg(1)._replace(phone=text, dialled=text, uniqueid=text, amd=text))
    begun.note(KEY._replace(value=text), 2000)
    begun.note(Note(kind=NoteKind.REQUEST, node="ask", value="x", variables={text: text}), 2000)
    begun.note(Note(kind=NoteKind.OPT_OUT, node="never"), 2000)
    begun.end("flow", "uk", 3000)
    await lines.close()
    async with all_rows(database).begin() as connection:
        row = (await connection.execute(select(call))).one()
        asked = (await connection.execute(select(request.c.variables))).scalar_one()
    assert row.ended_by == "flow"
    assert "\0" not in row.phone + row.dialled + row.uniqueid
    assert row.phone.encode() and "".join((*asked, *asked.values())).encode()
    assert await losses(database) == []
    assert not (tmp_path / "spill.rejected.jsonl").exists()


class FaultyWriter(SqliteWriter):
    """Fails in ways that nobody has foreseen, as often as `faults` says."""

    def __init__(self, path: Path, *faults: Exception) -> None:
        super().__init__(str(path))
        self.faults = list(faults)

    def write(self, group: Group) -> None:
        if self.faults:
            raise self.faults.pop()
        super().write(group)


async def test_a_fault_of_the_writer_does_not_end_the_journal(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    lines = Journal(FaultyWriter(path, ZeroDivisionError(), KeyError("x"), MemoryError()), tmp_path / "spill.jsonl")
    await lines.start()
    for number in range(50):
        lines.begin(leg(number))
    await lines.close()
    # Each time halves are tried; lines are put aside only when they are alone.
    assert await count(database, call) == 50


async def test_a_fault_beside_the_writer_does_not_end_the_journal(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    lines = Journal(WatchedWriter(path), tmp_path / "spill.jsonl")
    await lines.start()
    with capture_logs() as logs:
        # A directory in the spill file's place: it can neither be read nor written.
        (tmp_path / "spill.jsonl").mkdir()
        lines._spill.filled = True
        for number in range(3):
            lines.begin(leg(number))
            await lines._rows.sees("written")  # type: ignore[attr-defined]
        assert lines.alive
        await lines.close()
    assert await count(database, call) == 3
    assert [entry["event"] for entry in logs].count("journal.fault") == 1


async def test_a_journal_that_ends_by_itself_is_noticed(tmp_path: Path, path: Path) -> None:
    lines = Journal(WatchedWriter(path), tmp_path / "spill.jsonl")
    lines._work.run = lambda: None  # type: ignore[method-assign]
    await lines.start()
    with pytest.raises(JournalDied):
        async with asyncio.timeout(PATIENCE_S):
            await lines.watch()
    assert not lines.alive
    await lines.close()


async def test_whoever_watches_a_journal_is_told_of_its_end(tmp_path: Path, path: Path) -> None:
    lines = Journal(WatchedWriter(path), tmp_path / "spill.jsonl")
    await lines.start()
    watching = asyncio.create_task(lines.watch())
    await lines.close()
    async with asyncio.timeout(PATIENCE_S):
        await watching


async def test_what_was_spilled_is_read_back_while_running(database: AsyncEngine, path: Path, tmp_path: Path) -> None:
    writer = WatchedWriter(path, "busy_timeout=1")
    spill = tmp_path / "spill.jsonl"
    lines = Journal(writer, spill, keep_at_most=0)
    await lines.start()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    begun = lines.begin(leg(1))
    for number in range(100):
        begun.note(KEY._replace(value=str(number % 10)), 2000 + number)
    await writer.sees("NotNow")
    await writer.sees("NotNow")
    assert spill.exists()
    blocker.execute("ROLLBACK")
    blocker.close()
    # No new line comes, and it is read back all the same.
    await until(lambda: not spill.exists())
    assert await count(database, journal) == 100
    await lines.close()
    assert not spill.exists()
    assert await losses(database) == []


async def test_lines_do_not_stay_in_memory_while_a_database_is_ill(
    database: AsyncEngine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "PATIENCE_S", 0.1)
    spill = tmp_path / "spill.jsonl"
    lines = Journal(WatchedWriter(path, "busy_timeout=1"), spill)
    await lines.start()
    with sqlite3.connect(path, isolation_level=None) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        lines.begin(leg(1)).note(KEY, 2000)
        await until(lambda: spill.exists() and len(spill.read_bytes().splitlines()) == 2)
        blocker.execute("ROLLBACK")
    await until(lambda: not spill.exists())
    assert await count(database, journal) == 1
    await lines.close()


class StuckWriter(SqliteWriter):
    """A database that neither takes lines nor says why, until `release` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.entered, self.release = threading.Event(), threading.Event()

    def write(self, group: Group) -> None:
        self.entered.set()
        # A test that fails must end all the same.
        self.release.wait(2 * PATIENCE_S)
        super().write(group)


async def test_a_write_that_never_returns_leaves_memory_bounded_and_loses_nothing(
    database: AsyncEngine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "STUCK_S", 0.0)
    writer = StuckWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl", keep_at_most=100)
    await lines.start()
    lines.begin(leg(0))
    await asyncio.to_thread(writer.entered.wait)
    most = 0
    for number in range(1, 3000):
        lines.begin(leg(number))
        most = max(most, len(lines._ahead))
        if lines._spilling is not None and len(lines._ahead) >= 150:
            await asyncio.wrap_future(lines._spilling)
    assert most <= 200
    writer.release.set()
    await lines.close()
    again = Journal(SqliteWriter(str(path)), tmp_path / "spill.jsonl")
    await again.start()
    await again.close()
    assert await count(database, call) == 3000
    assert await losses(database) == []


async def test_closing_does_not_wait_for_ever_for_a_write_that_never_returns(
    database: AsyncEngine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CLOSE_S", 0.1)
    writer = StuckWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    lines.begin(leg(0))
    await asyncio.to_thread(writer.entered.wait)
    lines.begin(leg(1))
    async with asyncio.timeout(PATIENCE_S):
        await lines.close()
    again = Journal(SqliteWriter(str(path)), tmp_path / "spill.jsonl")
    await again.start()
    await again.close()
    assert await count(database, call) == 2
    writer.release.set()


async def test_lines_that_find_no_room_anywhere_are_told_as_losses(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    full = tmp_path / "spill.jsonl"
    writer = WatchedWriter(path, "busy_timeout=1")
    lines = Journal(writer, full, keep_at_most=0)
    await lines.start()
    full.symlink_to("/dev/full")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    begun = lines.begin(leg(1))
    begun.note(KEY, 2000)
    begun.note(KEY, 2100)
    await writer.sees("NotNow", times=2)
    blocker.execute("ROLLBACK")
    blocker.close()
    await lines.close()
    assert await losses(database) == [("c1", "begun", 1), ("c1", "notes", 2)]


async def test_losses_survive_the_end_of_a_process_whose_disk_is_full(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    full = tmp_path / "spill.jsonl"
    full.symlink_to("/dev/full")
    lines = Journal(WatchedWriter(tmp_path / "no database here" / "x"), full)
    await lines.start()
    begun = lines.begin(leg(1))
    begun.note(KEY, 2000)
    begun.note(Note(kind=NoteKind.OPT_OUT, node="never"), 2100)
    await lines.close()

    again = Journal(SqliteWriter(str(path)), full)
    await again.start()
    await again.close()
    assert await losses(database) == [("c1", "begun", 1), ("c1", "notes", 2), ("c1", "opt_outs", 1)]
    # It went into the reserve, after all.
    assert await count(database, do_not_call) == 1


async def test_a_value_without_room_is_refused_and_the_next_group_taken(
    database: AsyncEngine, path: Path, tmp_path: Path
) -> None:
    writer = WatchedWriter(path)
    lines = Journal(writer, tmp_path / "spill.jsonl")
    await lines.start()
    lines.begin(leg(1)).note(KEY._replace(depth=2**80), 2000)
    await writer.sees("Refused")
    lines.begin(leg(2))
    await lines.close()
    assert await count(database, call) == 2
