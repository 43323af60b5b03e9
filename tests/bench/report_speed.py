"""How long the report of a big campaign takes: `python -m tests.bench.report_speed [LEADS]`, 200,000 by default."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Table, insert

from people.store import tables
from people.store.db import open_database
from people.store.scope import Scope
from people.store.upgrade import upgrade
from people.tenants import register
from reports.consistency import verify
from reports.figures import Report
from reports.kept import refresh
from reports.metrics import compute_report, prove
from reports.page import render_html
from tests.databases import all_rows
from tests.unit.reports.rows import MOSCOW, NOON, NOW, Rows

_BATCH = 20_000
#: Leads of the campaign beside the big one.
SMALL = 10_000


def batches(leads: int, *, campaign_id: int, first: int) -> Iterator[dict[Table, list[dict[str, Any]]]]:
    """Rows of a campaign of so many leads, 1.5 attempts each, every second of them a person with three notes."""
    chance = Random(1)  # noqa: S311 - the same rows every time
    rows = Rows()
    for number in range(1, campaign_id + 1):
        rows.campaign(f"tv-week-{number}")
    yield {tables.campaign: rows.rows[tables.campaign][-1:]}
    number = 2 * first
    for start in range(first, first + leads, _BATCH):
        batch: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (tables.contact, tables.lead, tables.attempt, tables.call, tables.journal)
        }
        for lead in range(start, min(start + _BATCH, first + leads)):
            batch[tables.contact].append(
                {
                    **{"id": lead, "tenant": "shop", "phone": f"+7{9000000000 + lead}", "name": "", "language": "ru"},
                    "created_at_ms": NOON,
                }
            )
            batch[tables.lead].append(
                {
                    **{
                        "id": lead,
                        "tenant": "shop",
                        "campaign_id": campaign_id,
                        "contact_id": lead,
                        "variables": {},
                        "state": "done",
                    },
                    **{"excluded_reason": None, "due_at_ms": 0, "attempts": 1, "outcome": None},
                }
            )
            for outcome in ("human",) if lead % 2 else ("busy", "no_answer"):
                number += 1
                at = NOON + chance.randrange(12 * 3_600_000)
                batch[tables.attempt].append(
                    {
                        **{
                            "id": f"a{number}",
                            "tenant": "shop",
                            "campaign_id": campaign_id,
                            "lead_id": lead,
                            "number": 1 + (outcome == "no_answer"),
                        },
                        **{"planned_at_ms": at, "dialled_at_ms": at, "outcome": outcome},
                    }
                )
                if outcome == "human":
                    _talk(batch, number, at, chance)
        yield batch


def _talk(batch: dict[Table, list[dict[str, Any]]], number: int, at: int, chance: Random) -> None:
    batch[tables.call].append(
        {
            **{"id": f"c{number}", "tenant": "shop", "direction": "outbound", "attempt_id": f"a{number}"},
            **{"uniqueid": f"a{number}", "phone": "+79161234567", "dialled": "", "flow": "promo", "language": "ru"},
            **{"amd": "", "started_at_ms": at, "answered_at_ms": at, "ended_at_ms": at + 30_000, "ended_by": "hang_up"},
        }
    )
    blank = {"node": "offer", "value": "", "follow_up": False, "depth": 0, "main": False}
    blank |= {"heard_ms": None, "length_ms": None, "ended": None}
    heard = {"heard_ms": chance.randrange(20_001), "length_ms": 20_000, "ended": "hang_up"}
    for seq, note in enumerate(
        (
            {"kind": "heard", "value": "promo.hello", "heard_ms": 2_000, "length_ms": 2_000, "ended": "played"},
            {"kind": "heard", "value": "promo.offer", "main": True, **heard},
            {"kind": "key", "value": chance.choice("123"), "follow_up": chance.random() < 0.5},
        )
    ):
        batch[tables.journal].append({**blank, "call_id": f"c{number}", "seq": seq, "at_ms": 20_000, **note})


def big(leads: int) -> Iterator[dict[Table, list[dict[str, Any]]]]:
    """The same with a small campaign beside it."""
    yield from batches(SMALL, campaign_id=1, first=1)
    yield from batches(leads, campaign_id=2, first=SMALL + 1)


async def fill(url: str, rows: Iterable[dict[Table, list[dict[str, Any]]]]) -> float:
    """Seconds that it takes to bring the results up to date."""
    await upgrade(url)
    engine = await open_database(url)
    await register(Scope(engine, "shop"), now_ms=1)
    for batch in rows:
        async with all_rows(engine).begin() as connection:
            for table, values in batch.items():
                await connection.execute(insert(table), values)
    started = time.perf_counter()
    await refresh(engine)
    await engine.dispose()
    return time.perf_counter() - started


async def counted(url: str, campaign: str) -> tuple[Report, float]:
    """The report, and the seconds of the quickest of five."""
    engine = await open_database(url)
    took = []
    for _ in range(5):
        started = time.perf_counter()
        report = await compute_report(Scope(engine, "shop"), campaign_name=campaign, zone=MOSCOW, now_ms=NOW)
        took.append(time.perf_counter() - started)
    await engine.dispose()
    assert verify(report) == []
    return report, min(took)


def bare_pass(path: Path, campaign_id: int) -> float:
    """Seconds in which the campaign's calls and lines are merely read."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        took = []
        for _ in range(3):
            started = time.perf_counter()
            for _row in database.execute(
                "SELECT call.*, journal.* FROM call JOIN journal ON journal.call_id = call.id WHERE campaign_id = ?",
                (campaign_id,),
            ):
                pass
            took.append(time.perf_counter() - started)
    return min(took)


async def measure(leads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone, beside = Path(folder) / "alone.sqlite3", Path(folder) / "beside.sqlite3"
        await fill(f"sqlite+aiosqlite:///{alone}", batches(SMALL, campaign_id=1, first=1))
        refreshed = await fill(f"sqlite+aiosqlite:///{beside}", big(leads))
        _, small_alone = await counted(f"sqlite+aiosqlite:///{alone}", "tv-week-1")
        _, small_beside = await counted(f"sqlite+aiosqlite:///{beside}", "tv-week-1")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report, figures = await counted(f"sqlite+aiosqlite:///{beside}", "tv-week-2")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        started = time.perf_counter()
        page = render_html(report, language="ru", title="Техномир")
        drawn = time.perf_counter() - started
        bare = bare_pass(beside, 2)
        engine = await open_database(f"sqlite+aiosqlite:///{beside}")
        started = time.perf_counter()
        assert (await prove(Scope(engine, "shop"), campaign_name="tv-week-2")).differences == []
        proved = time.perf_counter() - started
        await engine.dispose()
    print(f"{leads:,} leads, {report.attempts:,} attempts, {report.reached.part * 3:,} notes")
    print(f"figures {figures:.3f} s, {figures / bare:.3f} of a bare pass of {bare:.2f} s, memory +{grown:.0f} MB")
    print(f"{SMALL:,} leads beside them {small_beside:.3f} s, {small_beside / small_alone:.2f} of alone")
    print(f"page {drawn:.2f} s, {len(page) // 1024} kB; refreshed in {refreshed:.1f} s; recount {proved:.2f} s")


def main(leads: int = 200_000) -> None:
    asyncio.run(measure(leads))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
