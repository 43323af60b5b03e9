"""A copy of a site on PostgreSQL, by the service's role alone: put back in one transaction, or into SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.copies.archive import pieces, writing
from app.copies.backup import take
from app.copies.restore import put_copy_back
from faults import UserError
from ivr.settings import Site
from ivr.site import init_site
from ivr.versions.publishing import publish
from outbound.restored import last_restored
from people import do_not_call
from people.store.db import make_engine
from people.store.scope import Scope
from people.store.tables import metadata
from tests.databases import a_url, all_rows
from tests.edges.campaign_site import CampaignSite, now_ms, number
from tests.edges.fake_ami import FakeAmi, running

pytestmark = pytest.mark.postgresql_only


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_url(tmp_path) as url:
        yield init_site(tmp_path / "site", {"trunk.host": "127.0.0.1", "database": url})


@pytest.fixture
async def database(site: Site) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(site.database_url)
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine) -> dict[str, list[Any]]:
    left_out = ("migration", "restored", "campaign")
    async with all_rows(engine).begin() as connection:
        return {
            table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
            if table.name not in left_out
        }


async def test_rows_go_back_and_nobody_is_rung_twice(site: Site, database: AsyncEngine, tmp_path: Path) -> None:
    copy, fake = tmp_path / "x.ivrcopy", FakeAmi()
    campaign = CampaignSite(folder=site.var, engine=database)
    async with running(fake):
        await campaign.campaign(10)
        await take(site, copy, now_ms=now_ms())
        async with campaign.working(fake):
            await campaign.until_state("finished")
        await do_not_call.add(Scope(database, "shop"), phones=["+79160000099"], source="call", now_ms=1)
        await campaign.campaign(2, name="since")
        done = await put_copy_back(copy, site.folder, now_ms=now_ms())
        assert (done.opt_outs, done.unread) == (1, ())
        found = await last_restored(database)
        assert found is not None
        assert found.found == 10
        assert [each.phone for each in await do_not_call.entries(Scope(database, "shop"))] == ["+79160000099"]
        await campaign.change("resume")
        async with campaign.working(fake):
            await campaign.until_state("finished")
    assert sorted(fake.dialled()) == [number(n) for n in range(10)]
    # Ids go on above those that were given since the copy.
    await campaign.campaign(1, name="new")
    assert min(lead[0] for lead in (await rows(database))["lead"] if lead[0] > 10) > 12
    # What was there is a copy itself.
    assert done.aside is not None
    await put_copy_back(done.aside / "database.ivrcopy", site.folder, now_ms=now_ms() + 1000)
    assert await campaign.state("since") == "paused"


async def test_a_copy_of_one_database_is_put_into_the_other(site: Site, database: AsyncEngine, tmp_path: Path) -> None:
    await CampaignSite(folder=site.var, engine=database).campaign(10)
    await publish(Scope(database, "shop"), site, now_ms=1)
    await do_not_call.add(Scope(database, "shop"), phones=["+79160000099"], source="call", now_ms=1)
    await take(site, tmp_path / "x.ivrcopy", now_ms=now_ms())
    with pytest.raises(UserError, match="database_password in secrets"):
        await put_copy_back(tmp_path / "x.ivrcopy", tmp_path / "new", now_ms=now_ms())
    with writing(tmp_path / "y.ivrcopy", None) as archive:
        for name, data in pieces(tmp_path / "x.ivrcopy", None):
            if name == "site/ivr.toml":
                data = b"\n".join(line for line in data.splitlines() if not line.startswith(b"database = "))
            archive.add(name, data)
    await put_copy_back(tmp_path / "y.ivrcopy", tmp_path / "new", now_ms=now_ms())
    sqlite = make_engine(f"sqlite+aiosqlite:///{tmp_path}/new/var/ivr.sqlite3")
    assert await rows(sqlite) == await rows(database)
    await sqlite.dispose()
