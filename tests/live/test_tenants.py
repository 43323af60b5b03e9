"""Two tenants on one Asterisk: each number has its own flow and voice, one engine dials for both."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.engine import Engine
from ivr.flow.machine import Machine
from ivr.flow.model import Flow, HangUp, Play
from ivr.settings import TenantSettings
from ivr.tenants import Served, Tenants
from ivr.versions.loaded import LoadedVersion, Versions
from people.hotline_numbers import Meaning
from people.store.tables import attempt, call, journal
from tests.databases import all_rows
from tests.edges.campaign_site import number, opened
from tests.edges.disk_voice import DiskVoice
from tests.edges.waiting import PATIENCE_S
from tests.golden.flows import say
from tests.live.conftest import SharedSite
from tests.live.sip_peer import Plan
from tests.live.test_campaign import working

pytestmark = pytest.mark.timed

OURS, THEIRS, NOBODYS = "+74950000001", "+74950000002", "+74950000003"
#: What each says is as long as nothing else.
LENGTHS_MS = {
    "shop": {"hotline.welcome": 600, "promo.offer": 400, "fallback.unknown_number": 900},
    "mall": {"hotline.main": 1300, "promo.offer": 1000},
}
CLOSE_MS = 60


def versions(folder: Path, tenant: str, answer: Flow) -> Versions:
    """A flow that answers callers, and one for whom we call."""
    promo = Flow(
        name="promo",
        kind="promo",
        start="offer",
        languages=("ru",),
        main_message="promo.offer",
        nodes={
            "offer": Play(name="offer", line=1, say=say("promo.offer"), then="bye"),
            "bye": HangUp(name="bye", line=2),
        },
    )
    voice = DiskVoice(folder / tenant, {text: (ms,) for text, ms in LENGTHS_MS[tenant].items()})
    machines = {flow.name: Machine(flow) for flow in (answer, promo)}
    return Versions(LoadedVersion(number=None, machines=machines, voice=voice))


def answering(name: str, text: str) -> Flow:
    nodes = {"hello": Play(name="hello", line=1, say=say(text), then="bye"), "bye": HangUp(name="bye", line=2)}
    return Flow(name=name, kind="hotline", start="hello", languages=("ru",), nodes=nodes)


async def test_two_tenants_share_an_asterisk_an_engine_and_a_worker(shared: SharedSite, tmp_path: Path) -> None:
    async with shared() as (peer, site), opened(tmp_path) as shop:
        mall, settings = replace(shop, tenant="mall"), site.settings
        tenants = Tenants(
            own=Served(settings=settings, versions=versions(tmp_path, "shop", answering("hotline", "hotline.welcome"))),
            numbers={OURS: Meaning("shop", "hotline"), THEIRS: Meaning("mall", "desk")},
        )
        tenants.others["mall"] = Served(
            settings=settings.for_tenant("mall", TenantSettings()),
            versions=versions(tmp_path, "mall", answering("desk", "hotline.main")),
        )
        engine = Engine(tenants, database=shop.engine, agi_key=site.agi_key, var=site.var)
        await engine.start()
        try:
            sip = ("127.0.0.1", settings.asterisk.sip_port)
            callers = [
                peer.dial(sip, dialled, caller=f"+7916000100{n}") for n, dialled in enumerate((OURS, THEIRS, NOBODYS))
            ]
            for n in (0, 1, 1000):
                peer.expect(number(n), Plan(answer_s=0.1))
            await shop.campaign(2, machines="off")
            await mall.campaign(1, first=1000, machines="off")
            async with working(site, shop):
                await shop.until_state("finished")
                await mall.until_state("finished")
            async with asyncio.timeout(PATIENCE_S):
                for each in callers:
                    await each.ended.wait()
        finally:
            await engine.drain(5)
        async with all_rows(shop.engine).begin() as connection:
            outcomes = await connection.execute(select(attempt.c.tenant, attempt.c.outcome).order_by(attempt.c.tenant))
            assert list(map(tuple, outcomes)) == [("mall", "human"), ("shop", "human"), ("shop", "human")]
            rows = (
                select(call.c.tenant, call.c.direction, call.c.flow, call.c.ended_by, journal.c.value)
                .join(journal, journal.c.call_id == call.c.id)
                .where(journal.c.kind == "heard")
                .order_by(call.c.tenant, call.c.direction)
            )
            assert [tuple(row) for row in await connection.execute(rows)] == [
                ("mall", "inbound", "desk", "flow", "hotline.main"),
                ("mall", "outbound", "promo", "flow", "promo.offer"),
                ("shop", "inbound", "hotline", "flow", "hotline.welcome"),
                *[("shop", "outbound", "promo", "flow", "promo.offer")] * 2,
            ]
    # Who dialled nobody's number heard one sentence, and nothing of the fallback after it.
    for each, heard_ms in zip(callers, (600, 1300, 900), strict=True):
        assert abs(each.heard_ms - heard_ms) <= CLOSE_MS
    dialled = {each.number: each.heard_ms for each in peer.calls if each not in callers}
    for n, heard_ms in ((0, 400), (1, 400), (1000, 1000)):
        assert abs(dialled[number(n)] - heard_ms) <= CLOSE_MS
