"""PostgreSQL holds tenants apart when no engine of an older release is at work: before, it would see nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.db import make_engine, open_database
from people.store.roles import OWNER, grants, mixes_tenants
from people.store.scope import Scope
from people.store.upgrade import upgrade
from tests.databases import Server

pytestmark = pytest.mark.postgresql_only

#: A campaign with a lead, an attempt, its call and two notes, as the release of 0006 has them; and who dials it.
_OLD = (
    "INSERT INTO campaign (id, tenant, name, flow, main_message, state, rules, created_at_ms)"
    " VALUES (1, 'shop', 'tv', 'promo', 'm', 'running', '{}', 1), (2, 'rival', 'tv', 'promo', 'm', 'running', '{}', 2)",
    "INSERT INTO contact (id, tenant, phone, name, language, created_at_ms)"
    " VALUES (1, 'shop', '+7', '', 'ru', 1), (2, 'rival', '+7', '', 'ru', 1)",
    "INSERT INTO lead (id, campaign_id, contact_id, variables, state, due_at_ms, attempts)"
    " VALUES (1, 1, 1, '{}', 'dialling', 0, 1), (2, 2, 2, '{}', 'dialling', 0, 1)",
    "INSERT INTO attempt (id, campaign_id, lead_id, number, planned_at_ms)"
    " VALUES ('a1', 1, 1, 1, 1), ('a2', 2, 2, 1, 1)",
    "INSERT INTO call (id, tenant, direction, attempt_id, uniqueid, phone, dialled, flow, language, amd, started_at_ms)"
    " VALUES ('a1', 'shop', 'outbound', 'a1', 'u', '+7', '', 'promo', 'ru', '', 3),"
    " ('a2', 'rival', 'outbound', 'a2', 'u', '+7', '', 'promo', 'ru', '', 3)",
)
_NOTE = (
    "INSERT INTO journal (call_id, seq, at_ms, kind, node, value, follow_up, depth, main)"
    " VALUES (:call, :seq, 1, 'key', 'n', '1', true, 0, false)"
)
_OWNED = (
    "INSERT INTO gateway (name, epoch, lease_until_ms, since_ms, host, place, pid, born)"
    " VALUES ('far', 3, 32503680000000, 1, 'h', 'p', 1, 1)"
)


@asynccontextmanager
async def of_0006(server: Server) -> AsyncIterator[tuple[str, AsyncEngine]]:
    """The URL of the tables' owner, and what the service of that release works with."""
    name = "of_0006"
    await server.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    owner, service = server.url(name, user=OWNER), make_engine(server.url(name))
    try:
        await upgrade(owner, to="0006")
        own = make_engine(owner)
        async with own.begin() as connection:
            for statement in grants("ivr"):
                await connection.execute(text(statement))
        await own.dispose()
        async with service.begin() as connection:
            for statement in (*_OLD, _OWNED):
                await connection.execute(text(statement))
            for call in ("a1", "a2"):
                await connection.execute(text(_NOTE), {"call": call, "seq": 0})
        yield owner, service
    finally:
        await service.dispose()
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def scalar(engine: AsyncEngine, query: str) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(query))


async def test_an_engine_of_an_older_release_goes_on_until_it_ends(postgresql: Server) -> None:
    async with of_0006(postgresql) as (owner, service):
        assert (await upgrade(owner)).waits_for == ["far"]
        # It reads and writes as before, and its rows are given what it does not know.
        async with service.begin() as connection:
            await connection.execute(text(_NOTE), {"call": "a1", "seq": 1})
            await connection.execute(text("UPDATE attempt SET outcome = 'busy' WHERE id = 'a2'"))
        assert (
            await scalar(service, "SELECT string_agg(tenant, ' ' ORDER BY call_id, seq) FROM journal")
            == "shop shop rival"
        )
        assert await scalar(service, "SELECT count(*) FROM stale WHERE tenant = 'rival' AND outcome = 'busy'") == 1
        assert await scalar(service, "SELECT max(serves) FROM migration") == "0001"
        assert "does not hold tenants apart yet" in (await mixes_tenants(service))[0]

        async with service.begin() as connection:
            await connection.execute(text("UPDATE gateway SET lease_until_ms = 0"))
        assert (await upgrade(owner)).waits_for == []
        assert await scalar(service, "SELECT count(*) FROM journal") == 0
        async with Scope(service, "shop").begin() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM journal")) == 2
        # Neither an older release opens it now, nor does another upgrade let it.
        assert await scalar(service, "SELECT max(serves) FROM migration") == "0007"
        assert (await upgrade(owner)).waits_for == ()
        assert await scalar(service, "SELECT max(serves) FROM migration") == "0007"
        assert await mixes_tenants(service) == ("", "")
        await (await open_database(postgresql.url("of_0006"))).dispose()


async def test_an_owner_of_this_release_is_not_waited_for(postgresql: Server) -> None:
    async with of_0006(postgresql) as (owner, service):
        await upgrade(owner)
        async with service.begin() as connection:
            await connection.execute(text("UPDATE gateway SET scoped_epoch = epoch"))
        assert (await upgrade(owner)).waits_for == []
        assert await scalar(service, "SELECT count(*) FROM campaign") == 0


async def test_the_owner_is_held_to_the_policies_too(postgresql: Server) -> None:
    async with of_0006(postgresql) as (owner, service):
        async with service.begin() as connection:
            await connection.execute(text("DELETE FROM gateway"))
        await upgrade(owner)
        own = make_engine(owner)
        assert await scalar(own, "SELECT count(*) FROM lead") == 0
        assert "may pass over" in (await mixes_tenants(own))[0]
        with pytest.raises(DBAPIError, match="row-level security"):
            async with own.begin() as connection:
                await connection.execute(text(_OLD[1].replace("1, 'shop', '+7'", "9, 'shop', '+9'")))
        await own.dispose()
