"""The FastAGI server with peers that misbehave, and its good end."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from structlog.testing import capture_logs

from faults import MachineError
from ivr.agi.server import FastAgiServer, Limits
from ivr.agi.session import CallStopped, Session
from ivr.agi.wire import HEADERS_MAX
from tests.edges.fake_asterisk import KEY, FakeAsterisk, opening
from tests.edges.serving import serving
from tests.edges.waiting import PATIENCE_S

PLAY = 'STREAM FILE "/a" "" 0'
DONE = 'SET VARIABLE "IVR_DONE" "1"'


async def play_one(session: Session) -> None:
    """A whole call: one file, and goodbye when the engine stops it."""
    try:
        await session.stream_file("/a")
    except CallStopped:
        if await session.resume(1):
            await session.stream_file("/goodbye")
    session.finish()


async def served(port: int) -> None:
    """A call from its opening to its clean end."""
    async with FakeAsterisk(port) as asterisk:
        await asterisk.says(opening())
        await asterisk.expects(PLAY)
        await asterisk.says("200 result=0 endpos=8")
        await asterisk.expects(DONE)
        await asterisk.expects_end()


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\n",
        b"agi_network: yes\n\n",
        b"agi_uniqueid: 1\nand then something else\n\n",
        b"agi_uniqueid: 1\nagi_arg_1: " + b"x" * HEADERS_MAX,
        b"agi_uniqueid: 1\nagi_arg_1: " + b"x" * HEADERS_MAX + b"\n\n",
    ],
)
async def test_a_peer_that_sends_junk_is_cut_off_and_disturbs_nobody(junk: bytes) -> None:
    async with serving(play_one) as server, FakeAsterisk(server.port) as peer:
        await peer.says(junk)
        await peer.expects_end()
        await served(server.port)


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY + "0", "0" * 16])
async def test_a_stranger_without_the_key_opens_no_call(key: str) -> None:
    opened: list[Session] = []

    async def handler(session: Session) -> None:
        opened.append(session)
        session.finish()

    async with serving(handler) as server:
        async with FakeAsterisk(server.port) as stranger:
            await stranger.says(opening(key=key))
            await stranger.expects_end()
        assert opened == []
        async with FakeAsterisk(server.port) as asterisk:
            await asterisk.says(opening())
            await asterisk.expects(DONE)
        assert len(opened) == 1


async def test_strangers_and_half_open_connections_do_not_fill_the_log() -> None:
    strangers = {"no AGI headers": b"GET / HTTP/1.1\n\n", "wrong key": opening(key="guess")}
    half_open = {"headers took too long": b"agi_network: yes\n"}
    # A stranger whose headers come late on a busy machine is a half-open connection, too.
    for blocks, limits in ((strangers, Limits()), (half_open, Limits(header_timeout_s=0.05))):
        with capture_logs() as logs:
            async with serving(play_one, limits) as server:
                for _ in range(50):
                    for block in blocks.values():
                        async with FakeAsterisk(server.port) as peer:
                            await peer.says(block)
                            await peer.expects_end()
        told = [(entry["why"], entry["count"]) for entry in logs if entry["event"] == "agi.refused"]
        assert told == [(why, 1) for why in blocks] + [(why, 49) for why in blocks]


async def test_a_peer_that_leaves_before_its_headers_end_costs_nothing() -> None:
    async with serving(play_one) as server:
        for begun in (b"", b"agi_network: yes\n", opening()[:-1]):
            async with FakeAsterisk(server.port) as peer:
                await peer.says(begun)
                await peer.hangs_up_the_link()
        await served(server.port)
        assert server.calls <= 1


async def test_a_peer_that_dribbles_its_headers_is_cut_off_in_time() -> None:
    async with (
        serving(play_one, Limits(header_timeout_s=0.05)) as server,
        FakeAsterisk(server.port) as peer,
    ):
        await peer.says(b"agi_network: yes\n")
        await peer.expects_end()
        await served(server.port)


async def test_an_opening_in_single_bytes_with_hangup_behind_it_is_a_call() -> None:
    seen: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def handler(session: Session) -> None:
        seen.set_result(session.hung_up)
        session.finish()

    async with serving(handler) as server, FakeAsterisk(server.port) as asterisk:
        for byte in opening()[:-1]:
            await asterisk.says(bytes([byte]))
        await asterisk.says(b"\nHANGUP\n")
        assert await seen
        await asterisk.expects_end()


async def test_connections_beyond_the_cap_are_left_to_the_dialplan() -> None:
    async with serving(play_one, Limits(max_connections=1)) as server, FakeAsterisk(server.port) as first:
        await first.says(opening())
        await first.expects(PLAY)
        async with FakeAsterisk(server.port) as second:
            await second.expects_end()
        await first.says("200 result=0 endpos=8")
        await first.expects(DONE)


async def test_a_call_that_is_over_takes_no_place_while_the_peer_keeps_the_link() -> None:
    async with serving(play_one, Limits(max_connections=1)) as server, FakeAsterisk(server.port) as first:
        await first.says(opening())
        await first.expects(PLAY)
        await first.says("200 result=0 endpos=8")
        await first.expects(DONE)
        await first.expects_end()
        await served(server.port)


async def test_a_bug_in_a_call_closes_without_done_and_disturbs_nobody() -> None:
    async def broken(session: Session) -> None:
        if session.opening.script == "broken":
            raise ZeroDivisionError
        await play_one(session)

    async with serving(broken) as server, FakeAsterisk(server.port) as asterisk:
        await asterisk.says(opening("broken"))
        await asterisk.expects_end()
        await served(server.port)


async def test_a_call_that_lasts_too_long_is_told_goodbye() -> None:
    async with serving(play_one, Limits(max_call_s=0.05)) as server, FakeAsterisk(server.port) as asterisk:
        await asterisk.says(opening())
        await asterisk.expects(PLAY, 'GET FULL VARIABLE "ivr-fence"')
        # A playback that ends in the same instant sends its reply all the same: it is not the fence's.
        await asterisk.says("200 result=0 endpos=8", "200 result=1 (ivr-fence)")
        await asterisk.expects('STREAM FILE "/goodbye" "" 0')
        await asterisk.says("200 result=0 endpos=8")
        await asterisk.expects(DONE)


async def test_stopping_in_a_transfer_leaves_them_talking_and_the_dialplan_told() -> None:
    async def transfer(session: Session) -> None:
        try:
            await session.execute("Dial", "PJSIP/1@trunk")
        except CallStopped:
            assert not await session.resume(0.05)
        session.finish()

    async with serving(transfer, Limits(max_call_s=0.05)) as server, FakeAsterisk(server.port) as asterisk:
        await asterisk.says(opening())
        await asterisk.expects('EXEC "Dial" "PJSIP/1@trunk"', 'GET FULL VARIABLE "ivr-fence"', DONE)
        await asterisk.expects_end()


async def test_drain_lets_a_call_finish_and_takes_no_new_one() -> None:
    server = FastAgiServer(play_one, key=KEY)
    await server.start("127.0.0.1", 0)
    port = server.port
    async with FakeAsterisk(port) as asterisk:
        await asterisk.says(opening())
        await asterisk.expects(PLAY)
        drained = asyncio.create_task(server.drain(5))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await FakeAsterisk(port).__aenter__()
        await asterisk.says("200 result=0 endpos=8")
        await asterisk.expects(DONE)
        await drained


async def test_drain_tells_goodbye_to_a_call_that_does_not_finish() -> None:
    server = FastAgiServer(play_one, key=KEY)
    await server.start("127.0.0.1", 0)
    async with FakeAsterisk(server.port) as asterisk:
        await asterisk.says(opening())
        await asterisk.expects(PLAY)
        drained = asyncio.create_task(server.drain(0.01))
        await asterisk.expects('GET FULL VARIABLE "ivr-fence"')
        await asterisk.says("200 result=1 (ivr-fence)")
        await asterisk.expects('STREAM FILE "/goodbye" "" 0')
        await asterisk.says("200 result=0 endpos=8")
        await asterisk.expects(DONE)
        await drained


async def test_drain_does_not_wait_for_a_peer_that_stalls() -> None:
    server = FastAgiServer(play_one, key=KEY, limits=Limits(goodbye_s=0.05))
    await server.start("127.0.0.1", 0)
    async with FakeAsterisk(server.port) as asterisk:
        await asterisk.says(opening())
        await asterisk.expects(PLAY)
        async with asyncio.timeout(PATIENCE_S):
            await server.stop()
        assert server.calls == 0


async def test_a_taken_port_is_named_with_its_mend() -> None:
    async with serving(play_one) as server:
        with pytest.raises(
            MachineError, match=rf"can't listen on 127.0.0.1:{server.port}.*agi.port|choose another port"
        ):
            await FastAgiServer(play_one, key=KEY).start("127.0.0.1", server.port)


def test_on_uvloop_as_in_production() -> None:
    async def all_of_it() -> None:
        async with serving(play_one, Limits(max_connections=1)) as server:
            async with FakeAsterisk(server.port) as first, FakeAsterisk(server.port) as second:
                await first.says(opening())
                await first.expects(PLAY)
                await second.expects_end()
            async with FakeAsterisk(server.port) as peer:
                await peer.says(b"junk\n")
                await peer.expects_end()
            await served(server.port)

    uvloop.run(all_of_it())
