"""An edited flow or text never changes what a running campaign says: engines, restarts, other machines."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from ivr.settings import Site
from outbound import campaigns
from people.store import tables
from people.store.scope import Scope
from prompts.engines.choice import engines
from reports.calls import read_calls, timeline
from reports.metrics import compute_report
from tests.edges.versions.shop import (
    OFFER,
    clip_of,
    make_campaign,
    make_shop,
    plan_attempt,
    running,
    say,
    speaks,
)

pytestmark = pytest.mark.both_databases

GREETING = "hotline.more"


@pytest.fixture(autouse=True)
def espeak() -> None:
    engines()["espeak"].install(lambda _what, _percent: None)


async def test_a_running_campaign_keeps_its_text_and_callers_hear_the_new_one(site: Site, scope: Scope) -> None:
    old_offer = clip_of(site, "promo.offer")
    async with running(site, scope) as shop:
        tv = await make_campaign(scope, site, "tv")
        first = shop.versions.current.number
        assert tv.version == first
        await plan_attempt(scope, tv, "1.tv")
        say(site, "Телевизор ещё дешевле.")
        hotline = (site.folder / OFFER).read_text("utf-8") + "hotline: {more: Добрый вечер!}\n"
        (site.folder / OFFER).write_text(hotline, "utf-8")
        new_offer, new_greeting = clip_of(site, "promo.offer"), clip_of(site, GREETING)
        with capture_logs() as logs:
            await shop.look()
            assert shop.taken == []
            await shop.look()
        (second,) = shop.taken
        assert second == shop.versions.current.number != first
        (told,) = (each for each in logs if each["event"] == "campaign_keeps_version")
        assert (told["campaign"], told["version"]) == ("tv", first)
        (told,) = (each for each in logs if each["event"] == "version_heard")
        assert told["changed"] == (OFFER,)
        radio = await make_campaign(scope, site, "radio")
        await plan_attempt(scope, radio, "1.radio")
        await shop.look()
        assert await shop.begins_with("outbound", "1.tv") == speaks(old_offer)
        assert await shop.begins_with("outbound", "1.radio") == speaks(new_offer)
        assert await shop.begins_with("inbound") == speaks(new_greeting)
        assert shop.taken == [second]
    # After a restart, too.
    async with running(site, scope) as shop:
        await plan_attempt(scope, tv, "2.tv")
        assert shop.versions.current.number == second
        assert await shop.begins_with("outbound", "2.tv") == speaks(old_offer)
    calls = await read_calls(scope)
    assert {(call.campaign, call.version) for call in calls} == {("tv", first), ("radio", second), (None, second)}
    for name, version in (("tv", first), ("radio", second)):
        report = await compute_report(scope, campaign_name=name, zone=ZoneInfo("UTC"), now_ms=1)
        assert (report.flow, report.version) == ("promo", version)
    assert all(f"(version {call.version})" in "\n".join(timeline(call, ZoneInfo("UTC"))) for call in calls)


async def test_a_fault_in_an_edit_reaches_nobody(site: Site, scope: Scope) -> None:
    flow = site.folder / "dialplans/promo.yaml"
    good, offer = flow.read_text("utf-8"), clip_of(site, "promo.offer")
    async with running(site, scope) as shop:
        first = shop.versions.current.number
        tv = await make_campaign(scope, site, "tv")
        flow.write_text(good.replace("to: more", "to: nowhere"), "utf-8")
        say(site, "Никто этого не слышит.")
        with capture_logs() as logs:
            await shop.look(5)
        (told,) = (each for each in logs if each["event"] == "version_refused")
        assert told["callers_hear"] == first
        assert any("nowhere" in fault for fault in told["faults"])
        assert [fault.where for fault in shop.reporter.faults] == [flow] * len(shop.reporter.faults)
        await plan_attempt(scope, tv, "1.tv")
        assert await shop.begins_with("outbound", "1.tv") == speaks(offer)
        assert (shop.taken, shop.versions.current.number) == ([], first)
    async with running(site, scope) as shop:
        assert shop.versions.current.number == first
        assert any(f"callers hear version {first}" in fault.what for fault in shop.reporter.faults)
        await plan_attempt(scope, tv, "2.tv")
        assert await shop.begins_with("outbound", "2.tv") == speaks(offer)
        # Mended, it is heard without a restart.
        flow.write_text(good, "utf-8")
        await shop.edited()
        assert shop.taken == [shop.versions.current.number]
        assert shop.versions.current.number != first


async def test_another_machine_needs_no_copy_of_the_files(site: Site, scope: Scope, tmp_path: Path) -> None:
    tv = await make_campaign(scope, site, "tv")
    other = make_shop(tmp_path / "other", offer=None)
    async with running(other, scope) as shop:
        assert shop.versions.current.number != tv.version
        await shop.look()
        assert tv.version in shop.versions.ready
        offer = clip_of(site, "promo.offer")
        await plan_attempt(scope, tv, "1.tv")
        assert (await shop.begins_with("outbound", "1.tv")).endswith(f'/{offer.path.name}" "0123456789*#" 0')
        # It lets go of what nobody needs any more.
        await campaigns.change_state(scope, name="tv", action="stop", now_ms=1)
        await shop.look()
        assert tv.version not in shop.versions.ready
        # An answer that comes after all is served all the same.
        await plan_attempt(scope, tv, "2.tv")
        assert (await shop.begins_with("outbound", "2.tv")).endswith(f'/{offer.path.name}" "0123456789*#" 0')
    (other.folder / "dialplans/hotline.yaml").unlink()
    # Without any flow of its own it serves what the tenant's other site has published last.
    async with running(other, scope) as shop:
        assert "hotline" in shop.versions.current.machines


async def test_a_version_that_can_not_be_had_ends_its_calls_with_a_goodbye(site: Site, scope: Scope) -> None:
    async with running(site, scope) as shop:
        tv = await make_campaign(scope, site, "tv")
        async with scope.begin() as connection:
            await connection.execute(update(tables.campaign).values(version=99))
        await plan_attempt(scope, tv, "1.tv")
        with capture_logs() as logs:
            await shop.look(2)
            # Nobody is dialled for it; a call that was dialled before ends with a goodbye.
            assert not shop.versions.has(99)
            assert await shop.begins_with("outbound", "1.tv") == speaks(clip_of(site, "fallback.goodbye"))
        assert [each["event"] for each in logs if each.get("version") == 99] == [
            "version_not_ready",
            "version_not_loaded",
        ]
    (call,) = await read_calls(scope, campaign_name="tv")
    assert (call.version, call.ended_by) == (99, "fault")


async def test_a_campaign_of_a_release_before_versions_is_given_one(site: Site, scope: Scope) -> None:
    await make_campaign(scope, site, "tv")
    await make_campaign(scope, site, "over")
    await campaigns.change_state(scope, name="over", action="stop", now_ms=1)
    async with scope.begin() as connection:
        await connection.execute(update(tables.campaign).values(version=None))
    async with running(site, scope) as shop:
        found = {each.name: each.version for each in await campaigns.list_campaigns(scope)}
        assert found == {"tv": shop.versions.current.number, "over": None}
        # Its calls may still be in progress: they are as the site's own.
        over = await campaigns.find(scope, name="over")
        await plan_attempt(scope, over, "1.over")
        assert await shop.begins_with("outbound", "1.over") == speaks(clip_of(site, "promo.offer"))


async def test_a_site_with_faults_from_its_first_day_answers_with_what_is_good(site: Site, scope: Scope) -> None:
    flow = site.folder / "dialplans/promo.yaml"
    good = flow.read_text("utf-8")
    flow.write_text("flow: promo\nkind: nothing\n", "utf-8")
    async with running(site, scope) as shop:
        assert shop.versions.current.number is None
        assert await shop.begins_with("inbound") == speaks(clip_of(site, GREETING))
        flow.write_text(good, "utf-8")
        await shop.edited()
        assert shop.taken[0] is not None
    async with scope.begin() as connection:
        assert (await connection.scalars(select(tables.call.c.version))).all() == [None]
