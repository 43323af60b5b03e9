"""Which campaigns of all tenants are running and who of them is due when, asked several times a second.

One query answers for all of them, so that a campaign with nobody due costs nothing more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outbound.campaigns import Campaign, Rules, list_campaigns
from outbound.clock import Clock
from people.store.db import make_engine
from people.store.dialect import sqlite_file
from people.store.scope import ALL, EveryTenant, Job, Scope
from people.tenants import Limits

log = structlog.get_logger(__name__)

_WAITING = "FROM lead WHERE lead.campaign_id = campaign.id AND lead.tenant = campaign.tenant AND lead.state = 'waiting'"
_RUNNING = f"""
SELECT campaign.id, campaign.tenant, (SELECT due_at_ms {_WAITING} ORDER BY due_at_ms LIMIT 1) AS first_due_ms,
       EXISTS (SELECT 1 FROM lead WHERE lead.campaign_id = campaign.id AND lead.tenant = campaign.tenant
               AND lead.state = 'dialling') AS dialling,
       tenant.channels, tenant.calls_per_second
FROM campaign JOIN tenant ON tenant.name = campaign.tenant
WHERE campaign.state = 'running' AND tenant.closed_at_ms IS NULL ORDER BY campaign.id
"""  # noqa: S608 - no part of it comes from outside
#: A campaign that could not be understood is looked at again: the row may have been mended.
_LOOK_AGAIN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Open:
    """A running campaign."""

    campaign: Campaign
    rules: Rules
    #: Of the lead that is due first among those waiting; None: nobody waits.
    first_due_ms: int | None
    #: Whether an attempt is under way.
    dialling: bool
    #: Of its tenant.
    limits: Limits


@dataclass
class RunningCampaigns:
    """All else about a campaign never changes while it is running, so it is read when it starts."""

    database: AsyncEngine
    clock: Clock
    _known: dict[int, Campaign] = field(default_factory=dict)
    _set_aside: set[int] = field(default_factory=set)
    _look_again_s: float = 0.0
    _sqlite: sqlite3.Connection | None = None
    #: On PostgreSQL. Its own connection sees every tenant from its beginning: to say so in a transaction around the
    #: one statement would be three more trips to the server.
    _postgres: AsyncEngine | None = None

    def __post_init__(self) -> None:
        path = sqlite_file(self.database)
        if path is not None:
            # In WAL mode nobody keeps a reader waiting: the answer is there in less than a hop to a thread takes.
            self._sqlite = sqlite3.connect(path, timeout=0, isolation_level=None)
        else:
            own = make_engine(self.database.url, tenant=ALL)
            self._postgres = own.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self) -> list[Open]:
        """In the order they were made. Raises SQLAlchemyError when the database can't be read now.

        A campaign that this release does not understand is told and left out.
        """
        rows = await self._rows()
        ids, now_s = {row[0] for row in rows}, self.clock.monotonic_s()
        if ids != self._known.keys() or (self._set_aside and now_s >= self._look_again_s):
            self._look_again_s = now_s + _LOOK_AGAIN_S
            self._known = await self._find(rows)
            self._tell()
        return [
            Open(
                campaign=campaign,
                rules=campaign.rules,
                first_due_ms=first_due_ms,
                dialling=bool(dialling),
                limits=Limits(channels=channels, calls_per_second=calls_per_second),
            )
            for id, _, first_due_ms, dialling, channels, calls_per_second in rows
            if (campaign := self._known.get(id)) is not None and campaign.rules is not None
        ]

    async def close(self) -> None:
        if self._sqlite is not None:
            self._sqlite.close()
        if self._postgres is not None:
            await self._postgres.dispose()

    async def _find(self, rows: Sequence[Any]) -> dict[int, Campaign]:
        """The campaigns of `rows`, each read in the sight of its tenant."""
        ids: dict[str, set[int]] = {}
        for id, tenant, *_ in rows:
            ids.setdefault(tenant, set()).add(id)
        found = [await list_campaigns(Scope(self.database, tenant), ids=its) for tenant, its in ids.items()]
        return {each.id: each for its in found for each in its}

    def _tell(self) -> None:
        faulty = {id: each.fault for id, each in self._known.items() if each.fault is not None}
        for id in faulty.keys() - self._set_aside:
            known = self._known[id]
            log.error("campaign_set_aside", tenant=known.tenant, campaign=known.name, why=str(faulty[id]))
        self._set_aside = set(faulty)

    async def _rows(self) -> Sequence[Any]:
        if self._postgres is not None:
            async with self._postgres.connect() as connection:
                return (await connection.execute(text(_RUNNING))).all()
        if self._sqlite is not None:
            try:
                return self._sqlite.execute(_RUNNING).fetchall()
            except sqlite3.Error:
                # Not at once, then: the driver's thread waits for it, or says why not.
                pass
        async with EveryTenant(self.database, Job.DIALLING).begin() as connection:
            return (await connection.execute(text(_RUNNING))).all()
