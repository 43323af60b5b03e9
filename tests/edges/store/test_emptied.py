"""A database of PostgreSQL that a test had is the next test's, and nothing tells it from one that was just copied."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, insert
from sqlalchemy.engine import make_url

from people.store.db import make_engine
from people.store.roles import OWNER
from people.store.tables import campaign, metadata, tenant
from tests.databases import Server, all_rows

pytestmark = pytest.mark.postgresql_only

_CAMPAIGN = {"tenant": "shop", "flow": "promo", "main_message": "m", "state": "ready", "rules": {}, "created_at_ms": 1}


def name_of(url: str) -> str:
    return str(make_url(url).database)


async def contents(server: Server, name: str) -> dict[str, list[Any]]:
    """Rows by table, and how far numbers have come."""
    views = (*metadata.tables, "alembic_version", "pg_sequences")
    async with server.superuser(name) as connection:
        return {view: await connection.fetch(f"SELECT * FROM {view} AS t ORDER BY t::text") for view in views}  # noqa: S608


async def test_it_holds_what_a_copy_does(postgresql: Server) -> None:
    await postgresql.execute("CREATE DATABASE a_copy TEMPLATE migrated")
    copy = await contents(postgresql, "a_copy")
    await postgresql.execute("DROP DATABASE a_copy")
    async with postgresql.copied() as url:
        engine = make_engine(url)
        async with all_rows(engine).begin() as connection:
            await connection.execute(delete(tenant).where(tenant.c.name == "other"))
            await connection.execute(insert(campaign), [_CAMPAIGN | {"name": "one"}, _CAMPAIGN | {"name": "two"}])
        assert await contents(postgresql, name_of(url)) != copy
        # As whoever was killed in a transaction does, it holds rows yet.
        held = await engine.connect()
        await held.execute(delete(campaign))
    await held.invalidate()
    await engine.dispose()
    async with postgresql.copied() as again:
        assert name_of(again) == name_of(url)
        assert await contents(postgresql, name_of(again)) == copy


async def test_tables_that_their_owner_may_have_changed_are_nobodys(postgresql: Server) -> None:
    async with postgresql.copied() as url:
        postgresql.url(name_of(url), user=OWNER)
    async with postgresql.copied() as another:
        assert name_of(another) != name_of(url)
