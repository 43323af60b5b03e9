"""One call over real FastAGI: a regression for each trap in what Asterisk answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ivr.agi.session import CommandRefused, Played, Session
from ivr.agi.wire import BadCommand
from ivr.flow.steps import Ended, HungUp, KeyPressed, Silence
from tests.edges.fake_asterisk import FakeAsterisk, opening
from tests.edges.serving import serving
from tests.edges.waiting import PATIENCE_S

T = TypeVar("T")
PLAY = 'STREAM FILE "/a" "12" 0'


async def converse(
    ask: Callable[[Session], Awaitable[T]], asterisk_side: Callable[[FakeAsterisk], Awaitable[None]], name: bytes = b"x"
) -> tuple[T | Exception, Session]:
    """What `ask` returned or raised on a session, while `asterisk_side` was the peer."""
    result: asyncio.Future[tuple[T | Exception, Session]] = asyncio.get_running_loop().create_future()

    async def handler(session: Session) -> None:
        try:
            result.set_result((await ask(session), session))
        except (CommandRefused, BadCommand) as error:
            result.set_result((error, session))
        session.finish()

    async with serving(handler) as server, FakeAsterisk(server.port) as asterisk:
        await asterisk.says(opening(name=name))
        await asterisk_side(asterisk)
        async with asyncio.timeout(PATIENCE_S):
            return await result


def answers(*lines: str, to: str = PLAY) -> Callable[[FakeAsterisk], Awaitable[None]]:
    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(to)
        await asterisk.says(*lines)

    return side


async def play(session: Session) -> Played:
    return await session.stream_file("/a", "12")


@pytest.mark.parametrize(
    ("line", "played"),
    [
        ("200 result=0 endpos=32000", Played(Ended.PLAYED, 4000)),
        ("200 result=49 endpos=160", Played(Ended.KEY, 20, "1")),
        ("200 result=-1 endpos=16160", Played(Ended.HANG_UP, 2020)),
    ],
)
async def test_playing_tells_how_far_and_why_it_ended(line: str, played: Played) -> None:
    assert (await converse(play, answers(line)))[0] == played


async def test_hang_up_mid_play_keeps_the_position_and_the_later_lines_are_no_replies() -> None:
    async def listen(session: Session) -> tuple[Played, object, str | None]:
        played = await play(session)
        return played, await session.wait_for_digit(3), await session.get_variable("DIALSTATUS")

    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says("200 result=-1 endpos=16160", "HANGUP")
        # wait_for_digit knows without asking.
        await asterisk.expects('GET VARIABLE "DIALSTATUS"')
        await asterisk.says("200 result=1 (CANCEL)")

    result, session = await converse(listen, side)
    assert result == (Played(Ended.HANG_UP, 2020), HungUp(), "CANCEL")
    assert session.hung_up


async def test_hangup_line_before_the_reply_is_not_the_reply() -> None:
    result, session = await converse(play, answers("HANGUP", "200 result=-1 endpos=800"))
    assert result == Played(Ended.HANG_UP, 100)
    assert session.hung_up


async def test_missing_file_is_a_fault_and_the_call_goes_on() -> None:
    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says("200 result=-1 endpos=0")
        await asterisk.expects("NOOP")
        await asterisk.says("200 result=0")
        await asterisk.expects('SET VARIABLE "IVR_DONE" "1"')

    result, session = await converse(play, side)
    assert result == Played(Ended.FAULT, 0)
    assert not session.hung_up


async def test_hang_up_before_the_first_packet_is_no_missing_file() -> None:
    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says("200 result=-1 endpos=0")
        await asterisk.expects("NOOP")
        await asterisk.says("HANGUP", "200 result=0")
        await asterisk.expects_end()

    result, session = await converse(play, side)
    assert result == Played(Ended.HANG_UP, 0)
    assert session.hung_up


async def test_playing_from_an_offset_counts_from_the_start_of_the_file() -> None:
    async def resume(session: Session) -> Played:
        return await session.stream_file("/a", offset_ms=1000)

    result, _ = await converse(resume, answers("200 result=0 endpos=32000", to='STREAM FILE "/a" "" 8000'))
    assert result == Played(Ended.PLAYED, 4000)


async def test_positions_are_counted_as_the_end_of_a_file_tells() -> None:
    async def listen(session: Session) -> tuple[Played, Played]:
        await session.measure_positions("/a", 4000)
        return await play(session), await session.stream_file("/a", "", 1000)

    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects('STREAM FILE "/a" "" 1000000000')
        await asterisk.says("200 result=0 endpos=64000")
        await asterisk.expects(PLAY)
        await asterisk.says("200 result=49 endpos=16000")
        await asterisk.expects('STREAM FILE "/a" "" 16000')
        await asterisk.says("200 result=-1 endpos=24000")

    result, _ = await converse(listen, side)
    assert result == (Played(Ended.KEY, 1000, "1"), Played(Ended.HANG_UP, 1500))


async def test_a_caller_who_is_gone_while_positions_are_measured_has_hung_up() -> None:
    async def listen(session: Session) -> Played:
        await session.measure_positions("/a", 4000)
        return await play(session)

    gone = answers("HANGUP", "200 result=-1 endpos=0", to='STREAM FILE "/a" "" 1000000000')
    result, session = await converse(listen, gone)
    assert result == Played(Ended.HANG_UP, 0)
    assert session.hung_up


async def test_dead_channel_is_a_hang_up() -> None:
    result, session = await converse(play, answers("511 Command Not Permitted on a dead channel"))
    assert result == Played(Ended.HANG_UP, 0)
    assert session.hung_up


@pytest.mark.parametrize(
    "lines",
    [
        ("510 Invalid or unknown command",),
        ("520-Invalid command syntax.  Proper usage follows:", "200 result=0", "520 End of proper usage."),
    ],
)
async def test_refused_commands_are_our_fault_and_said_so(lines: tuple[str, ...]) -> None:
    result, _ = await converse(play, answers(*lines))
    assert isinstance(result, CommandRefused)


async def test_end_of_the_link_in_mid_reply_is_the_end_of_the_call() -> None:
    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says(b"200 result=-1 end")
        await asterisk.hangs_up_the_link()

    result, session = await converse(play, side)
    assert result == Played(Ended.HANG_UP, 0)
    assert session.lost


async def test_a_line_break_in_an_argument_never_becomes_a_command() -> None:
    async def smuggle(session: Session) -> None:
        await session.set_variable("NAME", "x\nHANGUP")

    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects('SET VARIABLE "IVR_DONE" "1"')

    result, _ = await converse(smuggle, side)
    assert isinstance(result, BadCommand)


async def test_replies_that_nobody_asked_for_answer_nothing() -> None:
    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says("200 result=0 endpos=800", "200 result=7", "200 result=8")
        await asterisk.expects("WAIT FOR DIGIT 1500")
        await asterisk.says("200 result=50")

    async def ask(session: Session) -> tuple[Played, object]:
        return await play(session), await session.wait_for_digit(1.5)

    result, _ = await converse(ask, side)
    assert result == (Played(Ended.PLAYED, 100), KeyPressed(key="2"))


async def test_junk_instead_of_a_reply_ends_the_link_without_done() -> None:
    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says(b"\x16\x03\x01\x02\x00\n")
        await asterisk.expects_end()

    result, session = await converse(play, side)
    assert result == Played(Ended.HANG_UP, 0)
    assert session.lost


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("200 result=0", Silence()),
        ("200 result=35", KeyPressed(key="#")),
        ("200 result=65", Silence()),  # "A" is no key of a telephone.
        ("200 result=-1", HungUp()),
    ],
)
async def test_silence_key_and_hang_up_are_three_things(line: str, event: object) -> None:
    async def listen(session: Session) -> object:
        return await session.wait_for_digit(3)

    assert (await converse(listen, answers(line, to="WAIT FOR DIGIT 3000")))[0] == event


@pytest.mark.parametrize("result", ["55296", "1114112", "7", "255", "9" * 18, "9" * 30, "9" * 5000])
async def test_what_is_no_key_is_no_asterisk(result: str) -> None:
    async def listen(session: Session) -> tuple[Played, object]:
        return await play(session), await session.wait_for_digit(1)

    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects(PLAY)
        await asterisk.says(f"200 result={result} endpos=800")
        await asterisk.expects_end()

    played, session = await converse(listen, side)
    assert played == (Played(Ended.HANG_UP, 0), HungUp())
    assert session.lost

    async def press(session: Session) -> object:
        return await session.wait_for_digit(3)

    async def presses(asterisk: FakeAsterisk) -> None:
        await asterisk.expects("WAIT FOR DIGIT 3000")
        await asterisk.says(f"200 result={result}")
        await asterisk.expects_end()

    assert (await converse(press, presses))[0] == HungUp()


async def test_names_of_any_bytes_reach_the_call() -> None:
    async def name(session: Session) -> str:
        return session.opening.header("calleridname")

    async def side(asterisk: FakeAsterisk) -> None:
        await asterisk.expects('SET VARIABLE "IVR_DONE" "1"')

    assert (await converse(name, side, name="Иван".encode("koi8-r")))[0] == "é×ÁÎ"


async def test_a_failed_application_is_told_from_a_hang_up() -> None:
    async def dial(session: Session) -> tuple[int | None, bool]:
        reply = await session.execute("Dial", "PJSIP/1@trunk,30,g")
        return reply.result, session.hung_up

    for end in ((), ("HANGUP",)):

        async def side(asterisk: FakeAsterisk, end: tuple[str, ...] = end) -> None:
            await asterisk.expects('EXEC "Dial" "PJSIP/1@trunk,30,g"')
            await asterisk.says("200 result=-1")
            await asterisk.expects("NOOP")
            await asterisk.says(*end, "200 result=0")

        assert (await converse(dial, side))[0] == (-1, bool(end))
