"""What is kept of results equals a recount, whatever happened, in whichever order and however often it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Insert, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from outbound.attempts import DIALLED, Settlement, settling
from outbound.campaigns import count_progress
from outbound.clock import Clock
from outbound.plan.outcome import Outcome
from people.store.calls import JOURNAL_COLUMNS, JournalStatements
from people.store.db import file_url, make_engine
from people.store.results import attempt_tally, result, stale
from people.store.scope import Scope
from people.store.tables import attempt, call, campaign, contact, journal, lead
from people.store.upgrade import upgrade
from reports.counts import differences, read_anew, read_kept
from reports.kept import keep_fresh, refresh
from tests.databases import a_database, all_rows, in_memory
from tests.edges.waiting import until
from tests.unit.reports.example import example
from tests.unit.reports.rows import NOON, Rows, one_listener, store
from tests.unit.reports.test_metrics_properties import happenings

#: One thing that the dialler or the journal writes, in a transaction.
Write = tuple[Any, Mapping[str, Any]]


def shuffled(rows: Rows, chance: Random, engine: AsyncEngine) -> list[Write]:
    """All that is written of what happened, in any order, and much of it twice."""
    told = writes(rows, engine.dialect.name)
    told += chance.sample(told, len(told) // 2)
    chance.shuffle(told)
    return told


def writes(rows: Rows, dialect: str) -> list[Write]:
    """The journal's lines and the ledger's statements of all that happened."""
    lines = JournalStatements.of(dialect)
    told: list[Write] = []
    for each in rows.rows.get(attempt, []):
        if each["dialled_at_ms"] is not None:
            told.append((DIALLED, {"whose": "shop", "attempt_id": each["id"], "at_ms": each["dialled_at_ms"]}))
        if each["outcome"] is not None:
            end = Settlement(
                attempt_id=each["id"],
                tenant="shop",
                lead_id=each["lead_id"],
                number=each["number"],
                outcome=Outcome(each["outcome"]),
                settled_by="events",
                ended_at_ms=NOON,
            )
            told += settling(end, NOON)
    for each in rows.rows.get(call, []):
        told.append((lines.begun, {name: each[name] for name in JOURNAL_COLUMNS["begun"]}))
        told.append((lines.ended, {name: each[name] for name in JOURNAL_COLUMNS["ended"]}))
    return told + [(lines.notes, each) for each in rows.rows.get(journal, [])]


async def begin(engine: AsyncEngine, rows: Rows) -> None:
    """People, leads, and the intents of their attempts, which are committed before anything is dialled."""
    intents = [{**each, "dialled_at_ms": None, "outcome": None} for each in rows.rows.get(attempt, [])]
    async with all_rows(engine).begin() as connection:
        for table in (campaign, contact, lead):
            if rows.rows.get(table):
                await connection.execute(table.insert(), rows.rows[table])
        if intents:
            await connection.execute(attempt.insert(), intents)
        numbers = select(func.max(attempt.c.number)).where(attempt.c.lead_id == lead.c.id).scalar_subquery()
        tried = lead.c.id.in_([each["lead_id"] for each in intents])
        await connection.execute(update(lead).where(tried).values(state="dialling", attempts=numbers))


async def proved(engine: AsyncEngine, campaigns: Sequence[int] = (1, 2)) -> None:
    """Reports and progress are what the rows say."""
    for campaign_id in campaigns:
        shop = Scope(engine, "shop")
        async with shop.snapshot() as connection:
            kept, anew = await read_kept(connection, shop, campaign_id), await read_anew(connection, shop, campaign_id)
        assert list(differences(kept, anew)) == []


async def progress_is_right(engine: AsyncEngine, campaigns: Sequence[int] = (1, 2)) -> None:
    for campaign_id in campaigns:
        progress = await count_progress(Scope(engine, "shop"), campaign_id)
        async with all_rows(engine).begin() as connection:
            leads = (await connection.execute(select(lead).where(lead.c.campaign_id == campaign_id))).all()
        for state in ("waiting", "dialling", "done", "excluded"):
            assert getattr(progress, state) == sum(each.state == state for each in leads)
        outcomes = [each.outcome for each in leads if each.outcome is not None]
        assert progress.outcomes == {name: outcomes.count(name) for name in set(outcomes)}


class Killed(Exception):
    pass


async def write(engine: AsyncEngine, told: Sequence[Write], *, killed: bool) -> None:
    try:
        async with all_rows(engine).begin() as connection:
            for statement, values in told:
                await connection.execute(statement, values)
            if killed:
                raise Killed
    except Killed:
        pass


async def happen(rows: Rows, chance: Random) -> None:
    async with in_memory() as engine:
        told = shuffled(rows, chance, engine)
        await begin(engine, rows)
        await proved(engine)
        while told:
            group = [told.pop() for _ in range(min(len(told), chance.randint(1, 8)))]
            if chance.random() < 0.2:
                await write(engine, group, killed=True)
            await write(engine, group, killed=False)
            if chance.random() < 0.3:
                await refresh(engine)
            if chance.random() < 0.3:
                await proved(engine)
                await progress_is_right(engine)
        await proved(engine)
        await refresh(engine)
        async with all_rows(engine).begin() as connection:
            assert await connection.scalar(select(func.count()).select_from(stale)) == 0
        await proved(engine)
        await progress_is_right(engine)


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(happenings(), st.integers(0, 1_000_000))
def test_what_is_kept_is_what_a_recount_finds(rows: Rows, seed: int) -> None:
    asyncio.run(happen(rows, Random(seed)))  # noqa: S311 - a failure must come again


@pytest.mark.postgresql_only
@settings(max_examples=2, suppress_health_check=[HealthCheck.too_slow])
@given(happenings(), st.integers(0, 1_000_000))
def test_postgresql_keeps_the_same(rows: Rows, seed: int) -> None:
    asyncio.run(happen(rows, Random(seed)))  # noqa: S311 - a failure must come again


@pytest.mark.both_databases
async def test_dialler_and_journal_write_while_results_are_counted(tmp_path: Path) -> None:
    rows = example(40)
    chance = Random(3)  # noqa: S311
    async with a_database(tmp_path) as engine:
        told = shuffled(rows, chance, engine)
        await begin(engine, rows)
        journal_s = [each for each in told if isinstance(each[0], Insert)]
        dialler_s = [each for each in told if not isinstance(each[0], Insert)]
        writing = asyncio.gather(write_all(engine, journal_s), write_all(engine, dialler_s))
        while not writing.done():
            await asyncio.gather(refresh(engine), refresh(engine))
            await proved(engine, campaigns=(1,))
        await writing
        await refresh(engine)
        await proved(engine, campaigns=(1,))


async def write_all(engine: AsyncEngine, told: Sequence[Write]) -> None:
    for start in range(0, len(told), 10):
        await write(engine, told[start : start + 10], killed=False)


async def test_a_recount_finds_what_was_changed_by_hand() -> None:
    async with store(one_listener()) as engine:
        await refresh(engine)
        async with all_rows(engine).begin() as connection:
            await connection.execute(update(attempt_tally).values(attempts=7))
        shop = Scope(engine, "shop")
        async with shop.snapshot() as connection:
            found = list(differences(await read_kept(connection, shop, 1), await read_anew(connection, shop, 1)))
    assert found == [f"attempts: Attempts(outcome='human', slot={NOON // 900_000}): 7 kept, 1 counted anew"]


async def test_a_refresh_that_fails_leaves_the_marks() -> None:
    rows = one_listener()
    async with store(rows) as engine:
        async with all_rows(engine).begin() as connection:
            # Whoever adds the lead up again fails.
            await connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON pressed_tally BEGIN SELECT raise(ABORT, 'disk is full'); END"
            )
            rows.note("c0", "key", "1", at=21_000)
            await connection.execute(journal.insert(), rows.rows[journal][-1])
        with pytest.raises(DBAPIError, match="disk is full"):
            await refresh(engine)
        await proved(engine)
        async with all_rows(engine).begin() as connection:
            assert await connection.scalar(select(func.count()).select_from(result)) == 0
            await connection.exec_driver_sql("DROP TRIGGER full")
        await refresh(engine)
        await proved(engine)


async def test_figures_wait_while_the_database_takes_nothing(tmp_path: Path) -> None:
    class Often(Clock):
        def to_beat_s(self, every_s: float) -> float:
            return every_s / 1000

    def told(event: str) -> bool:
        return any(each["event"] == event for each in logs)

    url = file_url(tmp_path / "ivr.sqlite3")
    database = make_engine(url)
    with capture_logs() as logs:
        keeping = asyncio.create_task(keep_fresh(database, Often()))
        for event in ("figures_wait", "figures_wait_over"):
            await until(partial(told, event))
            await upgrade(url)
        keeping.cancel()
    await database.dispose()
    assert keeping.cancelling()
