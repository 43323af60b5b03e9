"""A site changes over to another database: all rows, proved, from where it was broken off, and nobody is rung twice."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from app.commands.main import app
from app.copies import change_over as change_over_module
from app.copies.change_over import change_over, settings_for
from faults import UserError
from ivr.settings import Site
from ivr.site import init_site
from outbound.gateway.lease import Lease
from people import do_not_call
from people.store import copying, transfer
from people.store.db import file_url, make_engine
from people.store.dialect import highest_ids
from people.store.ownership import gateways
from people.store.scope import Scope
from people.store.tables import call, journal, metadata
from reports.metrics import prove
from tests.databases import a_url, all_rows, put_tables
from tests.edges.campaign_site import CampaignSite, number
from tests.edges.fake_ami import FakeAmi, running

pytestmark = pytest.mark.postgresql_only


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = init_site(tmp_path / "site", {"trunk.host": "127.0.0.1"})
    put_tables(made.var / "ivr.sqlite3")
    return made


@pytest.fixture
async def to(tmp_path: Path) -> AsyncIterator[str]:
    async with a_url(tmp_path) as url:
        yield url


@pytest.fixture
async def there(to: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(to)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def on_file(site: Site) -> AsyncIterator[CampaignSite]:
    """The site's own SQLite."""
    engine = make_engine(file_url(site.var / "ivr.sqlite3"))
    try:
        yield CampaignSite(folder=site.var, engine=engine)
    finally:
        await engine.dispose()


async def fill(site: Site, fake: FakeAmi) -> None:
    """A campaign that is over, one that runs, calls with notes, and a few of everything else."""
    async with on_file(site) as filled, running(fake):
        await filled.campaign(8)
        async with filled.working(fake):
            await filled.until_state("finished")
        await filled.campaign(5, name="runs")
        attempts = await filled.attempts()
        for each in attempts:
            await filled.journal_call(each.id, answered_at_ms=1)
        note = {"at_ms": 1, "kind": "key", "node": "offer", "value": "1", "follow_up": True, "depth": 1}
        async with all_rows(filled.engine).begin() as connection:
            notes = [
                {"tenant": "shop", "call_id": each.id, "seq": seq, **note} for each in attempts for seq in range(2)
            ]
            await connection.execute(journal.insert(), notes)
        await do_not_call.add(Scope(filled.engine, "shop"), phones=["+79160000099"], source="call", now_ms=1)


async def rows(engine: AsyncEngine, *, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    async with all_rows(engine).begin() as connection:
        return {
            table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
            if table.name not in ("migration", *but)
        }


async def test_everything_goes_over_and_is_dialled_from_there_alone(site: Site, to: str, there: AsyncEngine) -> None:
    fake = FakeAmi()
    await fill(site, fake)
    async with on_file(site) as here:
        done = await change_over(site, to)
        assert all(each.equal for each in done.tables)
        assert done.reports == 2
        changed = ("campaign", "gateway")
        assert await rows(there, but=changed) == await rows(here.engine, but=changed)
        over = CampaignSite(folder=site.var, engine=there)
        async with there.connect() as ours, here.engine.connect() as theirs:
            highest, before = await highest_ids(ours), await highest_ids(theirs)
        assert all(highest[name] >= before[name] for name in before)
        for name in ("sony", "runs"):
            assert (await prove(Scope(there, "shop"), campaign_name=name)).differences == []
        # Whoever wakes up here dials nobody, and nobody can make it.
        before_dialled = len(fake.dialled())
        with pytest.raises(UserError, match="goes on in another database"):
            await here.change("resume", name="runs")
        async with running(fake), here.working(fake):
            assert await here.state("runs") == "paused"
        assert len(fake.dialled()) == before_dialled
        # There it goes on by itself, under the gateway that is free.
        assert [each.held for each in await gateways(there)] == [False]
        async with running(fake), over.working(fake):
            await over.until_state("finished", name="runs")
        assert sorted(fake.dialled()) == sorted([number(n) for n in range(8)] + [number(n) for n in range(5)])
    with pytest.raises(UserError, match="was copied already"):
        await change_over(site, to)


async def test_it_goes_back_the_same_way(site: Site, to: str, there: AsyncEngine, tmp_path: Path) -> None:
    await fill(site, FakeAmi())
    await change_over(site, to)
    over = init_site(tmp_path / "over", {"trunk.host": "127.0.0.1", "database": to})
    back = f"sqlite+aiosqlite:///{over.var}/ivr.sqlite3"
    done = await change_over(over, back)
    assert all(each.equal for each in done.tables)
    assert settings_for(over, back) == ("", "")
    async with on_file(over) as again:
        assert await again.state("runs") == "running"
        assert await rows(again.engine, but=("campaign", "gateway")) == await rows(there, but=("campaign", "gateway"))
        assert (await prove(Scope(again.engine, "shop"), campaign_name="sony")).differences == []
    assert await CampaignSite(folder=over.var, engine=there).state("runs") == "paused"


class Killed(Exception):
    pass


def killed_at(n: int) -> Callable[[str], None]:
    told = 0

    def tell(_: str) -> None:
        nonlocal told
        told += 1
        if told == n:
            raise Killed

    return tell


async def test_it_goes_on_where_it_was_broken_off(
    site: Site, to: str, there: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_ROWS", 3)
    await fill(site, FakeAmi())
    kills, held = 0, 0
    while True:
        try:
            # A step further each time: into the checks, the rows of each table and the proof.
            done = await change_over(site, to, told=killed_at(15 + 12 * kills))
            break
        except Killed:
            kills += 1
            now = sum(map(len, (await rows(there)).values()))
            assert now >= held, "what was there is there still"
            held = now
            async with on_file(site) as here:
                assert await here.state("runs") == "running"
    assert kills > 2
    assert all(each.equal for each in done.tables)
    assert (await prove(Scope(there, "shop"), campaign_name="sony")).differences == []


async def test_a_target_with_other_rows_is_refused_and_left_alone(site: Site, to: str, there: AsyncEngine) -> None:
    await fill(site, FakeAmi())
    await do_not_call.add(Scope(there, "other"), phones=["+79160000001"], source="call", now_ms=1)
    before = await rows(there)
    with pytest.raises(UserError, match="rows that are not this site's: the first in the table do_not_call"):
        await change_over(site, to)
    assert await rows(there) == before


async def test_while_an_engine_owns_the_gateway_nothing_is_copied(site: Site, to: str, there: AsyncEngine) -> None:
    async with on_file(site) as here:
        lease = Lease(here.engine, "main")
        await lease.take()
        with pytest.raises(UserError, match=r"owns the gateway main: process \d+"):
            await change_over(site, to)
        await lease.hand_back()
        await change_over(site, to)


async def test_nothing_is_written_here_while_it_is_copied(site: Site, to: str) -> None:
    refused = 0

    def write(_: str) -> None:
        nonlocal refused
        with closing(sqlite3.connect(site.var / "ivr.sqlite3", timeout=0)) as other, other:
            try:
                other.execute("INSERT INTO do_not_call VALUES ('shop', '+79160000001', 1, 'call', NULL)")
            except sqlite3.OperationalError:
                refused += 1

    async with on_file(site) as here:
        await here.campaign(3)
    done = await change_over(site, to, told=lambda what: None if what == "the figures" else write(what))
    assert refused > len(done.tables)


async def test_a_difference_is_told_by_its_place_and_leaves_the_site_as_it_is(
    site: Site, to: str, there: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(site, FakeAmi())

    async def damaged(*args: Any, **options: Any) -> None:
        await copied(*args, **options)
        async with all_rows(there).begin() as connection:
            await connection.execute(update(call).values(phone="+79169999999"))

    copied = transfer.carry
    monkeypatch.setattr(change_over_module, "carry", damaged)
    with pytest.raises(UserError, match=r"first the table call: row 1 differs in phone") as told:
        await change_over(site, to)
    assert "9999999" not in str(told.value)
    async with on_file(site) as here:
        assert await here.state("runs") == "running"


async def test_json_counts_by_its_meaning(site: Site, to: str) -> None:
    async with on_file(site) as here:
        await here.campaign(1)
    with closing(sqlite3.connect(site.var / "ivr.sqlite3")) as other, other:
        other.execute("""UPDATE lead SET variables = '{ "b": "ы", "a":1 }'""")
    assert all(each.equal for each in (await change_over(site, to)).tables)


def test_a_password_is_not_typed(site: Site) -> None:
    typed = ["store", "copy", "--to", "postgresql://ivr:s3cret@db.example/shop", "--site", str(site.folder)]
    said = CliRunner().invoke(app, typed)
    assert isinstance(said.exception, UserError)
    assert "can be seen by everybody" in str(said.exception)
    assert "s3cret" not in str(said.exception)


def test_settings_that_lead_there_have_no_password(site: Site) -> None:
    assert settings_for(site, "postgresql://ivr:s3cret@db.example/shop") == (
        "postgresql://ivr@db.example/shop",
        "s3cret",
    )
