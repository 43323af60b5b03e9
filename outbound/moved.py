"""A database whose rows were carried over into another: nobody is dialled from it any more."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from outbound.campaigns import MAY_BE_DIALLED, MOVED
from people.store.ownership import fence_out_all
from people.store.tables import campaign


async def leave(connection: AsyncConnection) -> None:
    """Let whoever owned a gateway write nothing more, and no campaign go on here, whoever resumes it."""
    await fence_out_all(connection, {})
    await connection.execute(
        update(campaign).where(campaign.c.state.in_(MAY_BE_DIALLED)).values(state="paused", paused_because=MOVED)
    )
