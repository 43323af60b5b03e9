"""Every row of a database as plain data, and back: the same for SQLite and PostgreSQL, whatever tables there are.

A part is some rows of one table as JSON. JSON columns are text in it, so that one that can't be read is copied too, and
bytes are base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    cast,
    inspect,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.dialect import insert_arrays, upsert
from people.store.results import stale

#: Tables that say of which release the others are: the migrations of the new database write them.
_OF_MIGRATIONS = ("migration", "alembic_version")
_ROWS = 10_000
#: Of a table with bytes, each row up to a megabyte.
_LARGE_ROWS = 8

#: What tells a row from the others of its table.
Key = tuple[Any, ...]


class Part(NamedTuple):
    table: str
    data: bytes


async def dump(connection: AsyncConnection) -> AsyncIterator[Part]:
    """Every row, those that others point to first. Within `begin_snapshot` all of one moment."""
    for table in (await connection.run_sync(reflected)).sorted_tables:
        names = [each.name for each in table.c]
        query = select(*plain(table, names))
        if any(key.column.table is table for key in table.foreign_keys):
            query = query.order_by(*table.primary_key)
        async for rows in pages(connection, table, query):
            yield part(table.name, names, rows)


def part(table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Part:
    return Part(table, orjson.dumps({"columns": names, "rows": [tuple(row) for row in rows]}, default=_as_text))


async def pages(connection: AsyncConnection, table: Table, query: Any) -> AsyncIterator[Sequence[Any]]:
    """The rows of a query of the table, some thousands at a time; fewer where they have bytes."""
    at_once = _LARGE_ROWS if _of_bytes(table) else _ROWS
    async with connection.stream(query.execution_options(yield_per=at_once)) as found:
        async for rows in found.partitions():
            yield rows


def plain(table: Table, names: Sequence[str]) -> list[ColumnElement[Any]]:
    """These columns, JSON as text."""
    columns = (table.c[name] for name in names)
    return [cast(each, Text).label(each.name) if isinstance(each.type, JSON) else each for each in columns]


def key_of(table: Table, dialect: str) -> list[ColumnElement[Any]]:
    """What tells its rows apart, in an order that is the same in every database: text goes by its bytes."""
    columns = list(table.primary_key) or list(table.c)
    return [
        each.collate("C") if isinstance(each.type, String) and dialect == "postgresql" else each for each in columns
    ]


def beyond(key: Sequence[ColumnElement[Any]], last: Key) -> ColumnElement[bool]:
    """Rows that come after the one of `last`."""
    return tuple_(*key) > tuple_(*last) if len(key) > 1 else key[0] > last[0]


class Loader:
    """Inserts parts, in the transaction of its connection, and at the `end` lets marks be those of the parts.

    Raises ValueError for a part that fits no table.
    """

    def __init__(self, connection: AsyncConnection, tables: MetaData, beside: Collection[str]) -> None:
        self._connection, self._tables, self._beside = connection, tables.tables, beside
        self._marks: list[Part] = []

    @classmethod
    async def of(cls, connection: AsyncConnection, *, beside: Collection[str] = ()) -> Loader:
        """Of the tables that are there now; those of `beside` may have some of the rows already."""
        return cls(connection, await connection.run_sync(reflected), beside)

    async def add(self, part: Part) -> None:
        if part.table == stale.name:
            self._marks.append(part)
        else:
            await self._insert(part)

    async def end(self) -> None:
        """Take the marks away that triggers made of rows that came with their figures, and add those that came."""
        if stale.name in self._tables:
            await self._connection.execute(stale.delete())
        for part in self._marks:
            # Nobody points to a mark, and the next ones are numbered by the database.
            await self._insert(part, but="id")
        self._marks.clear()

    async def _insert(self, part: Part, *, but: str = "") -> None:
        plain = orjson.loads(part.data)
        columns, table = plain["columns"], self._tables.get(part.table)
        if table is None or not set(columns) <= set(table.c.keys()):
            raise ValueError(f"there is no table {part.table!r} with these columns")
        rows: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in plain["rows"]]
        for row in rows if but else ():
            del row[but]
        for name in _of_bytes(table):
            rows = [{**row, name: b64decode(row[name])} for row in rows]
        if not rows:
            return
        if self._connection.dialect.name == "sqlite":
            await self._connection.execute(self._statement(table), rows)
        else:
            names = list(rows[0])
            arrays = {f"c{place}": [row[name] for row in rows] for place, name in enumerate(names)}
            await self._connection.execute(insert_arrays(table, names, beside=table.name in self._beside), arrays)

    def _statement(self, table: Table) -> Any:
        for column in table.c:
            if isinstance(column.type, JSON):
                # It is text there, and is left as it is.
                column.type = Text()
        statement = upsert(table, "sqlite")
        return statement.on_conflict_do_nothing() if table.name in self._beside else statement


async def empty(connection: AsyncConnection, *, but: Collection[str] = ()) -> None:
    """Take every row away, in this transaction, but those of some tables."""
    for table in reversed((await connection.run_sync(reflected)).sorted_tables):
        if table.name not in but:
            await connection.execute(table.delete())


def _of_bytes(table: Table) -> list[str]:
    return [column.name for column in table.c if isinstance(column.type, LargeBinary)]


def _as_text(value: bytes) -> str:
    return b64encode(value).decode()


def reflected(connection: Connection) -> MetaData:
    """The tables that there are, but those of the migrations."""
    found = MetaData()
    names = set(inspect(connection).get_table_names()) - set(_OF_MIGRATIONS)
    found.reflect(connection, only=sorted(names))
    return found
