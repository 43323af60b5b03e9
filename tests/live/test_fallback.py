"""A real Asterisk without an engine: whoever calls or is called hears a voice, and no wish for a call is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from ivr.asterisk import conf, running
from ivr.fallback.call_back import CallBack
from ivr.fallback.prepare import prepare_fallback
from ivr.settings import Site
from outbound.gateway.ami import Ami
from tests.edges.disk_voice import DiskVoice
from tests.edges.waiting import PATIENCE_S, until
from tests.live.conftest import MakeSite
from tests.live.sip_peer import Call, Key, Plan, SipPeer

Start = Callable[[Site], Awaitable[running.Running]]

CALLERS = 40


def noting(site: Site) -> int:
    """Processes that note a wish for this site."""
    command = "\0".join(conf.fallback_command(site)).encode()
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            count += command in (folder / "cmdline").read_bytes()
    return count


async def ready(site: Site, folder: Path) -> None:
    voice = DiskVoice(folder / "audio", {"fallback.apology": (3000,), "fallback.promo": (2000,)})
    assert await prepare_fallback(voice, conf.fallback_folder(site)) == ()
    site.spool.mkdir(parents=True, mode=0o700)


def shopper(peer: SipPeer, site: Site, n: int, plan: Plan) -> Call:
    return peer.dial(
        ("127.0.0.1", site.settings.asterisk.sip_port), "+74950000001", caller=f"+7916000{n:04}", plan=plan
    )


async def test_forty_callers_without_an_engine(make_site: MakeSite, start_asterisk: Start, tmp_path: Path) -> None:
    """They cost no process until they wish to be called back, then four at a time; nobody waits in silence."""
    async with SipPeer() as peer:
        site = make_site(trunk_port=peer.port)
        await ready(site, tmp_path)
        asterisk = await start_asterisk(site)
        calls = [shopper(peer, site, n, Plan()) for n in range(CALLERS)]
        await until(lambda: all(call.media.received > 50 for call in calls))
        assert noting(site) == 0
        most = 0

        async def count() -> None:
            nonlocal most
            while True:
                most = max(most, await asyncio.to_thread(noting, site))

        counting = asyncio.create_task(count())
        for call in calls:
            call.press("1")
        # Two of them don't wait for their turn.
        await until(lambda: all(call.keys for call in calls))
        # Who hangs up before his key was taken has no wish.
        for call in calls[-2:]:
            await past_the_key(asterisk, call)
            call.hang_up()
        await asyncio.wait_for(asyncio.gather(*(call.ended.wait() for call in calls)), PATIENCE_S)
        await until(lambda: len(list(site.spool.glob("*.json"))) >= CALLERS)
        counting.cancel()
        noted = [CallBack.read(path) for path in site.spool.glob("*.json")]
        modes = {path.stat().st_mode & 0o077 for path in site.spool.glob("*.json")}
        errors = [line for line in running.errors_in(asterisk.home.messages) if "res_agi.c" not in line]
    assert 1 <= most <= conf.NOTING_AT_ONCE
    assert {(wish.phone, wish.dialled, wish.language) for wish in noted} == {
        (call.caller, "+74950000001", "ru") for call in calls
    }
    assert modes == {0}
    # The goodbye was Asterisk's, after the confirmation.
    assert {call.hung_up_by for call in calls[:-2]} == {"them"}
    assert errors == []


async def past_the_key(asterisk: running.Running, call: Call) -> None:
    """Return when the dialplan has taken the caller's key."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            channels = [line.split("!") for line in (await asterisk.command("core show channels concise")).splitlines()]
            # The application that each channel is in, and its caller.
            if all(cells[5] in ("Wait", "Playback", "AGI") for cells in channels if call.caller in cells):
                return


@contextlib.asynccontextmanager
async def manager(site: Site) -> AsyncIterator[Ami]:
    settings = site.settings.asterisk
    ami = Ami(
        host=settings.ami_host,
        port=settings.ami_port,
        username=settings.ami_user,
        secret=site.secrets.ami_secret.get_secret_value(),
    )
    await ami.open()
    yield ami
    await ami.aclose()


async def test_who_answers_or_calls_while_the_engine_hangs(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path
) -> None:
    """The kernel takes connections for a stopped engine; its file, not renewed, sends everybody to the fallback."""
    async with SipPeer() as peer, contextlib.AsyncExitStack() as stack:
        site = make_site({"destinations.operator": "+74950000009"}, trunk_port=peer.port)
        await ready(site, tmp_path)
        await start_asterisk(site)
        agi = site.settings.agi
        asked: list[asyncio.StreamWriter] = []

        def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(writer)
            stack.callback(writer.close)

        server = await asyncio.start_server(keep, agi.host, agi.port)
        stack.callback(server.close)
        alive = site.var / conf.ALIVE
        alive.parent.mkdir(parents=True)
        alive.touch()
        engine = shopper(peer, site, 3, Plan())
        await until(lambda: asked)
        engine.hang_up()
        os.utime(alive, (1_600_000_000, 1_600_000_000))
        peer.expect("74950000009", Plan(answer_s=0.1, hang_up_s=1))
        peer.expect("79160000001", Plan(answer_s=0.1))
        talks = shopper(peer, site, 1, Plan(keys=(Key("0", after_packets=20),)))
        silent = shopper(peer, site, 2, Plan())
        withheld = peer.dial(
            ("127.0.0.1", site.settings.asterisk.sip_port), "+74950000001", caller="anonymous",
            plan=Plan(keys=(Key("1", after_packets=20),)),
        )  # fmt: skip
        ami = await stack.enter_async_context(manager(site))

        async def rung(attempt: str) -> Call:
            fields = {"Action": "Originate", "ActionID": attempt, "ChannelId": attempt, "Context": "promo"}
            fields |= {"Channel": "PJSIP/79160000001@trunk", "Exten": "direct", "Priority": "1", "Async": "true"}
            known = len(peer.calls)
            await ami.action({**fields, "Timeout": "5000", "Variable": "IVR_LANGUAGE=uk"})
            await until(lambda: any(call.number == "79160000001" for call in peer.calls[known:]))
            call = next(call for call in peer.calls[known:] if call.number == "79160000001")
            await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
            return call

        told = await rung("a1")
        shutil.rmtree(conf.fallback_folder(site))
        toned = await rung("a2")
        await asyncio.wait_for(asyncio.gather(*(call.ended.wait() for call in (talks, silent, withheld))), PATIENCE_S)
        records = (conf.site_home(site).log / "cdr-custom" / "ivr.csv").read_text("utf-8").splitlines()
    # Nobody was brought to it but the one who called while the file was new.
    assert len(asked) == 1
    assert any(call.number == "74950000009" and call.answered_at for call in peer.calls)
    assert list(site.spool.iterdir()) == []
    assert silent.hung_up_by == withheld.hung_up_by == "them"
    assert silent.media.received >= 150
    assert 90 <= told.media.received <= 150
    # Without its file there is a tone.
    assert toned.media.received >= 100
    assert [line.endswith(",1") for line in records if '"a' in line] == [True, True]
