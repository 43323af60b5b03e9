"""How quickly a site changes over: `python -m tests.bench.change_over_speed [LEADS]`, 200,000 by default.

From SQLite to a PostgreSQL of its own: people, leads, 1.5 attempts each, calls and notes, with the proof of both.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from app.copies.change_over import change_over
from ivr.site import init_site
from people.store import postgres
from people.store.roles import set_up
from tests.bench.report_speed import batches, fill

_PASSWORD = "of the benchmark"


async def measure(leads: int, server: str) -> None:
    to = await set_up(server, database="shop", password=_PASSWORD)
    with tempfile.TemporaryDirectory() as folder:
        site = init_site(Path(folder) / "site", {"trunk.host": "127.0.0.1"})
        await fill(site.database_url, batches(leads, campaign_id=1, first=1))
        size = (site.var / "ivr.sqlite3").stat().st_size
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        steps: dict[str, float] = {}

        def told(what: str) -> None:
            steps.setdefault("proof" if "comparing" in what else "rows", time.perf_counter() - began)

        done = await change_over(site, to, told=told)
        took = time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rows, copied = sum(each.source.rows for each in done.tables), steps["proof"]
    print(
        f"{leads:,} leads, {rows:,} rows, {size / 1e6:.0f} MB: copied in {copied:.1f} s, {rows / copied:,.0f} rows/s,"
    )
    print(f"{size / 1e6 / copied:.1f} MB/s; proved in {took - copied:.1f} s; memory +{grown:.0f} MB")


def main(leads: int = 200_000) -> None:
    with postgres.running(postgres.find()) as cluster:
        asyncio.run(measure(leads, cluster.url()))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
