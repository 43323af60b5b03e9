"""The site's Asterisk: quick to start, quiet in its log, closed to strangers, gone when stopped."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import Awaitable, Callable

import pytest

from faults import MachineError
from ivr.asterisk import conf, ports, running
from ivr.asterisk.program import Program
from ivr.settings import Site
from tests.edges.waiting import PATIENCE_S
from tests.live.conftest import MakeSite, SharedSite
from tests.live.sip_peer import Call, SipPeer

Start = Callable[[Site], Awaitable[running.Running]]

#: A trunk that nobody listens on; these tests need none.
NOBODY = 9


PLAIN: dict[str, object] = {}
FULL: dict[str, object] = {
    "trunk.user": "shop",
    "trunk.register": True,
    "trunk.codec": "g722",
    "trunk.caller_id": "+74950000000",
    "asterisk.public_host": "203.0.113.7",
    "agi.second": "127.0.0.1:9",
}


@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "full"])
async def test_starts_with_a_quiet_log(make_site: MakeSite, start_asterisk: Start, settings: dict[str, object]) -> None:
    async with SipPeer() as peer:
        site = make_site(settings, trunk_port=peer.port, trunk_secret="s")
        asterisk = await start_asterisk(site)
        dialplan = await asterisk.command("dialplan show")
    assert "'from-trunk'" in dialplan and "'promo'" in dialplan
    assert running.errors_in(asterisk.home.messages) == []


async def test_calls_may_finish_before_it_stops(make_site: MakeSite, start_asterisk: Start) -> None:
    async with SipPeer() as peer:
        site = make_site(trunk_port=peer.port)
        asterisk = await start_asterisk(site)
        address = ("127.0.0.1", site.settings.asterisk.sip_port)
        call = peer.dial(address, "100", caller="1")
        await call.answered.wait()
        stopping = asyncio.create_task(asterisk.stop(grace_s=2 * PATIENCE_S))
        async with asyncio.timeout(PATIENCE_S):
            while await _is_taken(peer.dial(address, "100", caller="2")):
                pass
        assert call.ended_at is None
        assert asterisk.alive
        call.hang_up()
        await asyncio.wait_for(stopping, PATIENCE_S)
    assert not asterisk.alive


async def _is_taken(call: Call) -> bool:
    """Whether the call was answered; then it is hung up."""
    answered, ended = (asyncio.create_task(event.wait()) for event in (call.answered, call.ended))
    await asyncio.wait([answered, ended], return_when=asyncio.FIRST_COMPLETED)
    call.hang_up()
    answered.cancel()
    await ended
    return call.answered_at is not None


async def test_stop_leaves_nothing(make_site: MakeSite, start_asterisk: Start) -> None:
    site = make_site(trunk_port=NOBODY)
    asterisk = await start_asterisk(site)
    group = os.getpgid(asterisk.pid)
    assert group == asterisk.pid
    await asterisk.stop()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert running.adopt(asterisk.home, asterisk.program) is None
    ports.check_ports(conf.site_ports(site))


async def test_a_stuck_asterisk_is_killed(
    make_site: MakeSite, start_asterisk: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TERM_PATIENCE_S", 0.3)
    asterisk = await start_asterisk(make_site(trunk_port=NOBODY))
    os.kill(asterisk.pid, 19)  # SIGSTOP: it hears no SIGTERM
    await asterisk.stop()
    assert not asterisk.alive


async def test_a_second_engine_adopts_it_and_restarts_it_when_settings_change(
    make_site: MakeSite, start_asterisk: Start
) -> None:
    site = make_site(trunk_port=NOBODY)
    first = await start_asterisk(site)
    again = await start_asterisk(site)
    assert (again.pid, again.adopted) == (first.pid, True)
    trunk = site.settings.trunk.model_copy(update={"caller_id": "1", "codec": "ulaw"})
    changed = site.model_copy(update={"settings": site.settings.model_copy(update={"trunk": trunk})})
    fresh = await start_asterisk(changed)
    assert fresh.pid != first.pid
    assert not first.alive
    assert "(ulaw|alaw)" in await fresh.command("pjsip show endpoint trunk")


_STARTER = """
import asyncio, sys, time
from pathlib import Path
from ivr.asterisk import conf, ports, program, running
from ivr.settings_files import load_site

site = load_site(Path(sys.argv[1]))
found = program.find("embedded")
files = conf.site_files(site, found)
asyncio.run(running.ensure(conf.site_home(site), found, files, conf.site_ports(site)))
print("ready", flush=True)
time.sleep(600)
"""


async def test_calls_outlive_an_engine_that_is_killed(make_site: MakeSite, start_asterisk: Start) -> None:
    async with SipPeer() as peer, asyncio.timeout(PATIENCE_S):
        site = make_site(trunk_port=peer.port)
        engine = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _STARTER, str(site.folder), stdout=asyncio.subprocess.PIPE
        )
        assert engine.stdout is not None
        async for line in engine.stdout:
            if line == b"ready\n":
                break
        else:
            pytest.fail("the engine ended before Asterisk was ready")
        # The fallback answers and waits for keys.
        call = peer.dial(("127.0.0.1", site.settings.asterisk.sip_port), "100", caller="1")
        await call.answered.wait()
        engine.kill()
        await engine.wait()
        asterisk = await start_asterisk(site)
        assert asterisk.adopted
        assert call.ended_at is None
        assert "1 active call" in await asterisk.command("core show channels count")
        call.hang_up()


async def test_a_taken_port_is_named(make_site: MakeSite, start_asterisk: Start) -> None:
    site = make_site(trunk_port=NOBODY)
    port = site.settings.asterisk.ami_port
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with pytest.raises(MachineError, match=rf"TCP port {port}"):
            await start_asterisk(site)


async def _ami(site: Site, *lines: str, until: str) -> str:
    """What the manager answers to actions, each a block of lines, up to `until`."""
    asterisk = site.settings.asterisk
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
    login = (
        f"Action: Login\r\nUsername: {asterisk.ami_user}\r\nSecret: {site.secrets.ami_secret.get_secret_value()}\r\n"
    )
    for block in (login, *(line + "\r\n" for line in lines)):
        writer.write(f"{block}\r\n".encode())
    try:
        return (await asyncio.wait_for(reader.readuntil(until.encode()), PATIENCE_S)).decode()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_ami_says_when_it_is_booted_and_may_do_no_more_than_dial(shared: SharedSite) -> None:
    async with shared() as (_, site):
        assert "Authentication accepted" in await _ami(site, until="FullyBooted")
        assert "Channels will follow" in await _ami(site, "Action: CoreShowChannels", until="CoreShowChannelsComplete")
        for action in ("Action: Command\r\nCommand: core show version", "Action: GetConfig\r\nFilename: manager.conf"):
            assert "Permission denied" in await _ami(
                site, action + "\r\nActionID: x", until="ActionID: x\r\nMessage: Permission denied"
            )


async def test_ami_does_not_originate_a_shell(shared: SharedSite) -> None:
    """CVE-2024-42365 and its like: an application that runs commands or writes files."""
    async with shared() as (_, site):
        action = "Action: Originate\r\nChannel: Local/s@promo\r\nApplication: System\r\nData: touch x\r\nAsync: true"
        assert "Originate Access Forbidden" in await _ami(site, action, until="blacklisted")


async def _invite(source: str, site: Site) -> str:
    """The first line that the site's Asterisk answers to an INVITE from `source`; "" when it keeps silent."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    class Caller(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            if not answer.done() and not data.startswith(b"SIP/2.0 100"):
                answer.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Caller, local_addr=(source, 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        sdp = f"v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
        target = f"127.0.0.1:{site.settings.asterisk.sip_port}"
        headers = (
            f"INVITE sip:100@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:{port};branch=z9hG4bK-{port}\r\n"
            f"From: <sip:stranger@{source}>;tag=a\r\nTo: <sip:100@{target}>\r\nCall-ID: {port}@{source}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:stranger@{source}:{port}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
        )
        transport.sendto(headers.encode(), ("127.0.0.1", site.settings.asterisk.sip_port))
        return (await asyncio.wait_for(answer, PATIENCE_S)).decode().splitlines()[0]
    finally:
        transport.close()


async def test_strangers_reach_no_dialplan(shared: SharedSite) -> None:
    async with shared() as (_, site):
        assert re.match(r"SIP/2.0 (401|403|404) ", await _invite("127.0.0.2", site))
        assert not (conf.site_home(site).log / "cdr-custom" / "ivr.csv").exists()


async def test_secrets_are_readable_by_their_owner_alone(shared: SharedSite) -> None:
    async with shared() as (_, site):
        modes = {path.name: path.stat().st_mode & 0o077 for path in conf.site_home(site).etc.iterdir()}
        assert modes and set(modes.values()) == {0}


async def test_its_answer_is_its_version(shared: SharedSite, asterisk_root: Program) -> None:
    async with shared() as (_, site):
        assert asterisk_root.version in await running.console(conf.site_home(site), asterisk_root, "core show version")
