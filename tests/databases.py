"""Databases for tests, each copied from one that was migrated once: a file of SQLite's, or a database of PostgreSQL's.

To copy the latter takes a third of a second: one whose tables can't have been changed is emptied for the next test.

A pytest plugin. Tests that are marked `both_databases` run on each; those about SQLite itself among them are marked
`sqlite_only` with the reason. Others run on SQLite. On PostgreSQL a test has the service's role, which owns nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from people.store import postgres, tables
from people.store.db import make_engine
from people.store.roles import OWNER, SERVICE, set_up
from people.store.scope import EveryTenant, Job, Scope
from people.store.upgrade import upgrade
from people.tenants import register

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")

#: Those that tests use.
TENANTS = ("shop", "mall", "rival", "other")

_PASSWORD, _TEMPLATE = "of the tests", "migrated"


_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
#: Returns when they are gone; a killed process may be connected for a while yet.
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
#: Numbers begin anew, and neither triggers nor foreign keys have a say while tables are emptied.
_BEGIN_ANEW = "SET session_replication_role = replica; SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"
#: One that has grown by more keeps what its tests deleted; a new one is quicker then.
_GROWN_BYTES = 4_000_000


@dataclass(kw_only=True)
class Server:
    """This process's PostgreSQL, with a database to copy."""

    cluster: postgres.Cluster
    #: How a database is copied in half the time; from release 15 on there is a choice.
    copying: str = ""
    #: What the rows of the database to copy are, by table, in PostgreSQL's binary format.
    rows: dict[str, bytes] = field(default_factory=dict)
    #: How large it is.
    size: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    #: Copies that are empty again.
    _free: list[str] = field(default_factory=list)
    _owned: set[str] = field(default_factory=set)

    def url(self, database: str, *, user: str = SERVICE) -> str:
        if user == OWNER:
            # Its tables may be changed now.
            self._owned.add(database)
        return self.cluster.url(database, user=user, password=_PASSWORD)

    @asynccontextmanager
    async def superuser(self, database: str = "postgres") -> AsyncIterator[Any]:
        """A connection of asyncpg's."""
        connection = await asyncpg.connect(self.cluster.url(database).replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()

    async def execute(self, *statements: str) -> None:
        """As the superuser."""
        async with self.superuser() as connection:
            for statement in statements:
                await connection.execute(statement)

    async def look(self) -> None:
        """Learn what a copy holds."""
        async with self.superuser(_TEMPLATE) as connection:
            self.size = await connection.fetchval("SELECT pg_database_size(current_database())")
            for (table,) in await connection.fetch(_TABLES):
                rows = io.BytesIO()
                if await connection.copy_from_table(table, output=rows, format="binary") != "COPY 0":
                    self.rows[table] = rows.getvalue()

    @asynccontextmanager
    async def copied(self) -> AsyncIterator[str]:
        """The URL of a database of its own."""
        if self._free:
            name = self._free.pop()
        else:
            name = f"test_{next(self._numbers)}"
            await self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} OWNER {OWNER} {self.copying}")
        try:
            yield self.url(name)
        finally:
            if name not in self._owned and await self._emptied(name):
                self._free.append(name)
            else:
                await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _emptied(self, name: str) -> bool:
        """Make it what a copy is; False when that would be in vain."""
        async with self.superuser(name) as connection:
            await connection.execute(_END_OTHERS)
            if await connection.fetchval("SELECT pg_database_size(current_database())") > self.size + _GROWN_BYTES:
                return False
            tables = [table for (table,) in await connection.fetch(_TABLES)]
            emptying = (f"DELETE FROM {table}" for table in tables)  # noqa: S608 - names are of our own tables
            await connection.execute(";".join((_BEGIN_ANEW, *emptying)))
            for table, rows in self.rows.items():
                await connection.copy_to_table(table, source=io.BytesIO(rows), format="binary")
        return True


@dataclass(kw_only=True)
class _Chosen:
    """What the test that runs now is run with."""

    #: None: SQLite.
    server: Server | None = None


_chosen = _Chosen()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_databases: runs on SQLite and on PostgreSQL")
    config.addinivalue_line("markers", "sqlite_only(why): among those, what is about SQLite itself")
    config.addinivalue_line("markers", "postgresql_only: what is about PostgreSQL itself")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker
    if marked("postgresql_only"):
        metafunc.parametrize("database_kind", KINDS[1:], indirect=True)
    elif marked("both_databases"):
        metafunc.parametrize("database_kind", KINDS[:1] if marked("sqlite_only") else KINDS, indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One for each process that runs tests: to start it is cheaper than to agree on who ends it."""
    program = postgres.find()
    with postgres.running(program, durable=False) as cluster:
        asyncio.run(_register_tenants(asyncio.run(set_up(cluster.url(), database=_TEMPLATE, password=_PASSWORD))))
        server = Server(cluster=cluster, copying="STRATEGY file_copy" if program.major >= 15 else "")
        asyncio.run(server.look())
        yield server


@pytest.fixture(autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = getattr(request, "param", "sqlite")
    _chosen.server = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    return kind


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@lru_cache(maxsize=1)
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.sqlite3"
        asyncio.run(upgrade(url(path)))
        asyncio.run(_register_tenants(url(path)))
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


async def _register_tenants(address: str) -> None:
    database = make_engine(address)
    for tenant in TENANTS:
        await register(Scope(database, tenant), now_ms=0)
    await database.dispose()


def put_tables(path: Path) -> None:
    """Make `path` an empty database with the newest tables."""
    path.write_bytes(_migrated())


@asynccontextmanager
async def a_url(folder: Path) -> AsyncIterator[str]:
    """The URL of an empty migrated database of the test's kind; SQLite's lies in `folder`."""
    if _chosen.server is not None:
        async with _chosen.server.copied() as copy:
            yield copy
        return
    path = folder / "ivr.sqlite3"
    if not path.exists():
        await asyncio.to_thread(put_tables, path)
    yield url(path)


@asynccontextmanager
async def a_database(folder: Path) -> AsyncIterator[AsyncEngine]:
    """A database of the test's kind with the newest tables, empty where there is none; SQLite's lies in `folder`."""
    async with a_url(folder) as address:
        database = make_engine(address)
        try:
            yield database
        finally:
            await database.dispose()


@asynccontextmanager
async def in_memory() -> AsyncIterator[AsyncEngine]:
    """The same, but SQLite's is in memory, with one connection."""
    if _chosen.server is not None:
        async with a_database(Path()) as database:
            yield database
        return
    database = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    try:
        async with database.begin() as connection:
            for statement in await asyncio.to_thread(_made_of):
                await connection.exec_driver_sql(statement)
            await connection.execute(tables.tenant.insert(), [{"name": each, "created_at_ms": 0} for each in TENANTS])
        yield database
    finally:
        await database.dispose()


def all_rows(database: AsyncEngine) -> EveryTenant:
    """To look at rows, or to put some there, whosever they are."""
    return EveryTenant(database, Job.COPIES)


def url_of(database: AsyncEngine) -> str:
    """With the password in it, for another process."""
    return database.url.render_as_string(hide_password=False)


@asynccontextmanager
async def owning(database: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The same database with the right to change its tables."""
    name = database.url.database
    own = make_engine(url_of(database) if _chosen.server is None else _chosen.server.url(str(name), user=OWNER))
    try:
        yield own
    finally:
        await own.dispose()


@lru_cache(maxsize=1)
def _made_of() -> list[str]:
    """The statements that make the newest tables, with their indexes and triggers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.sqlite3"
        put_tables(path)
        with contextlib.closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
            return [sql for (sql,) in rows]
