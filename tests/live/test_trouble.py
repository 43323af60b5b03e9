"""`ivr up` with calls in progress and trouble beside them: the calls go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable

from ivr.asterisk import running
from ivr.settings import Site
from tests.edges.waiting import PATIENCE_S, until
from tests.live.conftest import ENGINE, MakeSite, NewSite
from tests.live.sip_peer import Call, Key, Plan, SipPeer
from tests.live.site_process import SiteProcess, changed, run_ivr

Start = Callable[[Site], Awaitable[running.Running]]


def shopper(peer: SipPeer, site: Site, n: int, plan: Plan) -> Call:
    """A call to the hotline."""
    address = ("127.0.0.1", site.settings.asterisk.sip_port)
    return peer.dial(address, "+74950000001", caller=f"+7916000{n:04}", plan=plan)


async def test_audio_that_vanishes_is_made_again(new_site: NewSite) -> None:
    async with SipPeer() as peer:
        site = new_site(peer.port)
        async with SiteProcess(site) as process:
            first = shopper(peer, site, 1, Plan())
            await until(lambda: first.media.received >= 50)
            for clip in site.audio.glob("??/*.*"):
                clip.unlink()
            first.press("1")
            # What is being played goes on to the key; then the next sentence has to be made first.
            heard = first.media.received
            await until(lambda: first.media.received >= heard + 120)
            assert first.ended_at is None
            first.hang_up()
            second = shopper(peer, site, 2, Plan(keys=(Key("1", after_packets=50),), hang_up_packets=150))
            await asyncio.wait_for(second.ended.wait(), PATIENCE_S)
            await process.stops()
        _, calls = await run_ivr("calls", site=site.folder)
    assert second.hung_up_by == "us"
    # On a slow machine the first sentence may be made too late for the first caller, and is left out.
    story = calls.rpartition(" inbound ")[2]
    assert "heard hotline.welcome" in story, calls
    assert "fault" not in story, calls


async def test_ctrl_c_while_speech_is_being_made(make_site: MakeSite) -> None:
    site = make_site({"prompts.engine": ENGINE}, trunk_port=9)
    async with SiteProcess(site, until_up=False) as process:
        # Speech is made at a low priority: on a busy machine the first clip is a while in coming.
        await until(lambda: any(site.audio.glob("??/*.alaw")))
        process.signal(signal.SIGINT)
        assert await process.ended() == 130
        assert process.asterisk_pid() is None
    assert "Stopped before the site was up." in process.output
    # What was stopped is not said to be there.
    assert "fragments:" not in process.output
    assert "Traceback" not in process.output


async def test_an_asterisk_that_knows_another_secret(new_site: NewSite, start_asterisk: Start) -> None:
    async with SipPeer() as peer:
        site = new_site(peer.port)
        await start_asterisk(site)
        changed(site, mode="external")
        (site.folder / "secrets.toml").write_text('ami_secret = "other"\n')
        status, output = await run_ivr("up", site=site.folder)
    assert status == 1
    assert "Authentication failed" in output
    assert "Traceback" not in output


async def test_bad_peers_of_fastagi_disturb_no_call(new_site: NewSite) -> None:
    """Connect and close, send garbage, stall in the headers, never read: beside callers who hear their menu."""
    async with SipPeer() as peer:
        site = new_site(peer.port)
        agi = site.settings.agi
        async with SiteProcess(site) as process, contextlib.AsyncExitStack() as held:
            calls = [
                shopper(peer, site, n, Plan(keys=(Key("1", after_packets=100),), hang_up_packets=300)) for n in range(5)
            ]
            await until(lambda: all(call.media.received >= 20 for call in calls))
            for n in range(200):
                _, writer = await asyncio.open_connection(agi.host, agi.port)
                if n % 5 == 1:
                    writer.write(os.urandom(4096) * 8)
                elif n % 5 == 2:
                    writer.write(b"agi_network: yes\nagi_request: " + b"x" * 100_000)
                elif n % 5 == 3:
                    writer.write(b"agi_network: yes\nagi_network_script: inbound\n\n\xff\xfe\0200 result=\n" * 50)
                if n % 5 in (2, 4):
                    # They stay, and say no more.
                    held.callback(writer.close)
                    continue
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                writer.close()
            await asyncio.wait_for(asyncio.gather(*(call.ended.wait() for call in calls)), PATIENCE_S)
            last = shopper(peer, site, 9, Plan(hang_up_packets=50))
            await asyncio.wait_for(last.ended.wait(), PATIENCE_S)
            await process.stops()
        status, story = await run_ivr("calls", site=site.folder)
    assert [call.hung_up_by for call in (*calls, last)] == ["us"] * 6
    assert status == 0
    assert story.count("hotline.welcome") == len(calls), story
    assert "Traceback" not in process.output
