"""What a claim costs as a campaign grows: `python -m tests.bench.claim_speed [ROWS … [DATABASE]]`.

The ledger's, of 20 of ROWS leads that are due at one instant, beside a bare UPDATE … RETURNING of as many, in turn,
in one run. DATABASE is sqlite or postgresql, both by default; ROWS are 100,000 and 1,000,000.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Outbound
from outbound import campaigns
from outbound.campaigns import Campaign, Rules
from outbound.clock import Clock
from outbound.gateway.lease import Lease
from outbound.ledger import Ledger
from outbound.plan.decide import CampaignRules, Caps
from people.store.scope import Scope
from people.store.tables import campaign
from tests.bench.some_database import a_database
from tests.databases import KINDS, Kind, all_rows, owning

#: The first few fill caches.
_WARM, _CLAIMS, _AT_ONCE = 5, 60, 20
_ROWS = (100_000, 1_000_000)
_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)",
    "postgresql": "WITH numbers AS (SELECT generate_series(1, CAST(:rows AS bigint)) AS n)",
}
_CONTACTS = """
INSERT INTO contact (id, tenant, phone, name, language, created_at_ms)
{numbers} SELECT n, 'shop', '+7' || CAST(9000000000 + n AS text), 'Имя', 'ru', 1 FROM numbers
"""
_LEADS = """
INSERT INTO lead (tenant, campaign_id, contact_id, line, name, language, variables, state, due_at_ms, attempts)
{numbers} SELECT 'shop', 1, n, n, 'Имя', 'ru', '{{"price": "1"}}', 'waiting', 0, 0 FROM numbers
"""


async def fill(engine: AsyncEngine, rows: int) -> Campaign:
    """A running campaign with so many leads."""
    async with all_rows(engine).begin() as connection:
        made = {"tenant": "shop", "name": "tv", "flow": "promo", "main_message": "m", "state": "ready"}
        await connection.execute(
            campaign.insert().values(id=1, **made, rules=Rules.of(Outbound()).model_dump(), created_at_ms=1)
        )
        for statement in (_CONTACTS, _LEADS):
            numbers = _NUMBERS[engine.dialect.name]
            await connection.execute(text(statement.format(numbers=numbers)), {"rows": rows})
    if engine.dialect.name == "postgresql":
        # As its own housekeeping does within a minute: the bare statement is to be at its best.
        async with owning(engine) as owner, owner.begin() as connection:
            await connection.execute(text("ANALYZE"))
    return await campaigns.change_state(Scope(engine, "shop"), name="tv", action="start", now_ms=1)


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
    ledger = Ledger(database=engine, owner=lease.owner, clock=Clock())
    caps = Caps(campaign_channels=_AT_ONCE, trunk_channels=_AT_ONCE)

    async def take() -> None:
        async with all_rows(engine).begin(outlives_power_cut=True) as connection:
            taken = await connection.execute(bare)
            assert len(taken.all()) == _AT_ONCE

    async def claim() -> None:
        assert len(await ledger.claim(Scope(engine, "shop"), campaign.id, _AT_ONCE, rules=rules, caps=caps)) == _AT_ONCE

    took: dict[Callable[[], Awaitable[None]], list[float]] = {take: [], claim: []}
    for _ in range(_WARM + _CLAIMS):
        for work, seconds in took.items():
            began = time.perf_counter()
            await work()
            seconds.append(time.perf_counter() - began)
    bare_ms, claim_ms = (statistics.median(seconds[_WARM:]) * 1000 for seconds in took.values())
    return bare_ms, claim_ms


async def measure(rows: int, kind: Kind) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with a_database(kind, Path(folder)) as engine:
            campaign = await fill(engine, rows)
            bare_ms, claim_ms = await claims(engine, campaign)
            print(f"{kind}: claim of {_AT_ONCE}, {rows:,} due at one instant:", end=" ")
            print(f"bare {bare_ms:.2f} ms, ours {claim_ms:.2f} ms: {claim_ms / bare_ms:.2f}")


def main(rows: Sequence[int] = _ROWS, kinds: Sequence[Kind] = KINDS) -> None:
    for kind in kinds:
        for each in rows:
            asyncio.run(measure(each, kind))


if __name__ == "__main__":
    chosen = [kind for kind in KINDS if kind in sys.argv]
    main([int(each) for each in sys.argv[1:] if each.isdecimal()] or _ROWS, chosen or KINDS)
