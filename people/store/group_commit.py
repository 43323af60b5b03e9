"""Write the journal's lines: one transaction per group, as cheap as the database lets it be.

On SQLite the journal's thread has a connection of its own: through the asyncio driver every statement would be several
hops between threads, which came to twice the CPU. Every other database takes the same statements through SQLAlchemy's
asyncio engine.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.calls import JOURNAL_COLUMNS, JournalStatements
from people.store.db import prepare_sqlite

Row = Mapping[str, Any]
#: Rows by kind, a field of JournalStatements.
Group = Mapping[str, Sequence[Row]]


#: What is wrong with the rows, not with the database.
_ROWS_FAULTS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class NotNow(Exception):
    """The database can't take any lines at the moment: it is locked, away, or its disk is full."""


class Refused(Exception):
    """The database will never take these very lines."""


class GroupWriter(Protocol):
    """For a thread that may wait; used by one at a time."""

    def write(self, group: Group) -> None:
        """Commit the whole group or nothing. Raises NotNow or Refused. The same group may be written twice."""

    def close(self) -> None:
        """Let go of the database; a second close changes nothing."""


def group_writer(database: AsyncEngine) -> GroupWriter:
    """The cheapest writer for `database`. Call it in the loop that the database belongs to."""
    path = database.url.database
    if database.dialect.name == "sqlite" and path and path != ":memory:":
        return SqliteWriter(path)
    return AlchemyWriter(database)


class SqliteWriter:
    """`prepare` sets up the connection, as `prepare_sqlite` does."""

    def __init__(self, path: str, prepare: Callable[[sqlite3.Connection, object], None] = prepare_sqlite) -> None:
        self._path = path
        self._prepare = prepare
        self._connection: sqlite3.Connection | None = None
        self._synchronous = ""
        statements = JournalStatements.of("sqlite")
        dialect = sqlite_dialect.dialect(paramstyle="named")
        self._sql = {
            kind: str(statements.of_kind(kind).compile(dialect=dialect, column_keys=list(columns)))
            for kind, columns in JOURNAL_COLUMNS.items()
        }

    def write(self, group: Group) -> None:
        try:
            self._commit(group)
        except (*_ROWS_FAULTS, ValueError, TypeError, OverflowError) as error:
            # Python itself refuses what SQLite has no room for.
            raise Refused(str(error)) from error
        except sqlite3.Error as error:
            if not isinstance(error, sqlite3.OperationalError):
                # A damaged file, or none of SQLite's: the rows are good, and wanted when it is put right.
                self.close()
            raise NotNow(str(error)) from error

    def _commit(self, group: Group) -> None:
        connection = self._connection
        if connection is None:
            # The one that reads back at the start is another thread.
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(connection, None)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        # Whoever was told that no call will come again must not be called after a power cut either.
        synchronous = "FULL" if group.get("opt_outs") else "NORMAL"
        if synchronous != self._synchronous:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            self._synchronous = synchronous
        connection.execute("BEGIN IMMEDIATE")
        try:
            for kind, rows in group.items():
                if rows and kind == "requests":
                    rows = [{**row, "variables": json.dumps(row["variables"])} for row in rows]
                if rows:
                    connection.executemany(self._sql[kind], rows)
            connection.execute("COMMIT")
        except Exception:
            # A full disk may have rolled back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._synchronous = ""


#: What is wrong with the rows, as SQLAlchemy tells it.
_REFUSALS = (IntegrityError, DataError, ProgrammingError)
#: Of SQLSTATE: data exception, integrity constraint violation.
_REFUSING_CLASSES = ("22", "23")


def _refused(error: SQLAlchemyError) -> bool:
    """Whether it is the rows that are at fault, not the database."""
    if not isinstance(error, DBAPIError):
        # SQLAlchemy itself can't bind a value.
        return not isinstance(error, PoolTimeout)
    # The driver for PostgreSQL tells most kinds apart by this alone. Tables or rights that are missing can be mended.
    state = getattr(error.orig, "sqlstate", None)
    return str(state).startswith(_REFUSING_CLASSES) if state else isinstance(error, _REFUSALS)


class AlchemyWriter:
    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._statements = JournalStatements.of(database.dialect.name)

    def write(self, group: Group) -> None:
        asyncio.run_coroutine_threadsafe(self._commit(group), self._loop).result()

    async def _commit(self, group: Group) -> None:
        try:
            async with self._database.begin() as connection:
                for kind, rows in group.items():
                    if rows:
                        await connection.execute(self._statements.of_kind(kind), rows)
        except (SQLAlchemyError, OSError) as error:
            if isinstance(error, SQLAlchemyError) and _refused(error):
                raise Refused(str(error)) from error
            raise NotNow(str(error)) from error

    def close(self) -> None:
        """Nothing to close: the engine belongs to whoever opened it."""
