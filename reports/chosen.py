"""The campaign that a command names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from faults import Fault, UserError
from people.store.scope import Scope
from people.store.tables import campaign

#: To whoever names one that is not there.
_MOST_NAMED = 20


async def find_campaign(connection: AsyncConnection, scope: Scope, name: str) -> Any:
    """The tenant's campaign of that name: id, name, flow, version, state. Raises UserError with the newest there are.

    Its rules are not read: a report tells what happened, whoever understands them.
    """
    columns = select(campaign.c.id, campaign.c.name, campaign.c.flow, campaign.c.version, campaign.c.state)
    theirs = columns.where(campaign.c.tenant == scope.tenant)
    if (found := (await connection.execute(theirs.where(campaign.c.name == name))).first()) is not None:
        return found
    newest = await connection.execute(theirs.order_by(campaign.c.id.desc()).limit(_MOST_NAMED))
    known = ", ".join(sorted(row.name for row in newest))
    raise UserError(
        Fault(
            what=f"There is no campaign {name!r}.",
            mend=f"Name one of these: {known}." if known else "Make one first: ivr campaign --help.",
        )
    )
