"""How long reports take: `python -m tests.bench.report_speed [LEADS]`, 200,000 by default.

Of a campaign of so many leads; and of one of 10,000, alone and beside the big one, in one run.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store import tables
from people.store.db import open_database
from people.store.upgrade import upgrade
from reports.consistency import verify
from reports.figures import Report
from reports.metrics import compute_report
from reports.page import render_html
from tests.unit.reports.rows import MOSCOW, NOON, NOW, Rows

_BATCH, _SMALL = 20_000, 10_000


def batches(leads: int, *, campaign: int, after: int) -> Iterator[dict[Table, list[dict[str, Any]]]]:
    """Rows of a campaign of so many leads, 1.5 attempts each, every second of them a person with three notes.

    `campaign` is its id, `after` the number of leads that are there already.
    """
    chance = Random(1)  # noqa: S311 - the same rows every time
    rows = Rows()
    rows.campaign(f"c{campaign}")
    rows.rows[tables.campaign][0]["id"] = campaign
    yield rows.rows
    number = 2 * after
    for first in range(after + 1, after + leads + 1, _BATCH):
        batch: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (tables.contact, tables.lead, tables.attempt, tables.call, tables.journal)
        }
        for lead in range(first, min(first + _BATCH, after + leads + 1)):
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
                        "campaign_id": campaign,
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
                            "campaign_id": campaign,
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


async def store(engine: AsyncEngine, leads: int, *, campaign: int, after: int) -> None:
    for batch in batches(leads, campaign=campaign, after=after):
        async with engine.begin() as connection:
            for table, values in batch.items():
                await connection.execute(insert(table), values)


async def counted(engine: AsyncEngine, campaign: int) -> tuple[Report, float]:
    """The report, and the seconds that it took."""
    began = time.perf_counter()
    report = await compute_report(engine, tenant="shop", campaign_name=f"c{campaign}", zone=MOSCOW, now_ms=NOW)
    return report, time.perf_counter() - began


async def measure(leads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'bench.sqlite3'}"
        await upgrade(url)
        engine = await open_database(url)
        await store(engine, _SMALL, campaign=1, after=0)
        alone_s = min([(await counted(engine, 1))[1] for _ in range(3)])
        await store(engine, leads, campaign=2, after=_SMALL)
        beside_s = min([(await counted(engine, 1))[1] for _ in range(3)])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report, took_s = await counted(engine, 2)
        started = time.perf_counter()
        page = render_html(report, language="ru", title="Техномир")
        drawn_s = time.perf_counter() - started
        await engine.dispose()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{_SMALL:,} leads alone {alone_s:.2f} s, beside {leads:,} {beside_s:.2f} s: {beside_s / alone_s:.2f}")
    print(f"{leads:,} leads, {report.attempts:,} attempts, {report.reached.part * 3:,} notes")
    print(f"figures {took_s:.2f} s, memory +{grown:.0f} MB")
    print(f"page {drawn_s:.2f} s, {len(page) // 1024} kB")
    assert verify(report) == []


def main(leads: int = 200_000) -> None:
    asyncio.run(measure(leads))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
