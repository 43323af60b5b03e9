"""Close a tenant: its campaigns stop, nobody is dialled for it any more, and all that was stays to be read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import Fault, UserError
from people.store.scope import EveryTenant, Job
from people.store.tables import campaign, tenant
from people.tenants import find


async def close(database: AsyncEngine, name: str, *, now_ms: int) -> Sequence[str]:
    """The campaigns that are stopped by it; calls in progress go on to their end.

    Raises UserError when there is no such tenant, or it is closed.
    """
    async with EveryTenant(database, Job.TENANTS).begin() as connection:
        # First, so that whoever starts a campaign at this moment has done so, or finds it closed.
        closed = await connection.execute(
            update(tenant).where(tenant.c.name == name, tenant.c.closed_at_ms.is_(None)).values(closed_at_ms=now_ms)
        )
        await find(connection, name)
        if closed.rowcount == 0:
            raise UserError(Fault(what=f"The tenant {name!r} is closed already.", mend="See: ivr tenant list."))
        stopped = await connection.scalars(
            update(campaign)
            .where(campaign.c.tenant == name, campaign.c.state.in_(("importing", "ready", "running", "paused")))
            .values(state="stopped", paused_because=None, ended_at_ms=now_ms)
            .returning(campaign.c.name)
        )
        return sorted(stopped)
