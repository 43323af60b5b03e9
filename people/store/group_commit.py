"""Write the journal's lines: one transaction per group, as cheap as the database lets it be.

The journal's thread has a connection of its own: through SQLite's asyncio driver every statement would be several hops
between threads, which came to twice the CPU, and PostgreSQL's would share its loop and its connections with the calls.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.calls import JOURNAL_COLUMNS, JournalStatements
from people.store.dialect import prepare_sqlite, sqlite_file
from people.store.scope import ALL

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
    """The writer for `database`, which is no SQLite in memory."""
    if (path := sqlite_file(database)) is not None:
        return SqliteWriter(path)
    # Its driver is slow to import.
    from people.store.group_postgres import PostgresWriter

    return PostgresWriter(database)


def of_each_tenant(group: Group) -> Iterable[tuple[str, Group]]:
    """The rows of each tenant apart, in their order. Whose a note is that does not say so, its call does."""
    found: dict[str, dict[str, list[Row]]] = {}
    for kind, rows in group.items():
        for row in rows:
            found.setdefault(row["tenant"] or ALL, {}).setdefault(kind, []).append(row)
    return found.items()


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
