"""A small Asterisk manager on loopback: it speaks the real protocol and knows subscribers by their number.

What an event looks like was taken from Asterisk 22.10.1 with PJSIP.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

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


PERSON = Subscriber()
MACHINE = Subscriber(amd=("MACHINE", "LONGGREETING-1500-1500"))
SILENT = Subscriber(amd=("MACHINE", "INITIALSILENCE-2500-2500"))
BUSY = Subscriber(refuses=(0, 17, 486))
NO_ANSWER = Subscriber(refuses=(3, 19, 480))
CONGESTION = Subscriber(refuses=(0, 34, 503))
UNALLOCATED = Subscriber(refuses=(0, 1, 404))
REJECTS = Subscriber(refuses=(0, 21, 603))


@dataclass(kw_only=True)
class Link:
    """One connection of a manager client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    logged_in: bool = False


@dataclass(kw_only=True)
class FakeAmi:
    subscribers: Callable[[str], Subscriber] = lambda _: PERSON
    secret: str = "right"
    #: Where the CDR and the CEL go as asterisk-conf/site writes them; None: nowhere.
    log: Path | None = None
    #: Bytes per write; None: whole messages.
    chunk: int | None = None
    #: A half-open link: it takes everything and says nothing.
    deaf: bool = False
    #: Actions that are carried out and never answered.
    unanswered: set[str] = field(default_factory=set)
    #: Called on every Originate before anything else happens.
    on_originate: Callable[[Fields], None] = lambda _: None
    port: int = 0
    actions: list[Fields] = field(default_factory=list)
    channels: dict[str, Fields] = field(default_factory=dict)
    most_channels: int = 0
    links: list[Link] = field(default_factory=list)
    logins: int = 0
    _server: asyncio.Server | None = None
    _calls: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def originates(self) -> list[Fields]:
        return [action for action in self.actions if action["Action"] == "Originate"]

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
        else:
            await self._write(link, message({"Response": "Error", **reply, "Message": "Invalid/unknown command"}))

    def _begin(self, action: Fields) -> None:
        call = asyncio.create_task(self._call(action))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, action: Fields) -> None:
        """One call as a subscriber takes it."""
        number = action["Channel"].removeprefix("PJSIP/").partition("@")[0]
        subscriber = self.subscribers(number)
        uniqueid, clock = action["ChannelId"], asyncio.get_running_loop().time
        channel = {"Channel": f"PJSIP/trunk-{uniqueid}", "Uniqueid": uniqueid, "ChannelState": "5"}
        self.channels[uniqueid] = channel
        self.most_channels = max(self.most_channels, len(self.channels))
        started, answered = clock(), None
        await asyncio.sleep(subscriber.rings_s)
        response = {
            "Event": "OriginateResponse",
            "ActionID": action["ActionID"],
            "Uniqueid": uniqueid,
            "Channel": action["Channel"],
        }
        if subscriber.refuses is None:
            answered = clock()
            channel["ChannelState"] = "6"
            await self.emit(Event="Newstate", Uniqueid=uniqueid, ChannelState="6", ChannelStateDesc="Up")
            await self.emit(**response, Response="Success", Reason="4")
            if subscriber.amd[0] and action["Exten"] == "detect":
                status, why = subscriber.amd
                await self.emit(Event="UserEvent", UserEvent="AMD", Attempt=uniqueid, Status=status, Cause=why)
            await asyncio.sleep(subscriber.talks_s)
            cause, sip = 16, 0
        else:
            reason, cause, sip = subscriber.refuses
            if not subscriber.hangup_first:
                await self.emit(**response, Response="Failure", Reason=str(reason))
        del self.channels[uniqueid]
        self._write_cdr(uniqueid, number, answered is not None, cause, clock() - started)
        tech = {"TechCause": f"SIP {sip}"} if sip else {}
        await self.emit(Event="Hangup", Uniqueid=uniqueid, Cause=str(cause), **{"Cause-txt": "x"}, **tech)
        if subscriber.refuses is not None and subscriber.hangup_first:
            await self.emit(**response, Response="Failure", Reason=str(subscriber.refuses[0]))

    def _write_cdr(self, uniqueid: str, number: str, answered: bool, cause: int, seconds: float) -> None:
        if self.log is None:
            return
        end = time.time()
        disposition = "ANSWERED" if answered else {17: "BUSY", 34: "CONGESTION", 19: "NO ANSWER"}.get(cause, "FAILED")
        answer = f"{end - seconds / 2:.6f}" if answered else "0.000000"
        cdr = f'"{uniqueid}","PJSIP/trunk-1","{number}",{end - seconds:.6f},{answer},{end:.6f},{disposition},0\n'
        cel = f'"{uniqueid}",{end:.3f},"{{""hangupcause"":{cause},""hangupsource"":"""",""dialstatus"":""""}}"\n'
        for folder, line in (("cdr-custom", cdr), ("cel-custom", cel)):
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
