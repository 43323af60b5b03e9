"""Tenants: the retailers whose rows a database holds apart."""

from __future__ import annotations

from sqlalchemy import select

from people.store.dialect import upsert
from people.store.scope import Scope
from people.store.tables import tenant


async def register(scope: Scope, *, now_ms: int) -> None:
    """Give the scope's tenant a row if it has none: a site's own is there without anybody's doing."""
    async with scope.begin() as connection:
        if await connection.scalar(select(tenant.c.name).where(tenant.c.name == scope.tenant)) is None:
            new = upsert(tenant, connection.dialect.name).values(name=scope.tenant, created_at_ms=now_ms)
            await connection.execute(new.on_conflict_do_nothing())
