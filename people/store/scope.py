"""Whose rows a transaction sees: those of one tenant, or for a few named jobs those of all. There is no third way.

Every query is made in a sight's transaction. A tenant's own statements say `tenant = …` as well, which is what holds
on SQLite; PostgreSQL is told in each transaction, and its policies let a statement that forgot it see nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from people.store.dialect import begin_snapshot, see_rows_of, sync_commits
from people.store.direct import direct

T = TypeVar("T")

#: What the policies of PostgreSQL take for every tenant.
ALL = "*"


@dataclass(frozen=True)
class _Sight:
    database: AsyncEngine

    @property
    def _whose(self) -> str:
        raise NotImplementedError

    @asynccontextmanager
    async def begin(self, *, outlives_power_cut: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction, for reading, too. `outlives_power_cut`: what it commits must, on every database."""
        async with self.database.connect() as connection:
            if outlives_power_cut:
                await sync_commits(connection)
            async with connection.begin():
                await see_rows_of(connection, self._whose)
                yield connection

    async def transact(self, work: Callable[[Connection], T], *, outlives_power_cut: bool = False) -> T:
        """What `work` gives in a transaction: for short ones that are made often, where SQLite's driver costs most."""
        if (own := direct(self.database)) is not None:
            return await own.transact(work, synced=outlives_power_cut)
        async with self.begin(outlives_power_cut=outlives_power_cut) as connection:
            return await connection.run_sync(work)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes nothing; its queries see one moment, while calls go on being written."""
        async with self.database.connect() as connection:
            await begin_snapshot(connection)
            try:
                await see_rows_of(connection, self._whose)
                yield connection
            finally:
                await connection.rollback()


@dataclass(frozen=True)
class Scope(_Sight):
    """A tenant's rows."""

    tenant: str

    @property
    def _whose(self) -> str:
        return self.tenant


class Job(Enum):
    """All that sees the rows of every tenant."""

    #: Add, list and close tenants.
    TENANTS = "tenants"
    #: Dial the campaigns of all, and learn of whose attempt an answered call came.
    DIALLING = "dialling"
    #: Know whose each dialled number is.
    NUMBERS = "numbers"
    #: Own gateways, keep their trunks, and give up what those that are gone left in flight: they are of no tenant.
    GATEWAYS = "gateways"
    #: Bring kept figures up to date, in one transaction for whoever is marked.
    FIGURES = "figures"
    #: Copy the database, put a copy back, and compare it with Asterisk's records.
    COPIES = "copies"


@dataclass(frozen=True)
class EveryTenant(_Sight):
    """The rows of all, for a job that is of no tenant."""

    job: Job

    @property
    def _whose(self) -> str:
        return ALL
