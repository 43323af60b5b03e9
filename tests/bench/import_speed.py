"""What an import costs beside the bare database: `python -m tests.bench.import_speed [ROWS [DATABASE]]`.

`ivr campaign create` of a file of ROWS people beside the same rows put into the same tables by the bare driver, and its
memory, in one run. DATABASE is sqlite or postgresql; both by default, with 200,000 rows.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Outbound
from outbound import making
from outbound.campaigns import Rules
from people.contacts import open_contacts
from people.store.dialect import sqlite_file
from people.store.scope import Scope
from tests.bench.some_database import a_database
from tests.databases import KINDS, Kind

_ROWS = 200_000
_CAMPAIGN = (
    "INSERT INTO campaign (tenant, name, flow, main_message, state, rules, created_at_ms)"
    " VALUES ('shop', 'tv', 'promo', 'm', 'ready', '{}', 1)"
)
_CONTACT = "INSERT INTO contact (tenant, phone, name, language, created_at_ms) VALUES ('shop', ?, ?, 'ru', 1)"
#: A lead as the bare driver takes it, with its place in the file in front.
_LEAD = (
    "INSERT INTO lead (tenant, campaign_id, contact_id, line, name, language, variables, state, due_at_ms, attempts)"
    " VALUES ('shop', 1, ?, ?, ?, 'ru', ?, 'waiting', 0, 0)"
)


def people(rows: int) -> Iterator[tuple[str, str, str]]:
    for n in range(rows):
        yield f"+7{9000000000 + n}", f"Имя {n % 1000}", str(n % 100)


def contacts(rows: int) -> Iterable[tuple[str, str]]:
    return ((phone, name) for phone, name, _ in people(rows))


def leads(rows: int) -> Iterable[tuple[int, int, str, str]]:
    return ((n + 1, n + 2, name, json.dumps({"price": p})) for n, (_, name, p) in enumerate(people(rows)))


async def bare_import(engine: AsyncEngine, rows: int) -> float:
    """Seconds. The same rows, in the same tables, in one transaction."""
    if (path := sqlite_file(engine)) is not None:
        return await asyncio.to_thread(_into_sqlite, path, rows)
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url, server_settings={"ivr.tenant": "shop"})
    began = time.perf_counter()
    async with connection.transaction():
        await connection.execute(_CAMPAIGN)
        await connection.executemany(_numbered(_CONTACT), contacts(rows))
        await connection.executemany(_numbered(_LEAD), leads(rows))
    took = time.perf_counter() - began
    await connection.close()
    return took


def _numbered(statement: str) -> str:
    """As PostgreSQL names parameters."""
    first, *others = statement.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _into_sqlite(path: str, rows: int) -> float:
    with closing(sqlite3.connect(path)) as database:
        began = time.perf_counter()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            database.execute(f"PRAGMA {pragma}")
        with database:
            database.execute(_CAMPAIGN)
            database.executemany(_CONTACT, contacts(rows))
            database.executemany(_LEAD, leads(rows))
        return time.perf_counter() - began


async def our_import(engine: AsyncEngine, folder: Path, rows: int) -> tuple[float, float]:
    """Seconds, and the megabytes by which the process grew."""
    path = folder / "people.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("phone,name,price\n")
        file.writelines(f"{phone},{name},{price}\n" for phone, name, price in people(rows))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    await making.create(
        Scope(engine, "shop"),
        name="tv",
        flow="promo",
        main_message="m",
        rules=Rules.of(Outbound()),
        contacts=open_contacts(path, region="RU", language="ru"),
        clock_ms=lambda: 1,
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return time.perf_counter() - began, grown / 1024


async def measure(rows: int, kind: Kind) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        async with a_database(kind, Path(one)) as engine:
            bare_s = await bare_import(engine, rows)
        async with a_database(kind, Path(other)) as engine:
            ours_s, grown_mb = await our_import(engine, Path(other), rows)
            print(f"{kind}: import of {rows:,}: bare {bare_s:.1f} s, ours {ours_s:.1f} s:", end=" ")
            print(f"{ours_s / bare_s:.2f}; +{grown_mb:.0f} MB")


def main(*kinds: Kind, rows: int = _ROWS) -> None:
    for kind in kinds or KINDS:
        asyncio.run(measure(rows, kind))


if __name__ == "__main__":
    chosen = [kind for kind in KINDS if kind in sys.argv[2:]]
    main(*chosen, rows=int(sys.argv[1]) if sys.argv[1:] else _ROWS)
