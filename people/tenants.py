"""Tenants: the retailers whose rows a database holds apart. Closing one is outbound.closing's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from faults import Fault, UserError
from people.store.dialect import upsert
from people.store.scope import EveryTenant, Job, Scope
from people.store.tables import campaign, hotline_number, tenant

#: As settings.tenant may be.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of all campaigns of a tenant together, on all gateways; None: no limit of its own."""

    #: Calls at one time.
    channels: int | None = None
    #: Calls started.
    calls_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class Tenant:
    name: str
    #: "": it has no other name.
    title: str
    limits: Limits
    created_at_ms: int
    #: None: it is open.
    closed_at_ms: int | None


async def register(scope: Scope, *, now_ms: int) -> None:
    """Give the scope's tenant a row if it has none: a site's own is there without anybody's doing."""
    async with scope.begin() as connection:
        if await connection.scalar(select(tenant.c.name).where(tenant.c.name == scope.tenant)) is None:
            new = upsert(tenant, connection.dialect.name).values(name=scope.tenant, created_at_ms=now_ms)
            await connection.execute(new.on_conflict_do_nothing())


async def add(database: AsyncEngine, name: str, *, title: str, now_ms: int) -> Tenant:
    """A new tenant, or one that was closed and is open again. Raises UserError when it is open, or the name is none."""
    if not NAME.fullmatch(name):
        what = f"{name[:80]!r} is no name for a tenant."
        raise UserError(Fault(what=what, mend="Write up to 64 letters, digits, dashes and underscores."))
    async with EveryTenant(database, Job.TENANTS).begin() as connection:
        new = upsert(tenant, connection.dialect.name).values(name=name, title=title[:200], created_at_ms=now_ms)
        opened = {"closed_at_ms": None} | ({"title": title[:200]} if title else {})
        again = new.on_conflict_do_update(
            index_elements=[tenant.c.name], set_=opened, where=tenant.c.closed_at_ms.is_not(None)
        )
        if (await connection.execute(again.returning(tenant.c.name))).one_or_none() is None:
            raise UserError(Fault(what=f"There is a tenant {name!r} already.", mend="See: ivr tenant list."))
        return await find(connection, name)


async def tenants(database: AsyncEngine) -> list[Tenant]:
    """All that there ever were, by name."""
    async with EveryTenant(database, Job.TENANTS).begin() as connection:
        return [_tenant(row) for row in await connection.execute(select(tenant).order_by(tenant.c.name))]


async def name_among_several(scope: Scope) -> str:
    """The tenant's name, where people must be told whose something is; "": there is no other tenant."""
    others = select(exists().where(tenant.c.name != scope.tenant))
    async with EveryTenant(scope.database, Job.TENANTS).begin() as connection:
        return scope.tenant if await connection.scalar(others) else ""


async def set_limits(
    database: AsyncEngine, name: str, *, channels: int | None = None, calls_per_second: float | None = None
) -> Tenant:
    """The tenant with the limits that are given; 0 takes one away, None leaves it. Raises UserError."""
    given = {"channels": channels, "calls_per_second": calls_per_second}
    values = {limit: value or None for limit, value in given.items() if value is not None}
    async with EveryTenant(database, Job.TENANTS).begin() as connection:
        if values:
            await connection.execute(update(tenant).where(tenant.c.name == name).values(values))
        return await find(connection, name)


async def find(connection: AsyncConnection, name: str) -> Tenant:
    """Raises UserError when there is no such tenant, or it is not the transaction's to see."""
    row = (await connection.execute(select(tenant).where(tenant.c.name == name))).one_or_none()
    if row is None:
        what = f"There is no tenant {name!r}."
        raise UserError(Fault(what=what, mend="See the names with: ivr tenant list. Add one with: ivr tenant add."))
    return _tenant(row)


async def check_open(connection: AsyncConnection, scope: Scope) -> None:
    """Raises UserError when the scope's tenant is closed; it is not closed before the transaction ends."""
    row = select(tenant.c.closed_at_ms).where(tenant.c.name == scope.tenant)
    if await connection.scalar(row.with_for_update(read=True)) is not None:
        raise UserError(_closed(scope.tenant))


async def closed(scope: Scope) -> Fault | None:
    """What whoever serves the scope's tenant should know: that it is closed; None: it is open."""
    async with scope.begin() as connection:
        found = await find(connection, scope.tenant)
    return None if found.closed_at_ms is None else _closed(scope.tenant)


def _closed(name: str) -> Fault:
    what = f"The tenant {name!r} is closed: nobody is dialled for it."
    return Fault(what=what, mend=f"If that is to change: ivr tenant add {name}.")


async def keep_settings(scope: Scope, settings: Mapping[str, Any], *, title: str) -> None:
    """Let the store have what a tenant's folder says, for machines that have no such folder."""
    its = update(tenant).where(tenant.c.name == scope.tenant)
    async with scope.begin() as connection:
        await connection.execute(its.values(settings=dict(settings), **({"title": title[:200]} if title else {})))


async def settings_of(scope: Scope) -> Mapping[str, Any] | None:
    """What `keep_settings` kept; None: nothing."""
    async with scope.begin() as connection:
        kept = await connection.scalar(select(tenant.c.settings).where(tenant.c.name == scope.tenant))
    return kept if isinstance(kept, Mapping) else None


async def wanted_tenants(database: AsyncEngine) -> list[str]:
    """Whom an engine has to serve: to whom a number leads, and who is open and has campaigns that run."""
    numbers = select(hotline_number.c.tenant)
    running = (
        select(campaign.c.tenant)
        .join(tenant, tenant.c.name == campaign.c.tenant)
        .where(campaign.c.state == "running", tenant.c.closed_at_ms.is_(None))
    )
    async with EveryTenant(database, Job.DIALLING).begin() as connection:
        return sorted(await connection.scalars(numbers.union(running)))


async def limits_of(scope: Scope) -> Limits:
    async with scope.begin() as connection:
        return (await find(connection, scope.tenant)).limits


def _tenant(row: Any) -> Tenant:
    return Tenant(
        name=row.name,
        title=row.title,
        limits=Limits(channels=row.channels, calls_per_second=row.calls_per_second),
        created_at_ms=row.created_at_ms,
        closed_at_ms=row.closed_at_ms,
    )
