"""A report of a running campaign is of one moment, and does not stand in the writers' way."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from people.store.scope import Scope
from people.store.tables import attempt
from reports.counts import read_kept
from tests.databases import a_database
from tests.unit.reports.rows import one_listener, put

pytestmark = pytest.mark.both_databases


async def test_calls_that_go_on_do_not_change_a_report_half_way(tmp_path: Path) -> None:
    rows = one_listener(state="running")
    async with a_database(tmp_path) as engine:
        await put(engine, rows)
        lead = rows.rows[attempt][0]["lead_id"]
        rows.attempt(lead, "busy")
        late = rows.rows[attempt][-1]

        count = select(func.count()).select_from(attempt)
        shop = Scope(engine, "shop")
        async with shop.snapshot() as report:
            assert (await report.execute(count)).scalar_one() == 1
            async with shop.begin() as dialler:
                await dialler.execute(insert(attempt), late)
            assert sum((await read_kept(report, shop, 1)).attempts.values()) == 1
        async with shop.snapshot() as report:
            assert sum((await read_kept(report, shop, 1)).attempts.values()) == 2
