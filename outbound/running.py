"""Which campaigns are running, asked several times a second for as long as the engine is up."""

from __future__ import annotations

import asyncio

from sqlalchemy import Engine, bindparam, create_engine, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.store.tables import campaign
from outbound.campaigns import Campaign, list_campaigns

_IDS = (
    select(campaign.c.id)
    .where(campaign.c.tenant == bindparam("tenant"), campaign.c.state == "running")
    .order_by(campaign.c.id)
)


class RunningCampaigns:
    """Reads ids alone; all else about a campaign never changes while it is running, so it is read when it starts."""

    def __init__(self, database: AsyncEngine, tenant: str) -> None:
        self._database, self._tenant = database, tenant
        self._found: list[Campaign] = []
        self._sqlite: Engine | None = None
        if database.dialect.name == "sqlite":
            # Through the asyncio driver a question is five hops to a thread: a third of what the engine did on a call.
            self._sqlite = create_engine(
                database.url.set(drivername="sqlite"), isolation_level="AUTOCOMMIT", pool_reset_on_return=None
            )

    async def read(self) -> list[Campaign]:
        """In the order they were made. Raises DBAPIError when the database can't be read now."""
        if await self._ids() != [each.id for each in self._found]:
            self._found = await list_campaigns(self._database, tenant=self._tenant, state="running")
        return self._found

    def close(self) -> None:
        if self._sqlite is not None:
            self._sqlite.dispose()

    async def _ids(self) -> list[int]:
        if self._sqlite is not None:
            return await asyncio.to_thread(self._ids_of, self._sqlite)
        async with self._database.connect() as connection:
            return list(await connection.scalars(_IDS, {"tenant": self._tenant}))

    def _ids_of(self, sqlite: Engine) -> list[int]:
        with sqlite.connect() as connection:
            return list(connection.scalars(_IDS, {"tenant": self._tenant}))
