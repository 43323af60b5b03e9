"""Carry a database over into another, from where an earlier carrying was broken off, and prove that both are equal.

A table is carried in the order of its key, some thousand rows in a transaction, so that the target has a beginning of
it at every moment. Whether that is ours is seen by its content, not by a note of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import JSON, MetaData, Table, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from people.store.copying import Key, Loader, beyond, key_of, pages, part, plain, reflected
from people.store.dialect import begin_snapshot, highest_ids, never_below, see_rows_of
from people.store.results import stale
from people.store.scope import ALL, EveryTenant, Job
from people.store.tables import tenant


class Differs(Exception):
    """The target holds rows of another origin; the message says of which table."""


@dataclass
class Content:
    """So many rows, and a sum over the hashes of their text in whichever order they come."""

    rows: int = 0
    _sum: int = field(default=0, repr=False)

    def add(self, row: bytes) -> None:
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(hashlib.blake2b(row, digest_size=16).digest())) % 2**128

    @property
    def digest(self) -> str:
        return f"{self._sum:032x}"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A table of both databases."""

    table: str
    source: Content
    target: Content
    #: Whose row differs first, columns of the key without their values; "": none.
    first: str = ""

    @property
    def equal(self) -> bool:
        return self.source == self.target


async def carry(source: AsyncConnection, target: AsyncEngine, *, told: Callable[[str, int], None]) -> None:
    """Give `target` every row that `source` has in its snapshot; `told` hears of tables and of their rows so far.

    Its marks must be worked off. Raises Differs before anything is written, SQLAlchemyError when either is lost: then
    doing it again goes on from there.
    """
    tables = await source.run_sync(reflected)
    last: dict[str, Key | None] = {}
    everybody = EveryTenant(target, Job.COPIES)
    async with target.connect() as connection:
        await begin_snapshot(connection, patient=True)
        await see_rows_of(connection, ALL)
        theirs = await connection.run_sync(reflected)
        _check_tables(tables, theirs)
        for table in _carried(tables):
            told(table.name, 0)
            last[table.name] = await _last(connection, theirs.tables[table.name])
        # A tenant alone has nothing to lose: it may have been made together with the tables.
        alone = [name for name, key in last.items() if key is not None] == [tenant.name]
        for table in _carried(tables) if not alone else ():
            if not await _begins(source, connection, table, theirs.tables[table.name], last[table.name]):
                raise Differs(table.name)
    if alone:
        async with everybody.begin() as connection:
            await connection.execute(tenant.delete())
        last[tenant.name] = None
    for table in _carried(tables):
        count = 0
        async for names, rows in _rows(source, table, after=last[table.name]):
            async with everybody.begin() as connection:
                await Loader(connection, theirs, ()).add(part(table.name, names, rows))
            count += len(rows)
            told(table.name, count)
    async with everybody.begin() as connection:
        await Loader(connection, theirs, ()).end()
        await never_below(connection, await highest_ids(source))


async def compare(
    source: AsyncConnection, target: AsyncConnection, *, told: Callable[[str], None]
) -> AsyncIterator[Compared]:
    """Both databases, each within its snapshot, a table after the other."""
    tables, theirs = await source.run_sync(reflected), await target.run_sync(reflected)
    for table in tables.sorted_tables:
        told(table.name)
        other = theirs.tables[table.name]
        one, two = await _content(source, table, table), await _content(target, other, table)
        first = "" if one == two else await _first_difference(source, target, table, other)
        yield Compared(table=table.name, source=one, target=two, first=first)


def _carried(tables: MetaData) -> list[Table]:
    """Those that others point to first; marks are of the database that they are in."""
    return [table for table in tables.sorted_tables if table.name != stale.name]


def _check_tables(tables: MetaData, theirs: MetaData) -> None:
    for table in tables.sorted_tables:
        other = theirs.tables.get(table.name)
        if other is None or set(other.c.keys()) != set(table.c.keys()):
            raise Differs(table.name)


def _names(table: Table) -> list[str]:
    """Columns in an order that is the same in both databases."""
    return sorted(each.name for each in table.c)


async def _rows(
    connection: AsyncConnection, table: Table, *, after: Key | None = None
) -> AsyncIterator[tuple[list[str], Sequence[Any]]]:
    key, names = key_of(table, connection.dialect.name), _names(table)
    query = select(*plain(table, names)).order_by(*key)
    async for rows in pages(connection, table, query if after is None else query.where(beyond(key, after))):
        yield names, rows


async def _last(connection: AsyncConnection, table: Table) -> Key | None:
    """The key of the last row; None: there is none."""
    key = key_of(table, connection.dialect.name)
    row = (await connection.execute(select(*key).order_by(*(each.desc() for each in key)).limit(1))).one_or_none()
    return None if row is None else tuple(row)


async def _begins(
    source: AsyncConnection, target: AsyncConnection, table: Table, other: Table, last: Key | None
) -> bool:
    """Whether all that the target has up to `last` is what the source has up to there."""
    if last is None:
        return True
    return await _content(source, table, table, up_to=last) == await _content(target, other, table)


async def _content(connection: AsyncConnection, table: Table, like: Table, *, up_to: Key | None = None) -> Content:
    names, content = _names(like), Content()
    query = select(*plain(table, names))
    if up_to is not None:
        query = query.where(not_(beyond(key_of(table, connection.dialect.name), up_to)))
    canonical = _canonical(like)
    async for rows in pages(connection, table, query):
        for row in rows:
            content.add(canonical(row))
    return content


def _canonical(table: Table) -> Callable[[Sequence[Any]], bytes]:
    """The text of a row, the same for both databases: JSON counts by its meaning, not by its blanks."""
    names = _names(table)
    of_json = [place for place, name in enumerate(names) if isinstance(table.c[name].type, JSON)]

    def text(row: Sequence[Any]) -> bytes:
        values = list(row)
        for place in of_json:
            try:
                values[place] = orjson.loads(values[place])
            except (orjson.JSONDecodeError, TypeError):
                continue
        return orjson.dumps(values, default=str, option=orjson.OPT_SORT_KEYS)

    return text


async def _first_difference(source: AsyncConnection, target: AsyncConnection, table: Table, other: Table) -> str:
    """Which row differs first, by its place in the order of the key, and in which columns."""
    canonical, names = _canonical(table), _names(table)
    ours, theirs = _one_by_one(source, table), _one_by_one(target, other)
    place = 0
    while True:
        place += 1
        one, two = await anext(ours, None), await anext(theirs, None)
        if one is None and two is None:
            return ""
        if one is None or two is None:
            return f"row {place} is only in the {'target' if one is None else 'source'}"
        if canonical(one) != canonical(two):
            unlike = [name for name, a, b in zip(names, one, two, strict=True) if a != b]
            return f"row {place} differs in {', '.join(unlike)}"


async def _one_by_one(connection: AsyncConnection, table: Table) -> AsyncIterator[Sequence[Any]]:
    async for _, rows in _rows(connection, table):
        for row in rows:
            yield row
