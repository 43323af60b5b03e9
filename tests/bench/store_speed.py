"""What the store costs beside the bare database: `python -m tests.bench.store_speed [ROWS]`, 200,000 by default.

Import: `ivr campaign create` of a file of ROWS people beside the same rows put into the same tables by the bare driver,
and its memory. Claims: the ledger's, of 20 of ROWS leads that are due at one instant, beside a bare UPDATE … RETURNING
of as many, in turn. Each pair is taken in one run.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Outbound
from outbound import campaigns, making
from outbound.campaigns import Campaign, Rules
from outbound.clock import Clock
from outbound.gateway.lease import Lease
from outbound.ledger import Ledger
from outbound.plan.decide import CampaignRules, Caps
from people.contacts import open_contacts
from people.store.db import make_engine, open_database
from people.store.scope import Scope
from people.store.upgrade import upgrade
from people.tenants import register
from tests.databases import all_rows

#: The first few fill caches.
_WARM, _CLAIMS, _AT_ONCE = 5, 60, 20
#: A lead as the bare driver takes it, with its place in the file in front.
_LEAD = (
    "INSERT INTO lead (tenant, campaign_id, contact_id, line, name, language, variables, state, due_at_ms, attempts)"
    " VALUES ('shop', 1, ?, ?, ?, 'ru', ?, 'waiting', 0, 0)"
)


def url(folder: Path, name: str) -> str:
    return f"sqlite+aiosqlite:///{folder / name}.sqlite3"


def people(rows: int) -> Iterator[tuple[str, str, str]]:
    for n in range(rows):
        yield f"+7{9000000000 + n}", f"Имя {n % 1000}", str(n % 100)


def bare_import(path: Path, rows: int) -> float:
    """Seconds. The same rows, in the same tables, in one transaction."""
    with closing(sqlite3.connect(path)) as database:
        began = time.perf_counter()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            database.execute(f"PRAGMA {pragma}")
        with database:
            database.execute(
                "INSERT INTO campaign (tenant, name, flow, main_message, state, rules, created_at_ms)"
                " VALUES ('shop', 'tv', 'promo', 'm', 'ready', '{}', 1)"
            )
            database.executemany(
                "INSERT INTO contact (tenant, phone, name, language, created_at_ms) VALUES ('shop', ?, ?, 'ru', 1)",
                ((phone, name) for phone, name, _ in people(rows)),
            )
            database.executemany(
                _LEAD,
                ((n + 1, n + 2, name, json.dumps({"price": p})) for n, (_, name, p) in enumerate(people(rows))),
            )
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


async def claims(engine: AsyncEngine, campaign: Campaign) -> tuple[float, float]:
    """Milliseconds of a bare UPDATE … RETURNING and of a claim, each of _AT_ONCE leads."""
    bare = text(
        "UPDATE lead SET state = 'dialling', attempts = attempts + 1 WHERE id IN (SELECT id FROM lead"
        " WHERE campaign_id = :campaign AND state = 'waiting' AND due_at_ms <= 1 ORDER BY due_at_ms, id LIMIT :count)"
        " RETURNING id"
    ).bindparams(campaign=campaign.id, count=_AT_ONCE)
    assert campaign.rules is not None
    rules = CampaignRules(state="running", retry=campaign.rules.retry)
    lease = Lease(engine, "main")
    await lease.take()
    ledger = Ledger(scope=Scope(engine, "shop"), owner=lease.owner, clock=Clock())
    caps = Caps(campaign_channels=_AT_ONCE, trunk_channels=_AT_ONCE)

    async def take() -> None:
        async with all_rows(engine).begin(outlives_power_cut=True) as connection:
            taken = await connection.execute(bare)
            assert len(taken.all()) == _AT_ONCE

    async def claim() -> None:
        assert len(await ledger.claim(campaign.id, _AT_ONCE, rules=rules, caps=caps)) == _AT_ONCE

    took: dict[Callable[[], Awaitable[None]], list[float]] = {take: [], claim: []}
    for _ in range(_WARM + _CLAIMS):
        for work, seconds in took.items():
            began = time.perf_counter()
            await work()
            seconds.append(time.perf_counter() - began)
    bare_ms, claim_ms = (statistics.median(seconds[_WARM:]) * 1000 for seconds in took.values())
    return bare_ms, claim_ms


async def measure(folder: Path, rows: int) -> None:
    bare_url, our_url = url(folder, "bare"), url(folder, "ours")
    for each in (bare_url, our_url):
        await upgrade(each)
        database = make_engine(each)
        await register(Scope(database, "shop"), now_ms=1)
        await database.dispose()
    bare_s = await asyncio.to_thread(bare_import, folder / "bare.sqlite3", rows)
    engine = await open_database(our_url)
    ours_s, grown_mb = await our_import(engine, folder, rows)
    print(f"import of {rows:,}: bare {bare_s:.1f} s, ours {ours_s:.1f} s: {ours_s / bare_s:.2f}; +{grown_mb:.0f} MB")
    campaign = await campaigns.change_state(Scope(engine, "shop"), name="tv", action="start", now_ms=1)
    bare_ms, claim_ms = await claims(engine, campaign)
    print(f"claim of {_AT_ONCE}, {rows:,} due at one instant: bare {bare_ms:.2f} ms, ours {claim_ms:.2f} ms:", end=" ")
    print(f"{claim_ms / bare_ms:.2f}")
    await engine.dispose()


def main(rows: int = 200_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), rows))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
