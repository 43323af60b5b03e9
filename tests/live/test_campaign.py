"""A campaign on a real Asterisk, dialled to a SIP peer that is not ours: outcomes, a cut link, an engine away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from ivr.asterisk import conf, running
from ivr.settings import Site
from outbound.gateway.ami import Ami
from outbound.worker import Worker
from tests.edges.campaign_site import CampaignSite, number, opened, owning
from tests.edges.waiting import until
from tests.live.conftest import MakeSite, SharedSite
from tests.live.short_engine import engine
from tests.live.sip_peer import Plan, SipPeer

Start = Callable[[Site], Awaitable[running.Running]]


def ami_of(site: Site) -> Ami:
    asterisk = site.settings.asterisk
    return Ami(
        host=asterisk.ami_host,
        port=asterisk.ami_port,
        username=asterisk.ami_user,
        secret=site.secrets.ami_secret.get_secret_value(),
        reconnect_first_s=0.05,
    )


@contextlib.asynccontextmanager
async def working(site: Site, campaign: CampaignSite) -> AsyncIterator[tuple[Worker, Ami]]:
    """The site's worker; its end leaves calls in progress to Asterisk, as a crash does."""
    ami = ami_of(site)
    async with owning(campaign.engine) as lease:
        await ami.open()
        log = conf.site_home(site).log
        worker = Worker(campaign.scope.database, ami, site.settings, lease=lease, asterisk_log=log, grace_s=3.0)
        task = asyncio.create_task(worker.run())
        try:
            yield worker, ami
        finally:
            await worker.close()
            await task
            await ami.aclose()


#: What the peer does 0.6 s after the INVITE, what Asterisk makes of it, and what we do.
OUTCOMES = [
    (Plan(answer_s=0.6), "human"),
    (Plan(answer_s=0.6, hang_up_s=0.3), "human"),
    (Plan(answer_s=0.6, hang_up_s=0.0), "human"),
    (Plan(answer_s=0.6, refuse=486), "busy"),
    (Plan(answer_s=0.6, refuse=600), "busy"),
    (Plan(answer_s=0.6, refuse=480), "no_answer"),
    (Plan(answer_s=0.6, refuse=404), "invalid_number"),
    (Plan(answer_s=0.6, refuse=603), "rejected"),
    (Plan(answer_s=0.6, refuse=403), "rejected"),
    (Plan(answer_s=0.6, refuse=503), "congestion"),
    # Moved: our own hotline, which answers every number, must not take the call.
    (Plan(answer_s=0.6, refuse=302), "failed"),
    (Plan(answer_s=0.6, refuse=500), "failed"),
    (Plan(answer_s=None), "no_answer"),
]


async def test_every_outcome_by_events_and_by_records(shared: SharedSite, tmp_path: Path) -> None:
    """The same calls twice: with the engine watching, and with the engine away from the dial to the end."""
    async with shared() as (peer, site), opened(tmp_path) as campaign:
        for n, (plan, _) in enumerate(OUTCOMES):
            peer.expect(number(n), plan, plan)
        async with engine(site):
            await campaign.campaign(len(OUTCOMES), name="watched", machines="off", ring_s=5)
            async with working(site, campaign):
                await campaign.until_state("finished", name="watched")
            await campaign.campaign(len(OUTCOMES), name="away", machines="off", ring_s=5)
            async with working(site, campaign) as (worker, _):
                await until(lambda: worker.in_flight == len(OUTCOMES))
            await until(lambda: all(call.ended_at is not None for call in peer.calls))
            async with working(site, campaign):
                await campaign.until_state("finished", name="away")
        attempts = await campaign.attempts()
    by_campaign: dict[int, list[tuple[str, str]]] = {}
    for row in attempts:
        by_campaign.setdefault(row.campaign_id, []).append((row.phone[1:], row.outcome))
    expected = [(number(n), outcome) for n, (_, outcome) in enumerate(OUTCOMES)]
    assert by_campaign == {1: expected, 2: expected}
    records = (conf.site_home(site).log / "cdr-custom" / "ivr.csv").read_text("utf-8")
    assert records.count("\n") >= len(attempts)
    assert "dialled-" not in records


async def test_a_link_cut_and_a_restart_of_the_engine_dial_nobody_twice(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path
) -> None:
    leads = 30
    async with SipPeer() as peer, opened(tmp_path) as campaign:
        site = make_site(trunk_port=peer.port)
        await start_asterisk(site)
        for n in range(leads):
            peer.expect(number(n), Plan(answer_s=0.1, hang_up_s=1 + n % 5 / 5))
        async with engine(site):
            await campaign.campaign(leads, machines="off", channels=6, calls_per_second=20)
            async with working(site, campaign) as (worker, ami):
                # With its INVITE here, no Originate is on its way that the cut could lose.
                await until(lambda: worker.in_flight == len(peer.calls) == 6)
                assert ami.protocol is not None
                ami.protocol.transport.abort()
                await until(lambda: not ami.up)
                await until(lambda: ami.up and worker.in_flight == 6)
            async with working(site, campaign):
                await campaign.until_state("finished")
        attempts = await campaign.attempts()
    rung = [call.number for call in peer.calls]
    assert sorted(rung) == [number(n) for n in range(leads)]
    assert {row.outcome for row in attempts} == {"human"}


async def test_machines_and_people_are_told_apart(shared: SharedSite, tmp_path: Path) -> None:
    """By AMD on real audio: a machine talks on, a person says a word, and one who says nothing is a person.

    The machine also when the engine is away from the dial to the end: Asterisk's record has the verdict. What people
    heard then was the fallback, which is not the call they were to have.
    """
    async with shared() as (peer, site), opened(tmp_path) as campaign:
        for n, plan in enumerate((Plan(speech_ms=8000), Plan(speech_ms=600), Plan())):
            peer.expect(number(n), plan, replace(plan, hang_up_s=6.0))
        async with engine(site):
            await campaign.campaign(3, name="watched", machines="detect")
            async with working(site, campaign):
                await campaign.until_state("finished", name="watched")
        await campaign.campaign(3, name="away", machines="detect")
        async with working(site, campaign):
            await until(lambda: len(peer.calls) == 6)
        await until(lambda: all(call.ended_at is not None for call in peer.calls))
        async with working(site, campaign):
            await campaign.until_state("finished", name="away")
        attempts = sorted(await campaign.attempts(), key=lambda row: (row.campaign_id, row.phone))
    told = [(row.outcome, row.settled_by) for row in attempts]
    assert told == [
        *((outcome, "events") for outcome in ("machine", "human", "human")),
        *((outcome, "cdr") for outcome in ("machine", "unknown", "unknown")),
    ]


async def test_the_end_while_six_phones_ring_leaves_nobody_a_line_without_a_voice(
    shared: SharedSite, tmp_path: Path
) -> None:
    """Whoever talks is served, who rings is hung up and called again later, nobody is dialled any more."""
    async with shared() as (peer, site), opened(tmp_path) as campaign:
        peer.expect(number(0), Plan(answer_s=0.1, hang_up_s=4.0))
        for n in range(1, 20):
            peer.expect(number(n), Plan(answer_s=3.0), Plan(answer_s=0.1, hang_up_s=0.3))
        async with engine(site):
            await campaign.campaign(20, machines="off", channels=7, max_attempts=1, retry_after_s=1)
            async with working(site, campaign) as (worker, _):
                watched = worker._dialer.watched
                await until(lambda: len(peer.calls) == 7 and any(each.answered_at_ms for each in watched.values()))
                worker.stop_claiming()
                await worker.give_back()
                await worker.calls_ended(10)
                assert worker.in_flight == 0
            assert len(peer.calls) == 7
            assert Counter(call.answered_at is not None for call in peer.calls) == {True: 1, False: 6}
            assert Counter(row.outcome for row in await campaign.attempts()) == {"human": 1, "cancelled": 6}
            async with working(site, campaign):
                await campaign.until_state("finished")
        outcomes = Counter(row.outcome for row in await campaign.attempts())
    assert outcomes == {"human": 20, "cancelled": 6}
    assert Counter(call.answered_at is not None for call in peer.calls) == {True: 20, False: 6}


async def test_an_asterisk_that_dies_takes_its_calls_and_no_lead(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path
) -> None:
    leads = 20
    async with SipPeer() as peer, opened(tmp_path) as campaign:
        site = make_site(trunk_port=peer.port)
        first = await start_asterisk(site)
        for n in range(leads):
            peer.expect(number(n), Plan(answer_s=0.3, hang_up_s=0.5))
        async with engine(site):
            await campaign.campaign(leads, machines="off", channels=5, max_attempts=3)
            async with working(site, campaign) as (worker, ami):
                await until(lambda: worker.in_flight >= 3 and len(peer.calls) >= 8)
                os.kill(first.pid, signal.SIGKILL)
                await until(lambda: not ami.up)
                await first.wait()
                await start_asterisk(site)
                await campaign.until_state("finished")
        attempts = await campaign.attempts()
    rung = Counter(call.number for call in peer.calls)
    assert max(rung.values()) == 1
    assert len(attempts) == leads
    outcomes = Counter(row.outcome for row in attempts)
    assert outcomes.keys() == {"human", "unknown"}
    # An Asterisk that dies between the Originate and the INVITE rings nobody, and nobody can know.
    assert leads - len(rung) <= outcomes["unknown"] <= 5
