"""A small Asterisk manager on loopback: it speaks the real protocol and knows subscribers by their number.

What an event looks like was taken from Asterisk 22.10.1 with PJSIP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outbound.clock import Clock
from tests.edges.waiting import until

Fields = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """How a phone behaves. Seconds are real ones: keep them short."""

    #: OriginateResponse Reason, Hangup Cause and SIP status when nobody answers; None: the call is answered.
    refuses: tuple[int, int, int] | None = None
    rings_s: float = 0.02
    talks_s: float = 0.02
    #: AMDSTATUS and AMDCAUSE; empty: no UserEvent.
    amd: tuple[str, str] = ("HUMAN", "HUMAN-1-1")
    #: Hangup before OriginateResponse.
    hangup_first: bool = False
    #: What a DialState tells of it before it answers or refuses: RINGING, PROGRESS; "": nothing.
    tells: str = ""
    #: Asterisk can make no channel for it.
    no_channel: bool = False


PERSON = Subscriber()
MACHINE = Subscriber(amd=("MACHINE", "LONGGREETING-1500-1500"))
SILENT = Subscriber(amd=("MACHINE", "INITIALSILENCE-2500-2500"))
BUSY = Subscriber(refuses=(0, 17, 486))
NO_ANSWER = Subscriber(refuses=(3, 19, 480))
CONGESTION = Subscriber(refuses=(0, 34, 503))
UNALLOCATED = Subscriber(refuses=(0, 1, 404))
REJECTS = Subscriber(refuses=(0, 21, 603))
SERVER_ERROR = Subscriber(refuses=(0, 38, 500))
MOVED = Subscriber(refuses=(0, 23, 302))
WITHOUT_CAUSE = Subscriber(refuses=(0, 0, 0))


@dataclass(kw_only=True)
class Link:
    """One connection of a manager client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    logged_in: bool = False


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(kw_only=True)
class FakeAmi:
    subscribers: Callable[[str], Subscriber] = lambda _: PERSON
    #: Endpoint -> what becomes of every call that goes by it, whoever is called.
    trunks: dict[str, Subscriber] = field(default_factory=dict)
    secret: str = "right"
    #: Where the CDR and the CEL go as asterisk-conf/site writes them; None: nowhere.
    log: Path | None = None
    #: How long after its CDR a call's CEL is written: Asterisk does both at once, in two threads.
    cel_later_s: float = 0.0
    #: Bytes per write; None: whole messages.
    chunk: int | None = None
    #: A half-open link: it takes everything and says nothing.
    deaf: bool = False
    #: Actions that are carried out and never answered.
    unanswered: set[str] = field(default_factory=set)
    #: A test that clears it says when: until it is set, phones ring on.
    let_go: asyncio.Event = field(default_factory=_set)
    #: Called on every Originate before anything else happens.
    on_originate: Callable[[Fields], None] = lambda _: None
    #: Called on every Hangup before anything else happens.
    on_hangup: Callable[[Fields], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)
    port: int = 0
    #: When each Originate came; seconds of the clock.
    came_at_s: list[float] = field(default_factory=list)
    actions: list[Fields] = field(default_factory=list)
    channels: dict[str, Fields] = field(default_factory=dict)
    most_channels: int = 0
    links: list[Link] = field(default_factory=list)
    logins: int = 0
    _server: asyncio.Server | None = None
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    #: Of each channel that is live: we were told to hang it up.
    _hung_up: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def originates(self) -> list[Fields]:
        return [action for action in self.actions if action["Action"] == "Originate"]

    def by(self) -> list[str]:
        """The endpoints in the order of their Originates."""
        return [action["Channel"].partition("@")[2] for action in self.originates]

    def dialled(self) -> list[str]:
        """The numbers in the order of their Originates."""
        return [action["Channel"].removeprefix("PJSIP/").partition("@")[0] for action in self.originates]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every link; calls go on."""
        if self._server is not None:
            self._server.close()
        self.cut()

    async def close(self) -> None:
        await self.stop()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await until(lambda: not self.links)

    def hang_up(self) -> None:
        """Whoever talks, or lets it ring, does so no longer."""
        for hung_up in self._hung_up.values():
            hung_up.set()

    def cut(self) -> None:
        for link in self.links:
            link.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Raw bytes to every client."""
        for link in self.links:
            await self._write(link, data)

    async def emit(self, **fields: str) -> None:
        for link in self.links:
            if link.logged_in:
                await self._write(link, message(fields))

    async def _write(self, link: Link, data: bytes) -> None:
        if self.deaf:
            return
        size = self.chunk or len(data)
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(data), size):
                link.writer.write(data[start : start + size])
                await link.writer.drain()
                if self.chunk:
                    await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader=reader, writer=writer)
        self.links.append(link)
        try:
            await self._write(link, b"Asterisk Call Manager/11.0.0\r\n")
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                await self._act(link, dict(line.split(": ", 1) for line in lines if line))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.links.remove(link)
            writer.close()

    async def _act(self, link: Link, action: Fields) -> None:
        self.actions.append(action)
        name = action["Action"]
        if name == "Originate":
            self.came_at_s.append(self.clock.monotonic_s())
            self.on_originate(action)
        reply = {"ActionID": action["ActionID"]}
        if name in self.unanswered:
            if name == "Originate":
                self._begin(action)
            return
        if name == "Login":
            self.logins += 1
            if action["Secret"] != self.secret:
                await self._write(link, message({"Response": "Error", **reply, "Message": "Authentication failed"}))
                link.writer.close()
                return
            link.logged_in = True
            await self._write(link, message({"Response": "Success", **reply, "Message": "Authentication accepted"}))
            await self._write(link, message({"Event": "FullyBooted", "Status": "Fully Booted"}))
        elif not link.logged_in:
            await self._write(link, message({"Response": "Error", **reply, "Message": "Permission denied"}))
        elif name == "Ping":
            await self._write(link, message({"Response": "Success", **reply, "Ping": "Pong"}))
        elif name == "CoreShowChannels":
            start = {"Response": "Success", **reply, "EventList": "start", "Message": "Channels will follow"}
            await self._write(link, message(start))
            for channel in list(self.channels.values()):
                await self._write(link, message({"Event": "CoreShowChannel", **reply, **channel}))
            end = {"Event": "CoreShowChannelsComplete", **reply, "EventList": "Complete"}
            await self._write(link, message({**end, "ListItems": str(len(self.channels))}))
        elif name == "Originate":
            text = "Originate successfully queued"
            await self._write(link, message({"Response": "Success", **reply, "Message": text}))
            self._begin(action)
        elif name == "Hangup":
            await self._hang_up(link, action, reply)
        else:
            await self._write(link, message({"Response": "Error", **reply, "Message": "Invalid/unknown command"}))

    async def _hang_up(self, link: Link, action: Fields, reply: Fields) -> None:
        self.on_hangup(action)
        found = [id for id, channel in self.channels.items() if channel["Channel"] == action["Channel"]]
        if not found:
            await self._write(link, message({"Response": "Error", **reply, "Message": "No such channel"}))
            return
        await self._write(link, message({"Response": "Success", **reply, "Message": "Channel Hungup"}))
        self._hung_up[found[0]].set()

    def _begin(self, action: Fields) -> None:
        call = asyncio.create_task(self._call(action))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, action: Fields) -> None:
        """One call as a subscriber takes it."""
        number, _, endpoint = action["Channel"].removeprefix("PJSIP/").partition("@")
        subscriber = self.trunks.get(endpoint) or self.subscribers(number)
        uniqueid = action["ChannelId"]
        channel = {"Channel": f"PJSIP/trunk-{uniqueid}", "Uniqueid": uniqueid, "ChannelState": "5"}
        self.channels[uniqueid] = channel
        hung_up = self._hung_up[uniqueid] = asyncio.Event()
        self.most_channels = max(self.most_channels, len(self.channels))
        started_at_ms, answered = self.clock.now_ms(), False
        if subscriber.tells:
            await self.emit(Event="DialState", DestUniqueid=uniqueid, DialStatus=subscriber.tells)
        cancelled = await self._within(subscriber.rings_s, hung_up)
        if not self.let_go.is_set() and not cancelled:
            cancelled = await self._first(hung_up, self.let_go)
        response = {
            "Event": "OriginateResponse",
            "ActionID": action["ActionID"],
            "Uniqueid": uniqueid,
            "Channel": action["Channel"],
        }
        if cancelled:
            cause, sip = 16, 0
            await self.emit(**response, Response="Failure", Reason="0")
        elif subscriber.refuses is None:
            answered = True
            channel["ChannelState"] = "6"
            await self.emit(Event="Newstate", Uniqueid=uniqueid, ChannelState="6", ChannelStateDesc="Up")
            await self.emit(**response, Response="Success", Reason="4")
            if subscriber.amd[0] and action["Exten"] == "detect":
                status, why = subscriber.amd
                await self.emit(Event="UserEvent", UserEvent="AMD", Attempt=uniqueid, Status=status, Cause=why)
            await self._within(subscriber.talks_s, hung_up)
            cause, sip = 16, 0
        else:
            reason, cause, sip = subscriber.refuses
            if not subscriber.hangup_first:
                await self.emit(**response, Response="Failure", Reason=str(reason))
        self.channels.pop(uniqueid, None)
        if subscriber.no_channel:
            return
        del self._hung_up[uniqueid]
        amd = "-".join(subscriber.amd) if answered and subscriber.amd[0] and action["Exten"] == "detect" else ""
        self._write_records(uniqueid, number, started_at_ms, answered=answered, cause=cause, amd=amd)
        tech = {"TechCause": f"SIP {sip}"} if sip else {}
        await self.emit(Event="Hangup", Uniqueid=uniqueid, Cause=str(cause), **{"Cause-txt": "x"}, **tech)
        if subscriber.refuses is not None and subscriber.hangup_first and not cancelled:
            await self.emit(**response, Response="Failure", Reason=str(subscriber.refuses[0]))

    async def _first(self, event: asyncio.Event, other: asyncio.Event) -> bool:
        """Wait for either: whether it was `event`."""
        both = [asyncio.ensure_future(each.wait()) for each in (event, other)]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in both:
                each.cancel()
        return event.is_set()

    async def _within(self, seconds: float, event: asyncio.Event) -> bool:
        """Whether the event came before so long had passed."""
        try:
            async with self.clock.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def _write_records(
        self, uniqueid: str, number: str, started_at_ms: int, *, answered: bool, cause: int, amd: str
    ) -> None:
        if self.log is None:
            return
        start, end = started_at_ms / 1000, self.clock.now_ms() / 1000
        # Asterisk has no better word for the rest.
        disposition = "ANSWERED" if answered else {17: "BUSY", 34: "CONGESTION", 1: "FAILED"}.get(cause, "NO ANSWER")
        answer = f"{(start + end) / 2:.6f}" if answered else "0.000000"
        cdr = f'"{uniqueid}","PJSIP/trunk-1","{number}",{start:.6f},{answer},{end:.6f},{disposition},0,"{amd}"\n'
        cel = f'"{uniqueid}",{end:.3f},"{{""hangupcause"":{cause},""hangupsource"":"""",""dialstatus"":""""}}"\n'
        self._write_record("cdr-custom", cdr)
        if self.cel_later_s:
            asyncio.get_running_loop().call_later(self.cel_later_s, self._write_record, "cel-custom", cel)
        else:
            self._write_record("cel-custom", cel)

    def _write_record(self, folder: str, line: str) -> None:
        assert self.log is not None
        path = self.log / folder / "ivr.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line)


def message(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"


@contextlib.asynccontextmanager
async def running(fake: FakeAmi) -> AsyncIterator[FakeAmi]:
    await fake.start()
    try:
        yield fake
    finally:
        await fake.close()
