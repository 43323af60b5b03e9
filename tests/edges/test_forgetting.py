"""A person is forgotten with one row: nothing is left in any table but the do-not-call list, no figure changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.persons import forget
from people.store.scope import Scope
from people.store.tables import attempt, call, campaign, contact, lead, request
from reports.calls import read_calls
from reports.export import render_json
from reports.kept import refresh
from reports.metrics import compute_report, prove
from tests.databases import a_database, all_rows
from tests.unit.reports.example import example
from tests.unit.reports.rows import MOSCOW, NOW, Rows, put

pytestmark = pytest.mark.both_databases

#: The person's, the first of them from the example.
OWN, OFFICE, HOME = "+79160000001", "+74951112233", "+74959998877"
NAME, SECRET = "Ольга", "screen of 27 inches"
FURTHER = ((1001, OFFICE), (1002, HOME))


def rows() -> Rows:
    made = example(20)
    for phone in (OWN, OFFICE, HOME):
        made.call(None, phone=phone)
    made.opt_out(HOME)
    return made


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with a_database(tmp_path) as engine:
        await put(engine, rows())
        async with all_rows(engine).begin() as connection:
            further = {"tenant": "shop", "name": NAME, "language": "ru", "created_at_ms": NOW, "person_id": 1}
            await connection.execute(insert(contact), [{**further, "id": id, "phone": phone} for id, phone in FURTHER])
            its = {"name": NAME, "variables": {"wish": SECRET}}
            await connection.execute(update(lead).where(lead.c.contact_id == 1).values(phone_ids=[1, 1001], **its))
            await connection.execute(update(lead).where(lead.c.contact_id != 1).values(name="Пётр"))
            await connection.execute(update(contact).where(contact.c.id.not_in([1, 1001, 1002])).values(name="Пётр"))
            wish = {"tenant": "shop", "kind": "call_back", "variables": {"wish": SECRET}, "asked_at_ms": NOW}
            await connection.execute(insert(request), [{**wish, "phone": each} for each in (OWN, OFFICE)])
        yield engine


async def everything(engine: AsyncEngine) -> dict[str, str]:
    """Each table that there is, with all its rows as text."""
    async with all_rows(engine).begin() as connection:
        names = await connection.run_sync(lambda one: inspect(one).get_table_names())
        return {
            name: str((await connection.execute(text(f'SELECT * FROM "{name}"'))).all())  # noqa: S608
            for name in names
        }


async def counted(engine: AsyncEngine) -> list[int]:
    async with all_rows(engine).begin() as connection:
        return [
            await connection.scalar(select(func.count()).select_from(each)) or 0
            for each in (lead, attempt, call, request, campaign)
        ]


async def figures(engine: AsyncEngine) -> tuple[str, Any]:
    report = await compute_report(Scope(engine, "shop"), campaign_name="sony-tv-15", zone=MOSCOW, now_ms=NOW)
    return render_json(report), (await prove(Scope(engine, "shop"), campaign_name="sony-tv-15")).differences


@pytest.mark.parametrize("refreshed", [False, True])
async def test_nothing_of_a_person_is_left_and_no_figure_changes(database: AsyncEngine, refreshed: bool) -> None:
    if refreshed:
        await refresh(database)
    figures_before, rows_before = await figures(database), await counted(database)
    before = await everything(database)
    for known in (OWN, OFFICE, NAME, SECRET):
        assert any(known in rows for rows in before.values()), known
    assert await forget(Scope(database, "shop"), 1)
    left = await everything(database)
    for known in (OWN, OFFICE, HOME, NAME, SECRET):
        assert [name for name, rows in left.items() if known in rows and name != "do_not_call"] == [], known
    assert HOME in left["do_not_call"]
    assert await counted(database) == rows_before
    assert await figures(database) == figures_before
    assert not await forget(Scope(database, "shop"), 1)


async def test_nobody_else_is_forgotten(database: AsyncEngine) -> None:
    async with all_rows(database).begin() as connection:
        others = select(contact.c.phone, lead.c.name).join(lead, lead.c.contact_id == contact.c.id)
        others = others.where(contact.c.id != 1).order_by(contact.c.id)
        before = (await connection.execute(others)).all()
        # Another tenant's person has the same number.
        theirs = {"id": 5000, "tenant": "rival", "phone": OWN, "name": "", "language": "ru", "created_at_ms": 1}
        await connection.execute(insert(contact), [theirs])
    assert not await forget(Scope(database, "rival"), 1)
    assert await forget(Scope(database, "shop"), 1)
    async with all_rows(database).begin() as connection:
        assert (await connection.execute(others)).all() == [*before]
        assert await connection.scalar(select(contact.c.phone).where(contact.c.id == 5000)) == OWN


async def test_one_number_of_a_person_can_be_taken_away(database: AsyncEngine) -> None:
    async with all_rows(database).begin() as connection:
        await connection.execute(delete(contact).where(contact.c.phone == OFFICE))
    left = await everything(database)
    assert [name for name, rows in left.items() if OFFICE in rows] == []
    assert all(known in left["contact"] for known in (OWN, HOME))


async def test_calls_are_found_by_any_number_of_the_person(database: AsyncEngine) -> None:
    for asked in (OWN, OFFICE, HOME):
        found = await read_calls(Scope(database, "shop"), phone=asked, limit=1000)
        assert {each.phone for each in found} == {OWN, OFFICE, HOME}
    assert await read_calls(Scope(database, "rival"), phone=OFFICE) == []
