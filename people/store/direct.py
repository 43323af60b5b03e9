"""What is asked and written again and again, without the layers that are between the loop and SQLite.

Through SQLite's asyncio driver each statement is several hops between threads. Here a whole transaction is one hop, to
a thread with a connection of its own; and a query that is answered in less time than a hop takes is asked on the loop.
PostgreSQL is asked through its pool as ever (people.store.scope chooses).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.dialect import prepare_sqlite, sqlite_file

T = TypeVar("T")


def direct(database: AsyncEngine) -> Direct | None:
    """The connection beside `database`; None: it is no file of SQLite's."""
    if sqlite_file(database) in (None, ":memory:"):
        return None
    return _own.get(database.sync_engine) or Direct(database)


class Direct:
    """The connection beside an engine on SQLite. It ends with the engine."""

    def __init__(self, database: AsyncEngine) -> None:
        self._thread = ThreadPoolExecutor(1, "store")
        self._synced = False
        self._engine = create_engine(database.url.set(drivername="sqlite"), hide_parameters=True, pool_size=1)
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        event.listen(database.sync_engine, "engine_disposed", self._close, once=True)
        _own[database.sync_engine] = self

    async def transact(self, work: Callable[[Connection], T], *, synced: bool) -> T:
        """What `work` gives, in a transaction of its own; the write lock is taken before anything is read.

        `synced`: what is committed outlives a power cut.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work, synced)

    def _transact(self, work: Callable[[Connection], T], synced: bool) -> T:
        with self._engine.connect() as connection:
            self._sync(connection.connection.dbapi_connection, synced)
            with connection.begin():
                return work(connection)

    def _prepare(self, connection: Any, record: Any) -> None:
        # The driver's own transactions begin with the first statement that writes.
        connection.isolation_level = None
        prepare_sqlite(connection, record)
        self._synced = False

    def _sync(self, connection: Any, synced: bool) -> None:
        if synced != self._synced:
            connection.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._synced = synced

    def _close(self, of: Engine) -> None:
        _own.pop(of, None)
        self._thread.submit(self._engine.dispose)
        self._thread.shutdown(wait=False)


_own: WeakKeyDictionary[Engine, Direct] = WeakKeyDictionary()


class Glance:
    """One query of few rows, for the loop to ask."""

    def __init__(self, database: AsyncEngine, sql: str) -> None:
        self._sql, path = sql, sqlite_file(database)
        # In WAL mode nobody keeps a reader waiting: the answer is there in less than a hop to a thread takes.
        chosen: dict[str, Any] = {"timeout": 0, "isolation_level": None, "check_same_thread": False}
        self._sqlite = None if path is None else sqlite3.connect(path, **chosen)

    def at_once(self, **parameters: Any) -> Sequence[Any] | None:
        """None: on PostgreSQL, and when SQLite can't answer at once, it must be asked otherwise."""
        try:
            return None if self._sqlite is None else self._sqlite.execute(self._sql, parameters).fetchall()
        except sqlite3.Error:
            return None

    def close(self) -> None:
        if self._sqlite is not None:
            self._sqlite.close()
