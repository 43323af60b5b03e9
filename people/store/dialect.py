"""Where the databases differ, and nowhere else: SQLite, which is the site's own file, and PostgreSQL."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection, Table, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

#: Another process's upgrade of many millions of rows may take so long.
_UPGRADE_MS = 600_000
#: The advisory lock that upgrades of one database take in turn. Any number that no other program takes.
_UPGRADE_LOCK = 0x1F7_5C4E_3A
#: A report on SQLite has so much memory; 2 MB otherwise.
_ROOMY = "PRAGMA cache_size=-65536"
#: A change of tables waits so long for those who read them, with everybody else waiting behind it.
_TABLES_WAIT = "10s"


def is_embedded(url: str) -> bool:
    """Whether the database at `url` is a file that the site has for itself."""
    return make_url(url).get_backend_name() == "sqlite"


def sqlite_file(engine: AsyncEngine) -> str | None:
    """The file of an engine on SQLite, or ":memory:"; None: it is on PostgreSQL."""
    return (engine.url.database or ":memory:") if engine.dialect.name == "sqlite" else None


def look_for(engine: AsyncEngine) -> None:
    """Raise OSError when there can be no file for an engine on SQLite.

    Its asyncio driver would answer that from a thread, to a loop that may have ended by then.
    """
    file = sqlite_file(engine)
    if file is not None:
        try:
            sqlite3.connect(file).close()
        except sqlite3.Error as error:
            raise OSError(str(error)) from error


def upsert(table: Table, dialect: str) -> Any:
    """An insert into `table` that knows ON CONFLICT. `dialect` is the database's name: sqlite or postgresql."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    # Slow to import, and seldom in use.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def prepare(engine: AsyncEngine) -> None:
    """Set up every connection that `engine` will make."""
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", prepare_sqlite)


def prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    """Set up a new connection to SQLite, of whichever driver."""
    cursor = dbapi_connection.cursor()
    # WAL lets reports read while calls are journalled; NORMAL syncs at checkpoints, so a power cut may cost the last
    # group commit but never corrupts; busy_timeout rides out a writer in another process (ivr campaign pause), and
    # comes first, for the change to WAL meets other first starts.
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def begin_snapshot(connection: AsyncConnection) -> None:
    """Let every later query of this transaction see the same moment, while calls go on being written."""
    if connection.dialect.name == "sqlite":
        # A few calls out of millions lie far apart.
        await connection.exec_driver_sql(_ROOMY)
        # Python's driver begins a transaction only before a write, so each query would see another moment.
        await connection.exec_driver_sql("BEGIN")
    else:
        await connection.execution_options(isolation_level="REPEATABLE READ")


async def sync_commits(connection: AsyncConnection) -> None:
    """Let what this connection commits outlive a power cut. It must not be in a transaction."""
    info = connection.sync_connection.info if connection.sync_connection else {}
    # PostgreSQL syncs every commit.
    if connection.dialect.name == "sqlite" and not info.get("commits_are_synced"):
        await connection.execute(text("PRAGMA synchronous=FULL"))
        await connection.commit()
        info["commits_are_synced"] = True


def begin_upgrade(connection: Connection) -> None:
    """Begin a transaction that may change tables, as soon as no other process is in one. Its end lets the next one in.

    On SQLite nothing looks after foreign keys in it: tables are made anew under their old names.
    """
    if connection.dialect.name == "sqlite":
        for statement in (f"PRAGMA busy_timeout={_UPGRADE_MS}", "PRAGMA foreign_keys=OFF", "BEGIN IMMEDIATE"):
            connection.exec_driver_sql(statement)
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_TABLES_WAIT}'")
