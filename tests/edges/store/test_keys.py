"""What the tables themselves forbid, and what they keep apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.tables import attempt, campaign, contact, lead, refused_row, request
from tests.databases import a_database, all_rows

CAMPAIGN = {"flow": "promo", "main_message": "m", "state": "ready", "rules": {}, "created_at_ms": 1}
LEAD = {"name": "", "language": "ru", "variables": {}, "state": "waiting", "due_at_ms": 0, "attempts": 0}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A campaign, a contact and a lead, each with the id 1, of the tenant shop; the same with the id 2 of mall."""
    async with a_database(tmp_path) as engine:
        for id, tenant in ((1, "shop"), (2, "mall")):
            await add(engine, campaign, id=id, tenant=tenant, name="tv", **CAMPAIGN)
            await add(engine, contact, id=id, tenant=tenant, phone="+7", name="", language="ru", created_at_ms=1)
            await add(engine, lead, id=id, tenant=tenant, campaign_id=id, contact_id=id, **LEAD)
        yield engine


async def add(engine: AsyncEngine, table: Table, **values: Any) -> None:
    async with all_rows(engine).begin() as connection:
        await connection.execute(insert(table), [values])


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (lead, {"id": 3, "campaign_id": 2, "contact_id": 1, **LEAD}),
        (lead, {"id": 3, "campaign_id": 1, "contact_id": 2, **LEAD}),
        (attempt, {"id": "a", "campaign_id": 2, "lead_id": 2, "number": 1, "planned_at_ms": 1}),
        (attempt, {"id": "a", "campaign_id": 1, "lead_id": 2, "number": 1, "planned_at_ms": 1}),
        (refused_row, {"campaign_id": 2, "line": 1, "reason": "duplicate", "detail": ""}),
    ],
)
async def test_a_row_of_a_tenant_points_to_nothing_of_another(
    database: AsyncEngine, table: Table, values: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError):
        await add(database, table, tenant="shop", **values)


async def test_a_release_that_names_no_tenant_mixes_none(database: AsyncEngine) -> None:
    with pytest.raises(IntegrityError):
        await add(database, lead, id=3, campaign_id=2, contact_id=1, **LEAD)
    with pytest.raises(IntegrityError):
        await add(database, attempt, id="a", campaign_id=1, lead_id=2, number=1, planned_at_ms=1)
    await add(database, attempt, id="a", campaign_id=2, lead_id=2, number=1, planned_at_ms=1)
    async with all_rows(database).begin() as connection:
        assert (await connection.execute(select(attempt.c.tenant))).scalars().all() == ["mall"]


async def test_ids_never_come_back(database: AsyncEngine) -> None:
    for table, values in (
        (refused_row, {"tenant": "shop", "campaign_id": 1, "line": 1, "reason": "duplicate", "detail": ""}),
        (request, {"tenant": "shop", "kind": "call_back", "phone": "", "variables": {}, "asked_at_ms": 1}),
        (contact, {"tenant": "shop", "phone": "+8", "name": "", "language": "ru", "created_at_ms": 1}),
        (campaign, {"tenant": "shop", "name": "lg", **CAMPAIGN}),
    ):
        given = []
        for _ in range(2):
            await add(database, table, **values)
            async with all_rows(database).begin() as connection:
                given.append(await connection.scalar(select(func.max(table.c.id))))
                await connection.execute(delete(table).where(table.c.id == given[-1]))
        assert given[1] > given[0], table.name
