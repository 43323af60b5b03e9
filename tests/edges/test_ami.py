"""The AMI link against a fake Asterisk over TCP: one regression for each thing that panoramisk 1.4 gets wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from panoramisk.message import Message

from faults import PeerError
from outbound.gateway import ami as ami_module
from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import MAX_LINE_BYTES, MAX_MESSAGE_BYTES, NotSent, OutcomeUnknown, Refused
from tests.edges.fake_ami import FakeAmi, message, running
from tests.edges.waiting import PATIENCE_S, until

ORIGINATE = {
    "Action": "Originate",
    "ActionID": "a1",
    "ChannelId": "a1",
    "Channel": "PJSIP/79161234567@trunk",
    "Context": "promo",
    "Exten": "detect",
    "Priority": "1",
    "Async": "true",
}


@contextlib.asynccontextmanager
async def linked(
    fake: FakeAmi, *, wrong_secret: bool = False, ping_every_s: float = 60, answer_s: float = 2
) -> AsyncIterator[Ami]:
    ami = Ami(
        host="127.0.0.1",
        port=fake.port,
        username="ivr",
        secret="wrong" if wrong_secret else "right",
        ping_every_s=ping_every_s,
        answer_s=answer_s,
        reconnect_first_s=0.02,
        reconnect_most_s=0.1,
    )
    try:
        await ami.open(within_s=PATIENCE_S)
        yield ami
    finally:
        await ami.aclose()


class Heard:
    """Events as they come, to wait for."""

    def __init__(self, ami: Ami, pattern: str) -> None:
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        ami.register_event(pattern, lambda _, event: self._queue.put_nowait(event))

    async def next(self) -> Message:
        return await asyncio.wait_for(self._queue.get(), PATIENCE_S)


async def test_an_originate_is_answered_and_its_events_are_heard() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        responses, hangups = Heard(ami, "OriginateResponse"), Heard(ami, "Hangup")
        assert (await ami.action(ORIGINATE)).message == "Originate successfully queued"
        # panoramisk keeps the event with our ActionID to itself.
        response = await responses.next()
        assert (response.uniqueid, response.reason) == ("a1", "4")
        assert (await hangups.next()).cause == "16"


async def test_live_channels_are_listed() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        assert await ami.live_channels() == {}
        fake.channels = {name: {"Uniqueid": name, "ChannelState": "6"} for name in ("a1", "a2")}
        assert sorted(await ami.live_channels()) == ["a1", "a2"]


async def test_a_list_that_is_refused_ends() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        with pytest.raises(Refused, match="unknown command"):
            await ami.listing({"Action": "QueueStatus"})


async def test_letters_survive_any_chunk() -> None:
    async with running(FakeAmi(chunk=1)) as fake, linked(fake) as ami:
        heard = Heard(ami, "UserEvent")
        await fake.emit(Event="UserEvent", UserEvent="Имя", Name="Їжак Ёлкин 🎁")
        assert (await heard.next()).name == "Їжак Ёлкин 🎁"


@pytest.mark.parametrize("value", ["a\r\nAction: Logoff", "a\nb", "a\rb", "a\0b"])
async def test_a_line_end_in_a_value_is_not_sent(value: str) -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        with pytest.raises(ValueError, match="line end in CallerID"):
            await ami.action({**ORIGINATE, "CallerID": value})
        await ami.action({"Action": "Ping"})
        assert not fake.originates


async def test_a_line_longer_than_asterisk_reads_is_not_sent() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        room = MAX_LINE_BYTES - len("CallerID: ")
        await ami.action({**ORIGINATE, "CallerID": "я" * (room // 2)})
        with pytest.raises(ValueError, match="longer"):
            await ami.action({**ORIGINATE, "CallerID": "я" * (room // 2 + 1)})
        assert len(fake.originates) == 1


async def test_an_originate_that_would_block_the_link_is_not_sent() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        with pytest.raises(ValueError, match="Async"):
            await ami.action({name: value for name, value in ORIGINATE.items() if name != "Async"})
        assert not fake.originates


async def test_an_unanswered_action_is_unknown_and_never_sent_again() -> None:
    async with running(FakeAmi(unanswered={"Originate"})) as fake, linked(fake) as ami:
        waiting = asyncio.create_task(ami.action(ORIGINATE))
        await until(lambda: fake.originates)
        fake.cut()
        with pytest.raises(OutcomeUnknown):
            await asyncio.wait_for(waiting, PATIENCE_S)
        await until(lambda: ami.up and fake.logins > 1)
        await ami.action({"Action": "Ping"})
        assert fake.logins == 2
        assert len(fake.originates) == 1


async def test_an_action_without_an_answer_ends_in_time() -> None:
    async with running(FakeAmi(unanswered={"Originate"})) as fake, linked(fake) as ami:
        with pytest.raises(OutcomeUnknown, match=r"within 0\.05 s"):
            await ami.action(ORIGINATE, within_s=0.05)
        # A late answer to it belongs to nobody, and the link still serves.
        await fake.send(message({"Response": "Success", "ActionID": "a1"}))
        assert (await ami.action({"Action": "Ping"})).ping == "Pong"


async def test_nothing_is_sent_while_the_link_is_down() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        await fake.stop()
        await until(lambda: not ami.up)
        with pytest.raises(NotSent):
            await ami.action(ORIGINATE)
        await fake.start()
        await until(lambda: ami.up and fake.logins > 1)
        await ami.action({"Action": "Ping"})
        assert not fake.originates


async def test_a_peer_that_vanished_without_a_word_is_noticed() -> None:
    async with running(FakeAmi()) as fake, linked(fake, ping_every_s=0.05, answer_s=0.1) as ami:
        fake.deaf = True
        await until(lambda: not ami.up)
        fake.deaf = False
        await until(lambda: ami.up and fake.logins > 1)


async def test_pings_that_are_answered_keep_the_link() -> None:
    async with running(FakeAmi()) as fake, linked(fake, ping_every_s=0.01) as ami:
        await until(lambda: sum(action["Action"] == "Ping" for action in fake.actions) >= 5)
        assert ami.up
        assert fake.logins == 1


async def test_a_wrong_secret_is_told_at_once() -> None:
    async with running(FakeAmi()) as fake:
        with pytest.raises(PeerError, match="refused the login of 'ivr': Authentication failed"):
            async with linked(fake, wrong_secret=True):
                pass
        assert fake.logins == 1


async def test_a_secret_that_changes_later_is_tried_with_rests() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        fake.secret = "changed"
        fake.cut()
        await until(lambda: fake.logins >= 3)
        assert not ami.up
        fake.secret = "right"
        await until(lambda: ami.up and fake.logins > 1)


async def test_nobody_there_is_told_in_time() -> None:
    async with running(FakeAmi()) as fake:
        pass
    ami = Ami(host="127.0.0.1", port=fake.port, username="ivr", secret="right", reconnect_first_s=0.01)
    with pytest.raises(PeerError, match="does not answer"):
        await ami.open(within_s=0.1)


async def test_a_callback_that_fails_harms_neither_the_link_nor_the_others() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:

        def fails(_ami: Ami, _event: Message) -> None:
            raise RuntimeError("a fault in a callback")

        ami.register_event("Hangup", fails)
        heard = Heard(ami, "Hangup")
        for number in range(3):
            await fake.emit(Event="Hangup", Uniqueid=str(number))
        assert [(await heard.next()).uniqueid for _ in range(3)] == ["0", "1", "2"]
        assert ami.up


async def test_slow_callbacks_keep_the_order_and_hold_the_peer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ami_module, "MAX_WAITING_EVENTS", 50)
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        seen: list[int] = []
        gate, most = asyncio.Event(), 0

        async def slow(_ami: Ami, event: Message) -> None:
            await gate.wait()
            seen.append(int(event.uniqueid))

        ami.register_event("Hangup", slow)
        padding = "x" * 900
        flood = asyncio.create_task(
            fake.send(b"".join(message({"Event": "Hangup", "Uniqueid": str(n), "Pad": padding}) for n in range(20_000)))
        )
        protocol = ami.protocol
        assert protocol is not None
        await until(lambda: not protocol.transport.is_reading())
        most = ami._waiting.qsize()
        gate.set()
        await asyncio.wait_for(flood, PATIENCE_S)
        await until(lambda: len(seen) == 20_000)
        assert seen == list(range(20_000))
        assert most < 1_000
        assert ami.up


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe\x00garbage without a header\r\n\r\n",
        b"Event: Hangup\r\nEvent: Hangup\r\nActionID: a\r\nActionID: b\r\n\r\n",
        b"Response: Success\r\nActionID: nobody's\r\n\r\n",
        b"Event:\r\n\r\n\r\n\r\n: \r\n\r\n",
        b"Event: Hangup\r\nUniqueid\r\n\r\n",
    ],
)
async def test_garbage_between_messages_is_passed_over(garbage: bytes) -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        heard = Heard(ami, "UserEvent")
        await fake.send(garbage)
        await fake.emit(Event="UserEvent", UserEvent="after")
        assert (await heard.next()).userevent == "after"
        assert fake.logins == 1


async def test_a_message_without_an_end_is_cut_off() -> None:
    async with running(FakeAmi()) as fake, linked(fake) as ami:
        await fake.send(b"Event: Endless\r\n" + b"x" * (MAX_MESSAGE_BYTES + 1))
        await until(lambda: ami.up and fake.logins > 1)
        assert (await ami.action({"Action": "Ping"})).ping == "Pong"


async def test_a_server_that_is_no_asterisk_is_left() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ami = Ami(host="127.0.0.1", port=port, username="ivr", secret="right", reconnect_first_s=0.01)
        with pytest.raises(PeerError, match="does not answer"):
            await ami.open(within_s=0.2)
