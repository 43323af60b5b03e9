"""What is kept no longer goes, and nothing else: figures, people who may be dialled, and the do-not-call list stay."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from app.commands.main import app
from app.retention import look, remove, remove_nightly
from ivr.settings import Retention, Site
from ivr.site import init_site
from people.store import forgetting
from people.store.db import make_engine
from people.store.scope import Scope
from people.store.tables import call, campaign, contact, do_not_call, journal, lead, metadata, request
from reports.export import render_json
from reports.kept import refresh
from reports.metrics import compute_report, prove
from reports.page import missing
from reports.words import Words
from tests.databases import a_url, all_rows, put_tables
from tests.edges.virtual_clock import VirtualClock
from tests.unit.reports.example import example
from tests.unit.reports.rows import MOSCOW, NOW, Rows, ms

DAY_MS = 86_400_000
#: Long after all calls of the example.
LATER = NOW + 30 * DAY_MS


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_url(tmp_path) as url:
        yield init_site(tmp_path / "site", {"trunk.host": "127.0.0.1", "database": url})


@pytest.fixture
async def engine(site: Site) -> AsyncIterator[AsyncEngine]:
    opened = make_engine(site.database_url)
    yield opened
    await opened.dispose()


async def fill(engine: AsyncEngine, rows: Rows) -> None:
    async with all_rows(engine).begin() as connection:
        for table in metadata.sorted_tables:
            if values := rows.rows.get(table):
                await connection.execute(insert(table), values)
        await connection.execute(update(campaign).where(campaign.c.state == "finished").values(ended_at_ms=NOW))


def keeping(site: Site, **days: int) -> Site:
    return site.model_copy(update={"settings": site.settings.model_copy(update={"retention": Retention(**days)})})


async def removed_from(engine: AsyncEngine, site: Site, *, now_ms: int = LATER) -> dict[str, int]:
    clock = VirtualClock(now_ms)
    return {due.what: due.count async for due in remove(Scope(engine, "shop"), site, clock=_impatient(clock))}


def _impatient(clock: VirtualClock) -> Any:
    """Its time stands still."""

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    clock.sleep = sleep  # type: ignore[method-assign, assignment]
    return clock


async def count(engine: AsyncEngine, table: Any, *which: Any) -> int:
    async with all_rows(engine).begin() as connection:
        return await connection.scalar(select(func.count()).select_from(table).where(*which)) or 0


async def figures(engine: AsyncEngine, name: str = "sony-tv-15") -> Any:
    report = await compute_report(Scope(engine, "shop"), campaign_name=name, zone=MOSCOW, now_ms=NOW)
    return report, report.__class__(**{**vars(report), "removed_before_ms": None})


@pytest.mark.both_databases
@pytest.mark.parametrize("refreshed", [False, True])
async def test_figures_stay_when_their_calls_are_gone(
    site: Site, engine: AsyncEngine, refreshed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "_BATCH", 7)
    rows = example(40)
    await fill(engine, rows)
    if refreshed:
        await refresh(engine)
    _, before = await figures(engine)
    assert before.listened.part > 0
    due = {
        each.what: each.count for each in await look(Scope(engine, "shop"), keeping(site, calls_days=5), now_ms=LATER)
    }
    gone = await removed_from(engine, keeping(site, calls_days=5))
    assert gone == {"calls": len(rows.rows[call])} == {"calls": before.reached.part}
    assert due == gone
    assert await count(engine, call) == await count(engine, journal) == 0
    # What comes late, and twice, counts nothing to zero.
    note = next(each for each in rows.rows[journal] if each["kind"] == "key" and each["seq"])
    late = next(each for each in rows.rows[call] if each["id"] == note["call_id"])
    async with all_rows(engine).begin() as connection:
        await connection.execute(insert(call), [late])
        await connection.execute(insert(journal), [note])
    for _ in range(2):
        report, after = await figures(engine)
        assert after == before
        assert report.removed_before_ms == LATER_MIDNIGHT - 5 * DAY_MS
        assert '"removed_before_ms": 17' in render_json(report)
        (said,) = missing(report, Words("en"))
        assert "kept no longer" in said
        proof = await prove(Scope(engine, "shop"), campaign_name="sony-tv-15")
        assert proof.differences == []
        assert proof.removed_before_ms == report.removed_before_ms
        await refresh(engine)


LATER_MIDNIGHT = ms("2026-12-21 21:00")


@pytest.mark.both_databases
async def test_a_campaign_that_goes_on_keeps_its_calls_and_people(site: Site, engine: AsyncEngine) -> None:
    rows = example(20, state="running")
    rows.opt_out("+79160000001")
    rows.call(None, phone="+79169999999")
    await fill(engine, rows)
    people, calls = await count(engine, contact), await count(engine, call)
    gone = await removed_from(engine, keeping(site, calls_days=1, journal_days=1, people_days=1))
    assert gone == {"journals of calls": 0, "calls": 1, "people": 0, "numbers in calls": 0, "numbers in requests": 0}
    assert await count(engine, call) == calls - 1
    assert await count(engine, contact, contact.c.phone.like("+%")) == people
    assert (await prove(Scope(engine, "shop"), campaign_name="sony-tv-15")).removed_before_ms is None


@pytest.mark.both_databases
async def test_nobody_can_be_told_from_the_rest_but_on_the_do_not_call_list(site: Site, engine: AsyncEngine) -> None:
    rows = example(20)
    rows.opt_out("+79160000001")
    rows.call(None, phone="+79169999999")
    rows.campaign("next", state="paused")
    waits = rows.lead(state="waiting")
    await fill(engine, rows)
    async with all_rows(engine).begin() as connection:
        wish = {"tenant": "shop", "kind": "call_back", "phone": "+79160000002", "variables": {"shop": "1"}}
        await connection.execute(insert(request), [{**wish, "call_id": None, "asked_at_ms": NOW}])
        await connection.execute(update(lead).values(variables={"screen": "27"}))
    _, before = await figures(engine)
    people, calls = await count(engine, contact), await count(engine, call)
    gone = await removed_from(engine, keeping(site, people_days=10))
    assert gone == {"people": people - 1, "numbers in calls": calls, "numbers in requests": 1}
    _, after = await figures(engine)
    assert after == before
    assert (await prove(Scope(engine, "shop"), campaign_name="sony-tv-15")).differences == []
    async with all_rows(engine).begin() as connection:
        left = [
            str(row)
            for table in metadata.sorted_tables
            if table.name != do_not_call.name
            for row in await connection.execute(select(table))
            if "+79" in str(row) or "Ольга" in str(row) or "screen" in str(row)
        ]
        assert len(left) == 2, left
        assert await connection.scalar(select(contact.c.phone).where(contact.c.id == waits)) == f"+7916{waits:07}"
        assert await connection.scalar(select(do_not_call.c.phone)) == "+79160000001"
    assert await removed_from(engine, keeping(site, people_days=10)) == dict.fromkeys(gone, 0)


@pytest.mark.both_databases
@pytest.mark.parametrize("table", [call, request])
async def test_who_was_heard_of_since_is_not_forgotten(site: Site, engine: AsyncEngine, table: Any) -> None:
    rows = example(5)
    rows.call(None, phone="+74951112233", started_at_ms=LATER if table is call else NOW)
    await fill(engine, rows)
    async with all_rows(engine).begin() as connection:
        number = {"id": 900, "tenant": "shop", "phone": "+74951112233", "name": "", "language": "ru"}
        await connection.execute(insert(contact), [{**number, "created_at_ms": NOW, "person_id": 1}])
        if table is request:
            wish = {"tenant": "shop", "kind": "call_back", "phone": "+74951112233", "variables": {}}
            await connection.execute(insert(request), [{**wish, "asked_at_ms": LATER}])
    people = await count(engine, contact, contact.c.person_id.is_(None))
    assert (await removed_from(engine, keeping(site, people_days=10)))["people"] == people - 1
    assert await count(engine, contact) == 2
    assert await count(engine, table, table.c.phone == "+74951112233") == 1


@pytest.mark.both_databases
async def test_without_rules_nothing_goes_at_any_time(site: Site, engine: AsyncEngine) -> None:
    await fill(engine, example(5))
    assert await removed_from(engine, site, now_ms=LATER + 10_000 * DAY_MS) == {}
    assert await look(Scope(engine, "shop"), site, now_ms=LATER) == []


@pytest.mark.both_databases
async def test_journals_go_before_their_calls(site: Site, engine: AsyncEngine) -> None:
    await fill(engine, example(10))
    await removed_from(engine, keeping(site, journal_days=5, calls_days=500))
    assert await count(engine, journal) == 0
    assert await count(engine, call) > 0


@pytest.mark.both_databases
async def test_it_is_done_each_night_for_whoever_has_a_folder_here(site: Site, engine: AsyncEngine) -> None:
    rows = example(5)
    for whose in ("mall", "elsewhere"):
        rows.call(None, id=f"of-{whose}", tenant=whose)
    await fill(engine, rows)
    (site.folder / "tenants/mall").mkdir(parents=True)
    (site.folder / "tenants/mall/tenant.toml").touch()
    clock = VirtualClock(ms("2026-12-22 00:30"))
    ran: list[int] = []

    class Asked(Exception):
        pass

    async def sleep(seconds: float) -> None:
        if await count(engine, call) == 1:
            ran.append(clock.now_ms())
            raise Asked
        clock.step(seconds)

    clock.sleep = sleep  # type: ignore[method-assign]
    with contextlib.suppress(Asked):
        await remove_nightly(Scope(engine, "shop"), keeping(site, calls_days=3, hour=5), clock=clock)
    assert 0 <= ran[0] - ms("2026-12-22 02:00") < 60_000
    assert await count(engine, call, call.c.tenant == "elsewhere") == 1


async def test_files_that_were_put_aside_go(site: Site, engine: AsyncEngine) -> None:
    old, new = site.var / "ivr.log.3", site.var / "ivr.log.1"
    aside = site.var / "before-restore-20260101T000000Z"
    aside.mkdir()
    for path in (old, new, site.var / "ivr.log", aside / "ivr.toml"):
        path.write_text("x")
    for path in (old, site.var / "ivr.log", aside):
        os.utime(path, (1, 1))
    assert await removed_from(engine, keeping(site, logs_days=30, copies_days=30)) == {"logs": 1, "copies": 1}
    assert sorted(path.name for path in site.var.glob("*.log*")) == ["ivr.log", "ivr.log.1"]
    assert not aside.exists()


def test_the_command_shows_and_removes(tmp_path: Path) -> None:
    site = init_site(tmp_path / "site", {"trunk.host": "127.0.0.1"})
    put_tables(site.var / "ivr.sqlite3")
    words = ["retention", "--site", str(site.folder)]
    assert "All is kept" in CliRunner().invoke(app, words).output
    settings = site.folder / "ivr.toml"
    settings.write_text(settings.read_text().replace("# requests_days = 0", "requests_days = 30"))
    asyncio.run(_a_request(site))
    assert "requests                     1  of before " in CliRunner().invoke(app, words).output
    assert "Removed:\nrequests                     1" in CliRunner().invoke(app, [*words, "--apply"]).output
    assert "requests                     0" in CliRunner().invoke(app, words).output


async def _a_request(site: Site) -> None:
    engine = make_engine(site.database_url)
    async with all_rows(engine).begin() as connection:
        await connection.execute(
            text("INSERT INTO request (tenant, kind, phone, variables, asked_at_ms) VALUES ('shop', 'x', '', '{}', 1)")
        )
    await engine.dispose()
