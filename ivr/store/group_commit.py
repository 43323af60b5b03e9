"""Write the journal's lines: one transaction per group, as cheap as the database lets it be.

On SQLite a group is one hop to a thread of its own with a connection of its own: through the asyncio driver every
statement would be several hops, which came to twice the CPU. Every other database takes the same statements through
SQLAlchemy's asyncio engine.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.store.calls import JOURNAL_COLUMNS, JournalStatements
from ivr.store.db import prepare_sqlite

Row = Mapping[str, Any]
#: Rows by kind, a field of JournalStatements.
Group = Mapping[str, Sequence[Row]]


class NotNow(Exception):
    """The database can't take any lines at the moment: it is locked, away, or its disk is full."""


class Refused(Exception):
    """The database will never take these very lines."""


class GroupWriter(Protocol):
    async def write(self, group: Group) -> None:
        """Commit the whole group or nothing. Raises NotNow or Refused. The same group may be written twice."""

    async def close(self) -> None:
        """Let go of the database; a second close changes nothing."""


def group_writer(database: AsyncEngine) -> GroupWriter:
    """The cheapest writer for `database`."""
    path = database.url.database
    if database.dialect.name == "sqlite" and path and path != ":memory:":
        return SqliteWriter(path)
    return _AlchemyWriter(database)


class SqliteWriter:
    """`prepare` sets up the connection, as `prepare_sqlite` does."""

    def __init__(self, path: str, prepare: Callable[[sqlite3.Connection, object], None] = prepare_sqlite) -> None:
        self._path = path
        self._prepare = prepare
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        statements = JournalStatements.of("sqlite")
        dialect = sqlite_dialect.dialect(paramstyle="named")
        self._sql = {
            kind: str(statements.of_kind(kind).compile(dialect=dialect, column_keys=list(columns)))
            for kind, columns in JOURNAL_COLUMNS.items()
        }

    async def write(self, group: Group) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, group)
        except sqlite3.OperationalError as error:
            raise NotNow(str(error)) from error
        except sqlite3.Error as error:
            raise Refused(str(error)) from error

    def _commit(self, group: Group) -> None:
        connection = self._connection
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None)
            self._prepare(connection, None)
            self._connection = connection
        # Whoever was told that no call will come again must not be called after a power cut either.
        connection.execute(f"PRAGMA synchronous={'FULL' if group.get('opt_outs') else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            for kind, rows in group.items():
                if rows and kind == "requests":
                    rows = [{**row, "variables": json.dumps(row["variables"])} for row in rows]
                if rows:
                    connection.executemany(self._sql[kind], rows)
            connection.execute("COMMIT")
        except sqlite3.Error:
            # A full disk may have rolled back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _AlchemyWriter:
    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._statements = JournalStatements.of(database.dialect.name)

    async def write(self, group: Group) -> None:
        try:
            async with self._database.begin() as connection:
                for kind, rows in group.items():
                    if rows:
                        await connection.execute(self._statements.of_kind(kind), rows)
        except (SQLAlchemyError, OSError) as error:
            gone = isinstance(error, DBAPIError) and error.connection_invalidated
            if gone or isinstance(error, OperationalError | PoolTimeout | OSError):
                raise NotNow(str(error)) from error
            raise Refused(str(error)) from error

    async def close(self) -> None:
        """Nothing to close: the engine belongs to whoever opened it."""
