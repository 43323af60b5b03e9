"""Retailers that share a database: added, limited, closed; what a limit and a closing mean for those who dial."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from app.commands.main import app
from faults import UserError
from ivr.site import free_ports, init_site
from outbound import campaigns, closing
from outbound.clock import Clock
from outbound.gateway.lease import Lease
from outbound.ledger import Ledger, MostOpen
from outbound.plan.decide import CampaignRules, Caps
from people import tenants
from people.store.scope import Scope
from people.store.tables import tenant
from people.tenants import Limits
from reports.metrics import compute_report
from tests.databases import put_tables
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, opened
from tests.edges.fake_ami import FakeAmi, Subscriber

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeAmi]:
    async with fake_ami.running(FakeAmi(log=tmp_path / "log", subscribers=lambda _: Subscriber(talks_s=0.1))) as made:
        yield made


async def test_a_tenant_is_there_once(site: CampaignSite) -> None:
    added = await tenants.add(site.engine, "mir", title="Мир", now_ms=5)
    assert (added.name, added.title, added.limits, added.created_at_ms, added.closed_at_ms) == (
        "mir",
        "Мир",
        Limits(),
        5,
        None,
    )
    for name, message in (
        ("mir", "already"),
        ("", "no name"),
        ("*", "no name"),
        ("a b", "no name"),
        ("x" * 65, "no name"),
    ):
        with pytest.raises(UserError, match=message):
            await tenants.add(site.engine, name, title="", now_ms=6)
    await tenants.register(Scope(site.engine, "mir"), now_ms=7)
    assert added in await tenants.tenants(site.engine)


async def test_limits_are_set_one_by_one_and_taken_away(site: CampaignSite) -> None:
    assert (await tenants.set_limits(site.engine, "shop", channels=3)).limits == Limits(channels=3)
    assert (await tenants.set_limits(site.engine, "shop", calls_per_second=1.5)).limits == Limits(
        channels=3, calls_per_second=1.5
    )
    assert (await tenants.set_limits(site.engine, "shop", channels=0)).limits == Limits(calls_per_second=1.5)
    assert (await tenants.set_limits(site.engine, "mall")).limits == Limits()
    with pytest.raises(UserError, match="no tenant 'nobody'"):
        await tenants.set_limits(site.engine, "nobody", channels=3)


async def test_the_campaigns_of_a_tenant_share_its_channels(site: CampaignSite, fake: FakeAmi) -> None:
    await tenants.set_limits(site.engine, "shop", channels=3)
    for name in ("sony", "lg"):
        await site.campaign(8, name=name)
    async with site.working(fake):
        for name in ("sony", "lg"):
            await site.until_state("finished", name=name)
    assert fake.most_channels == 3


async def test_the_campaigns_of_a_tenant_share_its_pace(site: CampaignSite, fake: FakeAmi) -> None:
    await tenants.set_limits(site.engine, "shop", calls_per_second=20)
    await site.campaign(12)
    async with site.working(fake):
        began_s = site.clock.monotonic_s()
        await site.until_state("finished")
    assert len(fake.originates) == 12
    # The first leaves at once.
    assert site.clock.monotonic_s() - began_s >= 11 / 20


async def test_gateways_together_keep_to_a_tenants_channels(site: CampaignSite) -> None:
    made = [await site.campaign(6, name=name) for name in ("sony", "lg")]
    lease = Lease(site.engine, "main")
    await lease.take()
    ledger = Ledger(database=site.engine, owner=lease.owner, clock=Clock())
    caps = Caps(campaign_channels=9, trunk_channels=9)
    claimed = []
    for campaign in (*made, made[0]):
        assert campaign.rules is not None
        rules = CampaignRules(state="running", retry=campaign.rules.retry)
        most = MostOpen(9, of_tenant=4)
        claimed.append(len(await ledger.claim(site.scope, campaign.id, 3, rules=rules, caps=caps, most_open=most)))
    assert claimed == [3, 1, 0]


async def test_a_closed_tenants_campaigns_stop_and_can_be_read(site: CampaignSite, fake: FakeAmi) -> None:
    await site.campaign(4, name="done")
    async with site.working(fake):
        await site.until_state("finished", name="done")
        await site.campaign(2, name="sony")
        await site.campaign(2, name="lg")
        await site.change("pause", name="lg")
        assert await tenants.closed(site.scope) is None
        assert await closing.close(site.engine, "shop", now_ms=9) == ["lg", "sony"]
    assert "is closed" in str(await tenants.closed(site.scope))
    assert [await site.state(name) for name in ("done", "sony", "lg")] == ["finished", "stopped", "stopped"]
    with pytest.raises(UserError, match="closed already"):
        await closing.close(site.engine, "shop", now_ms=10)
    with pytest.raises(UserError, match="The tenant 'shop' is closed"):
        await site.campaign(1, name="new")
    assert [each.name for each in await campaigns.list_campaigns(site.scope)] == ["done", "sony", "lg"]
    report = await compute_report(site.scope, campaign_name="done", zone=ZoneInfo("UTC"), now_ms=1)
    assert report.dialled.part == 4
    # Another's are none of its business.
    (mall,) = [each for each in await tenants.tenants(site.engine) if each.name == "mall"]
    assert mall.closed_at_ms is None
    await tenants.add(site.engine, "shop", title="", now_ms=11)
    await site.campaign(1, name="new")


async def test_what_waits_to_start_is_not_started_when_its_tenant_is_closed(site: CampaignSite) -> None:
    await site.campaign(1)
    await site.change("pause")
    async with site.scope.begin() as connection:
        await connection.execute(tenant.update().where(tenant.c.name == "shop").values(closed_at_ms=1))
    with pytest.raises(UserError, match="The tenant 'shop' is closed"):
        await site.change("resume")
    assert await site.state() == "paused"


@pytest.mark.sqlite_only("a site's own database")
def test_the_commands(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    init_site(folder, {**free_ports(), "trunk.host": "127.0.0.1"})
    (folder / "var").mkdir(exist_ok=True)
    put_tables(folder / "var" / "ivr.sqlite3")

    def ivr(*words: str) -> str:
        done = CliRunner().invoke(app, ["tenant", *words, "--site", str(folder)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "mir (Мир) is open" in ivr("add", "mir", "--title", "Мир")
    assert "mir (Мир): 4 channels, 2.5 calls/s" in ivr("limits", "mir", "--channels", "4", "--cps", "2.5")
    assert "as many channels as the trunk has, 2.5 calls/s" in ivr("limits", "mir", "--channels", "0")
    assert "mir is closed." in ivr("close", "mir")
    (mir,) = [each for each in json.loads(ivr("list", "--json")) if each["name"] == "mir"]
    assert (mir["title"], mir["channels"], mir["calls_per_second"]) == ("Мир", None, 2.5)
    assert mir["closed_at_ms"] > mir["created_at_ms"]
    assert "Мир" in ivr("list")
