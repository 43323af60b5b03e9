"""`ivr up` told to stop, or killed, or frozen, with phones ringing and callers on the line: nobody meets silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from ivr.asterisk import conf, program, running
from ivr.settings import Site
from tests.edges.campaign_site import CampaignSite, number, opened
from tests.edges.waiting import PATIENCE_S, until
from tests.live.conftest import NewSite
from tests.live.sip_peer import Call, Plan, SipPeer
from tests.live.site_process import DOWN, UP, SiteProcess, run_ivr
from tests.live.test_fallback import noting

RINGING = 6
TALKER = number(RINGING)


@contextlib.asynccontextmanager
async def dialling(site: Site, leads: int) -> AsyncIterator[CampaignSite]:
    site.var.mkdir(exist_ok=True)
    async with opened(site.var) as campaign:
        await campaign.campaign(leads, machines="off", channels=leads, calls_per_second=20, retry_after_s=1)
        yield campaign


def shopper(peer: SipPeer, site: Site, n: int, plan: Plan) -> Call:
    address = ("127.0.0.1", site.settings.asterisk.sip_port)
    return peer.dial(address, "+74950000001", caller=f"+7916900{n:04}", plan=plan)


def calls_to(peer: SipPeer, *numbers: str) -> list[Call]:
    """All that came in, or those to some numbers."""
    return [call for call in peer.calls if call.direction == "in" and (not numbers or call.number in numbers)]


class OnTerminal:
    """`ivr up` on a terminal of its own, which is closed as a lost connection closes it."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __aenter__(self) -> OnTerminal:
        self._ours, theirs = os.openpty()
        take = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        words = (sys.executable, "-m", "app", "up", "--site", str(self._site.folder))
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", take, *words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        output = b""
        async with asyncio.timeout(PATIENCE_S):
            while UP.encode() not in output:
                output += await asyncio.to_thread(os.read, self._ours, 4096)
        return self

    def stop(self) -> None:
        """The kernel sends SIGHUP, and whatever is printed fails."""
        os.close(self._ours)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if (left := running.adopt(conf.site_home(self._site), program.install())) is not None:
            await left.stop()


class OnPipe(SiteProcess):
    def stop(self) -> None:
        # A shutting-down machine and an impatient one send it more than once.
        self.signal(signal.SIGTSTP)
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGTERM)


@pytest.fixture
async def systemd(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """What the processes of a test tell systemd, which starts them."""
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0ivr-test-{os.getpid()}")
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@ivr-test-{os.getpid()}")
        loop = asyncio.get_running_loop()
        loop.add_reader(listening, lambda: heard.extend(listening.recv(1000).decode().splitlines()))
        yield heard
        loop.remove_reader(listening)


async def test_systemd_ends_it_while_six_phones_ring(new_site: NewSite, systemd: list[str]) -> None:
    await stop_while_six_phones_ring(new_site, OnPipe)
    # Asterisk, which would speak for us, kept silent: it was ready once, and once more when it was started again.
    assert (systemd.count("READY=1"), systemd.count("STOPPING=1")) == (2, 2)
    assert systemd.index("READY=1") < systemd.index("STOPPING=1")
    assert systemd.count("WATCHDOG=1") > 3


async def test_the_terminal_is_closed_while_six_phones_ring(new_site: NewSite) -> None:
    await stop_while_six_phones_ring(new_site, OnTerminal)


async def stop_while_six_phones_ring(new_site: NewSite, how: type[OnPipe | OnTerminal]) -> None:
    """None of them is answered by nobody, all are called later; who talks goes on, who calls hears the fallback."""
    async with SipPeer() as peer:
        for n in range(RINGING):
            peer.expect(number(n), Plan(answer_s=None), Plan(answer_s=0.1, hang_up_packets=50))
        peer.expect(TALKER, Plan(answer_s=0.1, hang_up_s=7))
        site = new_site(peer.port)
        async with dialling(site, RINGING + 1) as campaign:
            async with how(site) as process:
                await until(lambda: sum(call.rang.is_set() for call in calls_to(peer)) == RINGING + 1)
                [talker] = calls_to(peer, TALKER)
                await until(lambda: talker.media.received > 20)
                process.stop()
                stopped_at = time.time()
                await until(lambda: sum(call.status == 487 for call in peer.calls) == RINGING)
                assert talker.ended_at is None
                caller = shopper(peer, site, 1, Plan(hang_up_packets=100))
                await asyncio.wait_for(caller.ended.wait(), PATIENCE_S)
                assert await process.ended() == 0
            assert running.running_pid(conf.site_home(site)) is None
            assert talker.hung_up_by == "us"
            assert caller.hung_up_by == "us"
            assert [call for call in calls_to(peer) if call.invited_at > stopped_at] == []
            attempts = Counter(row.outcome for row in await campaign.attempts())
            assert attempts == {"cancelled": RINGING, "human": 1}
            async with SiteProcess(site) as again:
                await campaign.until_state("finished")
                await again.stops()
            attempts = Counter(row.outcome for row in await campaign.attempts())
    assert attempts == {"cancelled": RINGING, "human": RINGING + 1}
    rung = Counter(call.number for call in calls_to(peer))
    assert rung == {**{number(n): 2 for n in range(RINGING)}, TALKER: 1}
    assert [call.number for call in calls_to(peer) if call.answered_at and call.media.received < 20] == []
    if isinstance(process, SiteProcess):
        assert "Ctrl-Z would freeze" in process.output
        assert DOWN in process.output


async def test_the_engine_is_killed_while_phones_ring(new_site: NewSite) -> None:
    """The orphaned Asterisk has a voice for everybody; the next engine counts none of them as reached."""
    async with SipPeer() as peer:
        for n in range(RINGING):
            peer.expect(number(n), Plan(answer_s=5))
        site = new_site(peer.port)
        async with dialling(site, RINGING) as campaign, SiteProcess(site) as process:
            prepared = conf.fallback_folder(site) / "ru" / "promo.alaw"
            await until(lambda: sum(call.rang.is_set() for call in peer.calls) == RINGING and prepared.exists())
            process.signal(signal.SIGKILL)
            await process.ended()
            assert not any(call.answered_at for call in peer.calls)
            await asyncio.wait_for(asyncio.gather(*(call.ended.wait() for call in peer.calls)), PATIENCE_S)
            await process.start()
            await campaign.until_state("finished")
            await process.stops()
            attempts = await campaign.attempts()
    packets = prepared.stat().st_size // 160
    assert [call.hung_up_by for call in peer.calls] == ["them"] * RINGING
    assert all(call.media.received >= packets - 5 for call in peer.calls)
    assert Counter(row.outcome for row in attempts) == {"unknown": RINGING}


CALLERS = 40
#: The least that an engine can be given.
HUNG_AFTER_S = 6


async def test_forty_callers_and_an_engine_that_freezes(new_site: NewSite) -> None:
    """First its Asterisk; then the engine: its callers hear the fallback. Either is ended and started again."""
    async with SipPeer() as peer:
        site = new_site(peer.port, agi__hung_after_s=HUNG_AFTER_S, asterisk__hung_after_s=HUNG_AFTER_S)
        home = conf.site_home(site)
        async with SiteProcess(site) as process:
            first = process.asterisk_pid()
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            await until(lambda: process.asterisk_pid() not in (None, first))
            prepared = conf.fallback_folder(site) / "ru" / "goodbye.alaw"
            await until(prepared.exists)
            async with asyncio.timeout(PATIENCE_S):
                while not await running.answers(home, 1):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            calls = [shopper(peer, site, n, Plan()) for n in range(CALLERS)]
            await until(lambda: all(call.media.received > 20 for call in calls))
            frozen, watchdog = process.engine_pid(), process.watchdog_pid()
            os.kill(frozen, signal.SIGSTOP)
            os.kill(watchdog, signal.SIGSTOP)
            # The dialplan sees that the engine's file is old, although nobody has ended the engine.
            long_ago = time.time() - conf.stale_after_s(site) - 2
            os.utime(site.var / conf.ALIVE, (long_ago, long_ago))
            late = shopper(peer, site, CALLERS, Plan())
            await until(lambda: late.media.received > 20)
            assert process.engine_pid() == frozen
            os.kill(watchdog, signal.SIGCONT)
            await process.prints("was ended by SIGKILL; it is started again")
            heard = [call.media.received for call in calls]
            await until(lambda: all(call.media.received > n for call, n in zip(calls, heard, strict=True)))
            assert noting(site) == 0
            assert all(call.ended_at is None for call in calls)
            for call in (*calls, late):
                call.hang_up()
            await until(lambda: process.output.count(UP) == 2)
            process.signal(signal.SIGKILL)
            await process.ended()
            # Nobody is left who would start it again.
            second = process.asterisk_pid()
            assert second is not None
            os.kill(second, signal.SIGSTOP)
            status, said = await run_ivr("doctor", site=site.folder)
    assert f"did not move for {HUNG_AFTER_S} s" in process.output
    assert "asterisk_hung" in process.output
    assert status == 1
    assert f"Asterisk (process {second}) does not answer" in said, said
