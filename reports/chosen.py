"""The campaign that a command names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from faults import Fault, UserError
from people.store.scope import Scope
from people.store.tables import campaign


async def find_campaign(connection: AsyncConnection, scope: Scope, name: str) -> Any:
    """The tenant's campaign of that name: id, name, flow, version, state. Raises UserError with those there are.

    Its rules are not read: a report tells what happened, whoever understands them.
    """
    columns = select(campaign.c.id, campaign.c.name, campaign.c.flow, campaign.c.version, campaign.c.state)
    rows = (await connection.execute(columns.where(campaign.c.tenant == scope.tenant))).all()
    for row in rows:
        if row.name == name:
            return row
    known = ", ".join(sorted(row.name for row in rows))
    raise UserError(
        Fault(
            what=f"There is no campaign {name!r}.",
            mend=f"Name one of these: {known}." if known else "Make one first: ivr campaign --help.",
        )
    )
