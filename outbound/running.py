"""Which campaigns are running, asked several times a second for as long as the engine is up."""

from __future__ import annotations

import sqlite3

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outbound.campaigns import Campaign, list_campaigns

_IDS = "SELECT id FROM campaign WHERE tenant = :tenant AND state = 'running' ORDER BY id"


class RunningCampaigns:
    """Reads ids alone; all else about a campaign never changes while it is running, so it is read when it starts."""

    def __init__(self, database: AsyncEngine, tenant: str) -> None:
        self._database, self._tenant = database, tenant
        self._found: list[Campaign] = []
        self._sqlite: sqlite3.Connection | None = None
        if database.dialect.name == "sqlite":
            # In WAL mode nobody keeps a reader waiting: the answer is there in less than a hop to a thread takes.
            self._sqlite = sqlite3.connect(database.url.database or ":memory:", timeout=0, isolation_level=None)

    async def read(self) -> list[Campaign]:
        """In the order they were made. Raises DBAPIError when the database can't be read now."""
        if await self._ids() != [each.id for each in self._found]:
            self._found = await list_campaigns(self._database, tenant=self._tenant, state="running")
        return self._found

    def close(self) -> None:
        if self._sqlite is not None:
            self._sqlite.close()

    async def _ids(self) -> list[int]:
        if self._sqlite is not None:
            try:
                return [id for (id,) in self._sqlite.execute(_IDS, {"tenant": self._tenant})]
            except sqlite3.Error:
                # Not at once, then: the driver's thread waits for it, or says why not.
                pass
        async with self._database.connect() as connection:
            return list(await connection.scalars(text(_IDS), {"tenant": self._tenant}))
