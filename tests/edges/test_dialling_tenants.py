"""One engine dials for many tenants: each by its own list and limits, and none at another's cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.settings import Settings, Trunk
from outbound.clock import Clock
from outbound.gateway.lease import Lease
from outbound.ledger import Ledger
from outbound.plan.decide import CampaignRules, Caps
from people import do_not_call, tenants
from people.store.tables import tenant
from tests.databases import all_rows
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, number, opened
from tests.edges.fake_ami import FakeAmi, Subscriber
from tests.edges.waiting import until

pytestmark = pytest.mark.both_databases

#: The mall's people begin here, so that a number tells whose call it is.
MALL = 1000


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
def mall(shop: CampaignSite) -> CampaignSite:
    """The other tenant of the same engine."""
    return replace(shop, tenant="mall")


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeAmi]:
    async with fake_ami.running(FakeAmi(log=tmp_path / "log", subscribers=lambda _: Subscriber(talks_s=0.1))) as made:
        yield made


def whose(digits: str) -> str:
    return "mall" if int(digits[4:]) >= MALL else "shop"


async def test_campaigns_of_all_tenants_are_dialled_by_one_engine(
    shop: CampaignSite, mall: CampaignSite, fake: FakeAmi
) -> None:
    # A name is its tenant's own.
    await shop.campaign(3)
    await mall.campaign(4, first=MALL)
    async with shop.working(fake):
        await shop.until_state("finished")
        await mall.until_state("finished")
    attempts = await shop.attempts()
    assert [(row.tenant, row.outcome) for row in attempts] == [("shop", "human")] * 3 + [("mall", "human")] * 4
    assert [row.tenant for row in attempts] == [whose(row.phone[1:]) for row in attempts]


async def test_who_asked_one_tenant_for_no_calls_may_be_called_by_another(
    shop: CampaignSite, mall: CampaignSite, fake: FakeAmi
) -> None:
    await do_not_call.add(shop.scope, phones=[f"+{number(0)}"], source="call", now_ms=1)
    await shop.campaign(2)
    await mall.campaign(2)
    async with shop.working(fake):
        await shop.until_state("finished")
        await mall.until_state("finished")
    assert sorted((row.tenant, row.phone) for row in await shop.attempts()) == [
        ("mall", f"+{number(0)}"),
        ("mall", f"+{number(1)}"),
        ("shop", f"+{number(1)}"),
    ]


async def test_each_tenant_keeps_to_its_own_channels(shop: CampaignSite, mall: CampaignSite, fake: FakeAmi) -> None:
    await tenants.set_limits(shop.engine, "shop", channels=1)
    await tenants.set_limits(shop.engine, "mall", channels=2)
    fake.let_go.clear()
    await shop.campaign(3)
    await shop.campaign(3, name="lg", first=10)
    await mall.campaign(6, first=MALL)
    async with shop.working(fake):
        await until(lambda: len(fake.channels) == 3)
        assert sorted(map(whose, fake.dialled())) == ["mall", "mall", "shop"]
        fake.let_go.set()
        for name in ("sony", "lg"):
            await shop.until_state("finished", name=name)
        await mall.until_state("finished")
    assert fake.most_channels == 3


async def test_a_tenants_pace_holds_back_nobody_else(shop: CampaignSite, mall: CampaignSite, fake: FakeAmi) -> None:
    await tenants.set_limits(shop.engine, "shop", calls_per_second=4)
    await shop.campaign(3)
    await shop.campaign(3, name="lg", first=10)
    await mall.campaign(20, first=MALL)
    async with shop.working(fake):
        began_s = fake.clock.monotonic_s()
        for name in ("sony", "lg"):
            await shop.until_state("finished", name=name)
        await mall.until_state("finished")
    came: dict[str, list[float]] = {"shop": [], "mall": []}
    for at_s, digits in zip(fake.came_at_s, fake.dialled(), strict=True):
        came[whose(digits)].append(at_s)
    # The first leaves at once; those of both campaigns are apart.
    assert came["shop"][-1] - began_s >= 5 / 4
    assert came["mall"][-1] < came["shop"][-1]


async def test_tenants_take_turns_however_many_campaigns_each_has(
    shop: CampaignSite, mall: CampaignSite, fake: FakeAmi
) -> None:
    for n, name in enumerate(("sony", "lg", "tv")):
        await shop.campaign(6, name=name, first=10 * n)
    await mall.campaign(6, first=MALL)
    one = Settings(trunk=Trunk(host="127.0.0.1", channels=1))
    async with shop.working(fake, settings=one):
        await mall.until_state("finished")
        for name in ("sony", "lg", "tv"):
            await shop.until_state("finished", name=name)
    turns = list(map(whose, fake.dialled()))
    assert turns[:12].count("mall") == 6, turns


async def test_nobody_is_dialled_for_a_tenant_that_is_closed(
    shop: CampaignSite, mall: CampaignSite, fake: FakeAmi
) -> None:
    await shop.campaign(2)
    await mall.campaign(2, first=MALL)
    async with all_rows(shop.engine).begin() as connection:
        await connection.execute(tenant.update().where(tenant.c.name == "shop").values(closed_at_ms=1))
    async with shop.working(fake):
        await mall.until_state("finished")
    assert list(map(whose, fake.dialled())) == ["mall", "mall"]


async def test_what_an_earlier_engine_left_is_settled_for_every_tenant(
    shop: CampaignSite, mall: CampaignSite, fake: FakeAmi
) -> None:
    lease = Lease(shop.engine, "main")
    await lease.take()
    earlier = Ledger(database=shop.engine, owner=lease.owner, clock=Clock())
    claimed = []
    for site in (shop, mall):
        made = await site.campaign(1)
        assert made.rules is not None
        rules, caps = CampaignRules(state="running", retry=made.rules.retry), Caps()
        # Another's campaign has nobody for it.
        other = mall if site is shop else shop
        assert await earlier.claim(other.scope, made.id, 1, rules=rules, caps=caps) == []
        claimed += await earlier.claim(site.scope, made.id, 1, rules=rules, caps=caps)
    assert [claim.tenant for claim in claimed] == ["shop", "mall"]
    await lease.hand_back()
    async with shop.working(fake):
        await shop.until_state("finished")
        await mall.until_state("finished")
    assert fake.originates == []
    ended = sorted((row.tenant, row.outcome) for row in await shop.attempts())
    assert ended == [("mall", "unknown"), ("shop", "unknown")]


async def test_whether_it_may_be_dialled_is_asked_of_each_tenants_campaign(
    shop: CampaignSite, mall: CampaignSite, fake: FakeAmi
) -> None:
    await shop.campaign(2)
    await mall.campaign(2, first=MALL)
    async with shop.working(fake, may_dial=lambda campaign: campaign.tenant == "mall"):
        await mall.until_state("finished")
    assert list(map(whose, fake.dialled())) == ["mall", "mall"]
