"""Every row of a database as plain data, and back: the same for SQLite and PostgreSQL, whatever tables there are.

A part is some rows of one table as JSON. JSON columns are text in it, so that one that can't be read is copied too, and
bytes are base64.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Collection
from typing import Any, NamedTuple

import orjson
from sqlalchemy import JSON, Connection, LargeBinary, MetaData, Table, Text, cast, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.dialect import upsert

#: Tables that say of which release the others are: the migrations of the new database write them.
_OF_MIGRATIONS = ("migration", "alembic_version")
_ROWS = 10_000
#: Of a table with bytes, each row up to a megabyte.
_LARGE_ROWS = 8


class Part(NamedTuple):
    table: str
    data: bytes


async def dump(connection: AsyncConnection) -> AsyncIterator[Part]:
    """Every row, the tables that others point to first. Within `begin_snapshot` all of one moment."""
    for table in (await connection.run_sync(_tables)).sorted_tables:
        columns = [cast(each, Text).label(each.name) if isinstance(each.type, JSON) else each for each in table.c]
        names = [each.name for each in table.c]
        at_once = _LARGE_ROWS if _of_bytes(table) else _ROWS
        async with connection.stream(select(*columns).execution_options(yield_per=at_once)) as found:
            async for rows in found.partitions():
                plain = {"columns": names, "rows": [tuple(row) for row in rows]}
                yield Part(table.name, orjson.dumps(plain, default=_as_text))


class Loader:
    """Inserts parts, in the transaction of its connection. Raises ValueError for a part that fits no table."""

    def __init__(self, connection: AsyncConnection, tables: MetaData, beside: Collection[str]) -> None:
        self._connection, self._tables, self._beside = connection, tables.tables, beside
        #: On SQLite JSON is text, and is left as it is.
        self._as_text = connection.dialect.name == "sqlite"

    @classmethod
    async def of(cls, connection: AsyncConnection, *, beside: Collection[str] = ()) -> Loader:
        """Of the tables that are there now; those of `beside` may have some of the rows already."""
        return cls(connection, await connection.run_sync(_tables), beside)

    async def add(self, part: Part) -> None:
        plain = orjson.loads(part.data)
        columns, table = plain["columns"], self._tables.get(part.table)
        if table is None or not set(columns) <= set(table.c.keys()):
            raise ValueError(f"there is no table {part.table!r} with these columns")
        rows: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in plain["rows"]]
        for column in table.c:
            if not isinstance(column.type, JSON):
                continue
            if self._as_text:
                column.type = Text()
            else:
                rows = [{**row, column.name: json.loads(row[column.name] or "null")} for row in rows]
        for name in _of_bytes(table):
            rows = [{**row, name: b64decode(row[name])} for row in rows]
        if rows:
            statement = upsert(table, self._connection.dialect.name)
            if table.name in self._beside:
                statement = statement.on_conflict_do_nothing()
            await self._connection.execute(statement, rows)


async def empty(connection: AsyncConnection, *, but: Collection[str] = ()) -> None:
    """Take every row away, in this transaction, but those of some tables."""
    for table in reversed((await connection.run_sync(_tables)).sorted_tables):
        if table.name not in but:
            await connection.execute(table.delete())


def _of_bytes(table: Table) -> list[str]:
    return [column.name for column in table.c if isinstance(column.type, LargeBinary)]


def _as_text(value: bytes) -> str:
    return b64encode(value).decode()


def _tables(connection: Connection) -> MetaData:
    found = MetaData()
    names = set(inspect(connection).get_table_names()) - set(_OF_MIGRATIONS)
    found.reflect(connection, only=sorted(names))
    return found
