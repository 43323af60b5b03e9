"""`ivr up` in the middle of a campaign when things die: nobody is rung twice for one attempt, every attempt is settled.

The operator is a SIP peer that is not ours; what it was sent is the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ivr.asterisk import running
from ivr.settings import Site
from tests.edges.campaign_site import CampaignSite, number, opened
from tests.edges.waiting import PATIENCE_S, until
from tests.live.conftest import NewSite
from tests.live.sip_peer import Key, Plan, SipPeer
from tests.live.site_process import DOWN, UP, Proxy, SiteProcess, changed, run_ivr

LEADS, CHANNELS = 30, 6

Start = Callable[[Site], Awaitable[running.Running]]


@contextlib.asynccontextmanager
async def operator(*refused: int, listen_s: float = 0.3) -> AsyncIterator[SipPeer]:
    """Subscribers who answer at once and listen so long or a little longer; `refused` are busy on the first call."""
    async with SipPeer() as peer:
        for n in range(LEADS):
            person = Plan(answer_s=0.1, hang_up_s=listen_s + n % 5 / 5)
            peer.expect(number(n), *([Plan(answer_s=0.1, refuse=486)] if n in refused else []), person)
        yield peer


@contextlib.asynccontextmanager
async def campaign_of(site: Site, leads: int = LEADS, **rules: Any) -> AsyncIterator[CampaignSite]:
    """A running campaign in the site's database."""
    site.var.mkdir(exist_ok=True)
    async with opened(site.var) as campaign:
        own: dict[str, Any] = {"machines": "off", "channels": CHANNELS, "calls_per_second": 20} | rules
        await campaign.campaign(leads, **own)
        yield campaign


def account(peer: SipPeer, attempts: Sequence[Any]) -> Counter[str]:
    """Outcomes of all attempts, when the peer's INVITEs and the database agree about them."""
    invited = Counter(call.number for call in peer.calls)
    made = Counter(row.phone[1:] for row in attempts)
    assert made.keys() == {number(n) for n in range(LEADS)}
    assert None not in {row.outcome for row in attempts}
    for phone, count in made.items():
        unknown = sum(row.outcome == "unknown" for row in attempts if row.phone[1:] == phone)
        assert count - unknown <= invited[phone] <= count, f"{phone}: {invited[phone]} INVITEs, {count} attempts"
    assert {row.lead_state for row in attempts} == {"done"}
    return Counter(row.outcome for row in attempts)


async def test_the_link_is_cut_while_it_dials(new_site: NewSite, start_asterisk: Start) -> None:
    """Somebody else's Asterisk, and a network between that loses the answers to what was sent."""
    async with operator(3, 17) as peer:
        site = new_site(peer.port)
        await start_asterisk(site)
        proxy = Proxy(site.settings.asterisk.ami_port)
        async with proxy.running() as port:
            site = changed(site, mode="external", ami_port=port)
            async with campaign_of(site, max_attempts=2) as campaign, SiteProcess(site):
                for calls in (4, 12, 20):
                    await until(lambda: len(peer.calls) >= calls)  # noqa: B023 - awaited at once
                    cuts = proxy.cuts
                    proxy.cut_after = 1
                    await until(lambda: proxy.cuts > cuts)  # noqa: B023
                await campaign.until_state("finished")
                outcomes = account(peer, await campaign.attempts())
    assert proxy.cuts == 3
    assert outcomes["busy"] == 2
    assert outcomes["human"] >= LEADS - 3
    assert outcomes["unknown"] <= 3


async def test_asterisk_dies(new_site: NewSite) -> None:
    """The engine starts it again; the calls that died with it are unknown, and nobody is called twice."""
    async with operator(2) as peer:
        site = new_site(peer.port)
        async with campaign_of(site, max_attempts=2) as campaign, SiteProcess(site) as process:
            await until(lambda: len(peer.calls) >= 10)
            first = process.asterisk_pid()
            assert first
            os.kill(first, signal.SIGKILL)
            await until(lambda: process.asterisk_pid() not in (first, None))
            await campaign.until_state("finished")
            outcomes = account(peer, await campaign.attempts())
            process.signal(signal.SIGINT)
            assert await process.ended() == 0
    assert outcomes.keys() <= {"human", "unknown", "busy"}
    assert outcomes["unknown"] <= CHANNELS


async def test_the_engine_is_killed_twice(new_site: NewSite) -> None:
    """Once with `ivr up`, once alone. Asterisk keeps the calls and has a voice for each; the next engine finds Asterisk
    and them, and settles what it did not see.
    """
    async with operator(1, 11, listen_s=1.2) as peer:
        site = new_site(peer.port)
        async with campaign_of(site, max_attempts=2) as campaign, SiteProcess(site) as process:
            asterisk = process.asterisk_pid()
            await until(lambda: len(peer.calls) >= 8)
            process.signal(signal.SIGKILL)
            await process.ended()
            await process.start()
            await process.prints(UP)
            await until(lambda: len(peer.calls) >= 18)
            await process.loses_its_engine()
            assert process.asterisk_pid() == asterisk
            await campaign.until_state("finished")
            outcomes = account(peer, await campaign.attempts())
    assert all(call.media.received for call in peer.calls if call.answered_at)
    assert outcomes.keys() <= {"human", "unknown", "busy"}
    assert outcomes["unknown"] <= 2 * CHANNELS


async def test_ctrl_c_twice_and_up_again(new_site: NewSite) -> None:
    """The first ends the dialling, the second the calls; nothing is left running, and the rest is dialled later."""
    async with operator() as peer:
        for n in range(LEADS):
            peer.expect(number(n), Plan(answer_s=0.1, hang_up_s=20 if n == 5 else 0.5))
        site = new_site(peer.port)
        async with campaign_of(site) as campaign, SiteProcess(site) as process:
            # Who hears the engine is known by it to have answered.
            await until(lambda: any(call.number == number(5) and call.media.received for call in peer.calls))
            process.signal(signal.SIGINT)
            await process.prints("Ctrl-C again")
            process.signal(signal.SIGINT)
            assert await process.ended() == 0
            assert DOWN in process.output
            assert process.asterisk_pid() is None
            dialled = len(peer.calls)
            assert dialled < LEADS
            await process.start()
            await campaign.until_state("finished")
            outcomes = account(peer, await campaign.attempts())
    # A phone that rang was given back: it is called once more.
    assert outcomes.keys() <= {"human", "unknown", "cancelled"}
    assert outcomes["human"] + outcomes["unknown"] == LEADS
    assert max(Counter(call.number for call in peer.calls if call.answered_at).values()) == 1


async def test_pause_resume_and_stop_from_another_terminal(new_site: NewSite) -> None:
    async with operator() as peer:
        # More than can be called before the last command comes.
        peer.default = Plan(answer_s=0.1, hang_up_s=0.5)
        site = new_site(peer.port)
        async with campaign_of(site, 300, channels=2) as campaign, SiteProcess(site) as process:
            await until(lambda: len(peer.calls) >= 4)
            assert (await run_ivr("campaign", "pause", "sony", site=site.folder))[0] == 0
            paused = len(peer.calls)
            await until(lambda: all(call.ended_at for call in peer.calls))
            # A claim that was committed before the pause may still be on its way.
            assert len(peer.calls) <= paused + 2
            paused = len(peer.calls)
            assert (await run_ivr("campaign", "resume", "sony", site=site.folder))[0] == 0
            await until(lambda: len(peer.calls) >= paused + 4)
            assert (await run_ivr("campaign", "stop", "sony", site=site.folder))[0] == 0
            await until(lambda: all(call.ended_at for call in peer.calls))
            stopped = len(peer.calls)
            process.signal(signal.SIGTERM)
            assert await process.ended() == 0
            attempts = await campaign.attempts()
    assert len(peer.calls) == stopped < 300
    assert sorted(row.phone[1:] for row in attempts) == sorted(call.number for call in peer.calls)
    assert {row.outcome for row in attempts} == {"human"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with 60 MB of room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ("mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder)
    mounting = subprocess.run(command, check=False, capture_output=True)
    if mounting.returncode:
        pytest.skip("only root may make a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left; the file that takes it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            # The last page, too.
            file.write(b"x" * 4096)
    return filler


async def test_the_disk_is_full_for_a_while(new_site: NewSite, small_disk: Path) -> None:
    """Calls go on, nobody new is called, and all is written down when there is room again."""
    async with operator(2) as peer:
        site = new_site(peer.port)
        shutil.copytree(site.var, small_disk, dirs_exist_ok=True)
        shutil.rmtree(site.var)
        site.var.symlink_to(small_disk)
        async with campaign_of(site, max_attempts=2) as campaign, SiteProcess(site) as process:
            await until(lambda: len(peer.calls) >= 8)
            filler = fill(small_disk)
            await process.prints("ledger_refuses")
            hotline = ("127.0.0.1", site.settings.asterisk.sip_port)
            plan = Plan(keys=(Key("1", after_packets=50),), hang_up_packets=150)
            shopper = peer.dial(hotline, "+74950000001", caller="+79160009999", plan=plan)
            await asyncio.wait_for(shopper.ended.wait(), PATIENCE_S)
            assert shopper.hung_up_by == "us"
            peer.calls.remove(shopper)
            filler.unlink()
            await campaign.until_state("finished")
            outcomes = account(peer, attempts := await campaign.attempts())
            await process.stops()
        _, calls = await run_ivr("calls", "--phone", "+79160009999", site=site.folder)
    unknown = [row for row in attempts if row.outcome == "unknown"]
    assert outcomes == {"human": LEADS, "busy": 1}, f"{unknown}\n{process.output}"
    assert "heard hotline.welcome" in calls
    assert "Traceback" not in process.output
