"""Slices add up to the whole, whatever happened; a line has one denominator; an unknown column is told."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import UserError
from people.store.scope import Scope
from people.store.tables import lead
from reports import slices as module
from reports.export import render_slices_json
from reports.kept import refresh
from reports.metrics import compute_report
from reports.slices import FIGURES, Slices, compute_slices
from reports.terminal import render_slices
from tests.unit.reports.example import example
from tests.unit.reports.rows import MOSCOW, NOON, NOW, Rows, store
from tests.unit.reports.test_metrics_properties import happenings

pytestmark = pytest.mark.both_databases

WHICH: dict[str, Any] = {"zone": MOSCOW, "now_ms": NOW}


async def slices_of(engine: AsyncEngine, by: str, *, campaign: str = "tv-week") -> Slices:
    return await compute_slices(Scope(engine, "shop"), campaign_name=campaign, by=by, **WHICH)


def coloured(rows: Rows, seed: int) -> Rows:
    chance = Random(seed)  # noqa: S311 - examples, not secrets
    for row in rows.rows.get(lead, []):
        row["language"] = chance.choice(["ru", "uk"])
        row["variables"] = {"город": chance.choice(["Москва", "Київ", "x'\\"])} if chance.random() < 0.8 else {}
    return rows


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings(), st.integers(0, 99), st.booleans())
def test_lines_add_up_to_the_whole(database_kind: str, rows: Rows, seed: int, kept: bool) -> None:
    async def check() -> None:
        async with store(coloured(rows, seed)) as engine:
            if kept:
                await refresh(engine)
            report = await compute_report(Scope(engine, "shop"), campaign_name="tv-week", **WHICH)
            wholes = {"hour": report.attempts_dialled, "day": report.attempts_dialled}
            its = [row for row in rows.rows.get(lead, []) if row["campaign_id"] == 1]
            columns = ("город",) if any(row["variables"] for row in its) else ()
            for by in ("hour", "day", "language", *columns):
                found = await slices_of(engine, by)
                assert sum(each.dialled for each in found.slices) == wholes.get(by, report.dialled.part)
                for name in FIGURES:
                    assert sum(getattr(each, name).part for each in found.slices) == getattr(report, name).part
                assert all(getattr(each, name).whole == each.dialled for each in found.slices for name in FIGURES)

    asyncio.run(check())


async def test_values_beyond_the_largest_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    rows = Rows()
    rows.campaign()
    for shop, people in (("a", 1), ("b", 3), ("c", 2), ("d", 1)):
        for _ in range(people):
            rows.person(20_000, "played")
            rows.rows[lead][-1]["variables"] = {"shop": shop}
    async with store(rows) as engine:
        found = await slices_of(engine, "shop")
    assert [(each.value, each.dialled, each.listened.share) for each in found.slices] == [("b", 3, 1.0), ("c", 2, 1.0)]
    assert found.others is not None
    assert (found.other_values, found.others.dialled, found.others.reached.part) == (2, 2, 2)
    console = Console(width=200, record=True)
    console.print(render_slices(found, language="en"))
    said = console.export_text()
    assert "others: 2" in said
    assert "3 · 100" in said
    data = json.loads(render_slices_json(found))
    assert data["slices"][0]["reached"]["numerator"] == 3
    assert data["others"]["dialled"] == 2


async def test_an_unknown_column_is_told_with_those_there_are() -> None:
    rows = Rows()
    rows.campaign()
    rows.person()
    rows.rows[lead][-1]["variables"] = {"screen": "27", "адрес": "x"}
    rows.campaign("other")
    rows.person()
    rows.rows[lead][-1]["variables"] = {"secret": "1"}
    async with store(rows) as engine:
        with pytest.raises(UserError, match=r"no column 'colour'.*hour, day, language, screen, адрес\.") as told:
            await slices_of(engine, "colour")
        assert "secret" not in str(told.value)
        for word in ("name", 'x"y', "$.screen", "' OR 1=1"):
            with pytest.raises(UserError, match="no column"):
                await slices_of(engine, word)


async def test_an_hour_is_of_the_attempts_dialled_in_it() -> None:
    rows = Rows()
    rows.campaign()
    rows.person(20_000, "played", at=NOON)
    rows.attempt(rows.lead(), "busy", at=NOON + 60_000)
    async with store(rows) as engine:
        (hour,) = (await slices_of(engine, "hour")).slices
        (day,) = (await slices_of(engine, "day")).slices
    assert (hour.value, day.value) == ("12", "2026-11-20")
    assert (hour.dialled, hour.reached.part, hour.listened.share) == (2, 1, 0.5)


async def test_the_example_by_language() -> None:
    async with store(example(40)) as engine:
        found = await slices_of(engine, "language", campaign="sony-tv-15")
        assert [each.value for each in found.slices] == ["ru"]
