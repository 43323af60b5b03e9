"""One call over FastAGI: what Asterisk was asked last, what it answered, whether the caller is still there.

One command is outstanding at a time: a further one stops the playback of the first, which then has no result at all.
Asterisk writes `HANGUP` before it reads the next command, so once that one is answered we know whether it came.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import structlog

from ivr.agi.wire import (
    GONE,
    HEADERS_MAX,
    BadHeaders,
    BadReply,
    Hangup,
    Opening,
    Reply,
    ReplyReader,
    command,
    parse_opening,
)
from ivr.flow.model import KEYPAD
from ivr.flow.steps import Ended, HungUp, KeyPressed, Silence

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

#: `endpos` counts samples at 8 kHz in alaw, ulaw and sln, so many a millisecond; in g722 see `measure_positions`.
SAMPLES_PER_MS = 8
#: Asterisk sends a packet of so many milliseconds.
_PACKET_MS = 20
#: A key comes as its ASCII code: 49 is "1". A result that is none of these is no Asterisk's.
_KEYS = {ord(key): key for key in f"{KEYPAD}ABCD"}
#: Beyond the end of every clip; Asterisk goes to its end then.
_BEYOND = 1_000_000_000
#: After a clean end in mid-command Asterisk closes the link; a peer that doesn't is cut off after so many seconds.
LINGER_S = 10.0
#: Q.850 cause that Asterisk gives a phone on its `rtp_timeout`.
_NO_AUDIO = "44"

_ANSWER = command("ANSWER")
_NOOP = command("NOOP")
_DONE = command("SET VARIABLE", "IVR_DONE", "1")
_FENCE_WORD = "ivr-fence"
_FENCE = command("GET FULL VARIABLE", _FENCE_WORD)


@lru_cache(maxsize=4096)
def _stream_file(path: str, stop_keys: str, offset: int) -> bytes:
    """The command; prompts are few and are played over and over."""
    return command("STREAM FILE", path, stop_keys, offset)


class CommandRefused(Exception):
    """Asterisk does not know the command or its usage: a fault of ours."""


class CallStopped(Exception):
    """The engine ends the call: it has lasted too long, or the engine stops."""

    def __init__(self, reason: Literal["limit", "drain"]) -> None:
        super().__init__(reason)
        self.reason = reason


class Played(NamedTuple):
    """How the playing of one file ended."""

    #: FAULT: the file could not be opened; nothing was played and the caller is still there.
    ended: Ended
    #: From the start of the file; the offset itself when Asterisk could not tell.
    position_ms: int
    #: With Ended.KEY, the key, one of a telephone's sixteen.
    key: str = ""


class Session(asyncio.Protocol):
    """The server makes one per connection and gives it to the call when the opening is complete."""

    __slots__ = (
        "_fenced",
        "_head",
        "_key",
        "_loop",
        "_on_lost",
        "_on_open",
        "_on_refused",
        "_per_ms",
        "_reader",
        "_stopping",
        "_timer",
        "_transport",
        "_unasked",
        "_waiting",
        "cut_ms",
        "finished",
        "hung_up",
        "lost",
        "opening",
    )

    #: What Asterisk told when it connected.
    opening: Opening

    def __init__(
        self,
        on_open: Callable[[Session], None],
        on_lost: Callable[[Session], None],
        on_refused: Callable[[str, str], None],
        *,
        key: str,
        header_timeout_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_open = on_open
        self._on_lost = on_lost
        self._on_refused = on_refused
        self._key = key.encode()
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._reader: ReplyReader | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._stopping: CallStopped | None = None
        self._fenced = False
        self._unasked = False
        self._per_ms = SAMPLES_PER_MS
        self._timer = self._loop.call_later(header_timeout_s, self._refuse, "headers took too long")
        #: The caller is gone. What was heard until then is known.
        self.hung_up = False
        #: The link to Asterisk is gone; what the outstanding command did is not known.
        self.lost = False
        #: `finish` was called.
        self.finished = False
        #: Where in its file the playback stood that `stop` cut.
        self.cut_ms = 0

    # ------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport has the methods but not the type.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.finished:
            # Replies to the last command and to IVR_DONE, which nobody awaits.
            return
        if self._reader is None:
            self._take_headers(data)
        else:
            self._take_replies(self._reader, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._transport = None
        self.lost = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(GONE)
        self._on_lost(self)

    def _take_headers(self, data: bytes) -> None:
        head = self._head = self._head + data
        if not head.startswith(b"agi_"[: len(head)]):
            return self._refuse("no AGI headers")
        end = head.find(b"\n\n")
        if end > HEADERS_MAX or (end < 0 and len(head) > HEADERS_MAX):
            return self._refuse("headers too large")
        if end < 0:
            return None
        try:
            self.opening = parse_opening(head[:end])
        except BadHeaders as error:
            return self._refuse("bad AGI headers", str(error))
        if not hmac.compare_digest(self.opening.key.encode(), self._key):
            # A stranger on this machine, or an Asterisk whose dialplan was made before the engine's key.
            return self._refuse("wrong key")
        self._timer.cancel()
        self._head = b""
        self._reader = ReplyReader()
        self._on_open(self)
        if rest := head[end + 2 :]:
            self._take_replies(self._reader, rest)
        return None

    def _take_replies(self, reader: ReplyReader, data: bytes) -> None:
        try:
            replies = reader.feed(data)
        except BadReply as error:
            self._distrust(str(error))
            return
        for reply in replies:
            if isinstance(reply, Hangup):
                self.hung_up = True
                continue
            if self._fenced and reply.value != _FENCE_WORD:
                continue
            waiting, self._waiting = self._waiting, None
            if waiting is None:
                if not self._unasked:
                    self._unasked = True
                    log.warning("agi.unasked_reply", uniqueid=self.opening.uniqueid, code=reply.code)
            elif not waiting.done():
                waiting.set_result(reply)

    def _refuse(self, why: str, detail: str = "") -> None:
        self._on_refused(why, detail)
        self.abort()

    def _distrust(self, what: str) -> None:
        """End the link with a peer that answers what no Asterisk would."""
        log.error("agi.bad_reply", uniqueid=self.opening.uniqueid, what=what)
        self.hung_up = True
        self.abort()

    # ------------------------------------------------------------ the call's side

    def ask(self, line: bytes) -> asyncio.Future[Reply]:
        """The reply to the command `line`; GONE when the link is or gets lost. Raises CallStopped after `stop`."""
        if self._stopping is not None:
            raise self._stopping
        if self._waiting is not None:
            raise RuntimeError("one AGI command is outstanding already")
        waiting: asyncio.Future[Reply] = self._loop.create_future()
        if self._transport is None or self._transport.is_closing():
            waiting.set_result(GONE)
        else:
            self._waiting = waiting
            self._transport.write(line)
        return waiting

    def _alive(self, reply: Reply) -> bool:
        """Whether the command was carried out on a live channel. Raises CommandRefused for a command of no use."""
        if reply.code == 200:
            return True
        if reply.code not in (0, 511):
            raise CommandRefused(f"AGI answered {reply.code}")
        self.hung_up = True
        return False

    async def answer(self) -> bool:
        """Answer the call; False when the caller is gone. Asterisk waits up to 0.5 s for media."""
        reply = await self.ask(_ANSWER)
        if self._alive(reply) and reply.result == -1:
            self.hung_up = True
        return not self.hung_up

    async def measure_positions(self, path: str, length_ms: int) -> None:
        """Learn how this Asterisk counts positions on this call, from where it says that a file of that length ends.

        Nothing is heard. On a wideband trunk it depends on the codec that was agreed on: in .g722 Asterisk 22.10
        counts 16 a millisecond (ran), in .alaw 8.
        """
        if not self.hung_up:
            reply = await self.ask(_stream_file(path, "", _BEYOND))
            if self._alive(reply) and reply.result == 0 and reply.endpos:
                self._per_ms = max(1, round(reply.endpos / length_ms))

    async def stream_file(self, path: str, stop_keys: str = "", offset_ms: int = 0) -> Played:
        """Play `path` (no extension) from `offset_ms` until its end or one of `stop_keys`."""
        if self.hung_up:
            return Played(Ended.HANG_UP, offset_ms)
        offset = offset_ms * self._per_ms
        began_s = time.monotonic()
        try:
            reply = await self.ask(_stream_file(path, stop_keys, offset))
        except (CallStopped, asyncio.CancelledError):
            # Asterisk will not tell where it was stopped; our clock does to a packet.
            self.cut_ms = offset_ms + int((time.monotonic() - began_s) * 1000) // _PACKET_MS * _PACKET_MS
            raise
        if not self._alive(reply):
            return Played(Ended.HANG_UP, offset_ms)
        endpos = offset if reply.endpos is None else reply.endpos
        if reply.result == 0:
            return Played(Ended.PLAYED, endpos // self._per_ms)
        if reply.result is not None and reply.result > 0:
            if key := _KEYS.get(reply.result):
                return Played(Ended.KEY, endpos // self._per_ms, key)
            self._distrust(f"{reply.result} is no key")
            return Played(Ended.HANG_UP, offset_ms)
        # -1 at the offset is a file that is not there, or a hang-up before the first packet: the next reply tells.
        if endpos == offset and not self.hung_up:
            self._alive(await self.ask(_NOOP))
            if not self.hung_up:
                return Played(Ended.FAULT, offset_ms)
        self.hung_up = True
        return Played(Ended.HANG_UP, endpos // self._per_ms)

    async def wait_for_digit(self, seconds: float) -> KeyPressed | Silence | HungUp:
        """The next key within `seconds`. Keys count when they are released."""
        if self.hung_up:
            return HungUp()
        reply = await self.ask(b"WAIT FOR DIGIT %d\n" % round(seconds * 1000))
        if not self._alive(reply):
            return HungUp()
        if reply.result is not None and reply.result > 0:
            key = _KEYS.get(reply.result)
            if key is None:
                self._distrust(f"{reply.result} is no key")
                return HungUp()
            # A to D are on no telephone that people have.
            return KeyPressed(key=key) if key in KEYPAD else Silence()
        if reply.result == -1:
            self.hung_up = True
            return HungUp()
        return Silence()

    async def execute(self, application: str, arguments: str) -> Reply:
        """Run a dialplan application. -1 may be its own failure: `hung_up` says whether the caller is gone."""
        reply = await self.ask(command("EXEC", application, arguments))
        if self._alive(reply) and reply.result == -1 and not self.hung_up:
            self._alive(await self.ask(_NOOP))
        return reply

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable, as far as the channel lives."""
        self._alive(await self.ask(command("SET VARIABLE", name, value)))

    async def get_variable(self, name: str) -> str | None:
        """A channel variable; None when it is not set or the channel is gone."""
        return (await self.ask(command("GET VARIABLE", name))).value

    async def ended_for_silence(self) -> bool:
        """After a hang-up: whether Asterisk itself hung up, for no audio came from the phone any more."""
        return await self.get_variable("HANGUPCAUSE") == _NO_AUDIO

    # ------------------------------------------------------------ ends

    def stop(self, reason: Literal["limit", "drain"]) -> None:
        """Raise CallStopped in the call, at what it awaits from us or at its next command."""
        self._stopping = CallStopped(reason)
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_exception(self._stopping)

    async def resume(self, timeout_s: float) -> bool:
        """After CallStopped: end what the last command does, so that commands may be given again.

        False when Asterisk does not come back within `timeout_s`, as in a transfer, where commands wait for its end.
        """
        self._stopping = None
        self._waiting = None
        # Asterisk drops the stopped command's reply, or sends it late; the fence's own reply can't be mistaken.
        self._fenced = True
        try:
            async with asyncio.timeout(timeout_s):
                await self.ask(_FENCE)
        except TimeoutError:
            return False
        self._fenced = False
        return not self.hung_up and not self.lost

    def finish(self) -> None:
        """A clean end: IVR_DONE tells the dialplan that the caller was served; the dialplan hangs up.

        Works in mid-command too: Asterisk reads it when a transfer is over.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self.finished = True
        if not self.hung_up:
            transport.write(_DONE)
        if self._waiting is None:
            # Asterisk reads the command before it sees the end. Its reply would only wake us.
            transport.close()
        else:
            # Half-closed: a reply to what it still does must find the link open, or it would not read on.
            transport.write_eof()
            self._timer = self._loop.call_later(LINGER_S, self.abort)

    def abort_unless_finished(self) -> None:
        """Leave the caller to the dialplan, unless the call has had its clean end."""
        if not self.finished:
            self.abort()

    def abort(self) -> None:
        """Close the link at once, without IVR_DONE: the dialplan looks after the caller."""
        if self._transport is not None:
            self._transport.abort()
