"""A SIP user agent in plain asyncio: the "SIP peer that is not ours" of the live tests.

It answers calls as subscribers do (`expect`) and calls hotlines as shoppers do (`dial`), over one UDP socket for SIP
and one per call for RTP (rtp_peer.py). It has no part of Asterisk and none of the product in it, and says of each call
what the network saw: who hung up and when, keys sent, packets received.

    async with SipPeer() as peer:
        peer.expect("79161234567", Plan(answer_s=1, keys=(Key("1", at_s=4.2),)))
        call = await peer.next_call()
        await call.ended.wait()
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Self

from tests.edges.waiting import PATIENCE_S
from tests.live.rtp_peer import ALAW, PACKET_MS, Codec, Media, Pressed
from tests.live.sip_message import REASONS, Message, parameter, uri, user

Address = tuple[str, int]
#: Calls send their packets in so many groups, spread over 20 ms.
_PHASES = 4
#: Packets that are sent so late were held up by a busy machine.
LATE_S = 0.02
#: What a response copies from its request.
_COPIED = ("via", "from", "call-id", "cseq", "record-route")


@dataclass(frozen=True)
class Key:
    """A key to press `at_s` after the answer, or when the `after_packets`-th RTP packet has come."""

    key: str
    at_s: float | None = None
    after_packets: int | None = None
    hold_ms: int = 100


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What this side of a call does. The default: answer after half a second, send silence, wait for a BYE."""

    #: Seconds from INVITE to answer, or to the refusal. None: ring until the other side gives up.
    answer_s: float | None = 0.5
    #: Refuse with this SIP status instead of answering.
    refuse: int | None = None
    keys: tuple[Key, ...] = ()
    #: Hang up so long after the answer.
    hang_up_s: float | None = None
    #: Hang up when this many RTP packets have come.
    hang_up_packets: int | None = None
    #: Speak (in A-law) for so long after the answer (600: "alo"; 8000: a machine's greeting), then send silence.
    speech_ms: int = 0
    #: Send no RTP at all, except keys.
    silent: bool = False
    #: Keep what was heard in `Call.media.recording`.
    record: bool = False


@dataclass(eq=False, kw_only=True)
class Call:
    """One call, as this side saw it. Times are seconds since the epoch."""

    peer: SipPeer = field(repr=False)
    direction: Literal["in", "out"]
    #: The number that was dialled, and the caller's.
    number: str
    caller: str
    plan: Plan
    media: Media = field(repr=False)
    call_id: str
    local: str
    remote: str
    target: str
    remote_address: Address
    #: The INVITE we sent or got, and our last answer to it.
    invite: Message = field(repr=False)
    answer: bytes = field(default=b"", repr=False)
    invited_at: float = field(default_factory=time.time)
    answered_at: float | None = None
    ended_at: float | None = None
    #: Final SIP status of the INVITE: 200, 486, 487 (given up) …
    status: int | None = None
    #: Who ended an answered call.
    hung_up_by: Literal["us", "them"] | None = None
    #: The phone rings.
    rang: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    answered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    sequence: int = 1
    timers: list[asyncio.TimerHandle] = field(default_factory=list, repr=False)

    @property
    def heard_ms(self) -> int:
        return self.media.received * PACKET_MS

    @property
    def keys(self) -> list[Pressed]:
        return self.media.keys

    def press(self, key: str, hold_ms: int = 100) -> None:
        self.media.press(key, hold_ms)

    def hang_up(self) -> None:
        """End the call; give up when it was not answered yet."""
        if self.ended_at is not None:
            return
        if self.answered_at is not None:
            self.hung_up_by = "us"
            self.peer._request(self, "BYE")
            self._end(200)
        elif self.direction == "out":
            self.peer._request(self, "CANCEL")
        else:
            self.peer._answer(self, 480)
            self._end(480)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.timers.append(asyncio.get_running_loop().call_later(delay_s, action))

    def _begin(self, sdp: str) -> None:
        """The call was answered: start the media and what the plan has for it."""
        self.answered_at, self.status = time.time(), 200
        self.peer._talking[self.media.port % _PHASES].add(self)
        self._connect(sdp)
        for key in self.plan.keys:
            press = partial(self.media.press, key.key, key.hold_ms)
            if key.after_packets is not None:
                self.media.at_packets(key.after_packets, press)
            else:
                self._later(key.at_s or 0.0, press)
        if self.plan.hang_up_packets is not None:
            self.media.at_packets(self.plan.hang_up_packets, self.hang_up)
        if self.plan.hang_up_s is not None:
            self._later(self.plan.hang_up_s, self.hang_up)
        self.answered.set()

    def _connect(self, sdp: str) -> None:
        host, port = re.search(r"c=IN IP4 (\S+)", sdp), re.search(r"m=audio (\d+)", sdp)
        events = re.search(r"a=rtpmap:(\d+) telephone-event/8000", sdp)
        if host and port:
            self.media.connect((host[1], int(port[1])), int(events[1]) if events else 101)

    def _end(self, status: int) -> None:
        if self.ended_at is None:
            self.status = status
            self.ended_at = time.time()
            for timer in self.timers:
                timer.cancel()
            for phase in self.peer._talking:
                phase.discard(self)
            self.media.close()
            self.ended.set()


class SipPeer(asyncio.DatagramProtocol):
    """The user agent; an async context manager. `port` is free when it was given as 0."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, codec: Codec = ALAW) -> None:
        self.host, self.port, self.codec = host, port, codec
        #: Every call there was, oldest first.
        self.calls: list[Call] = []
        #: How late packets were sent at most, and how many times they began to be later than LATE_S.
        self.late_s = 0.0
        self.hold_ups = 0
        #: What a number does that nobody planned: it is unallocated.
        self.default = Plan(answer_s=0, refuse=404)
        self._plans: dict[str, list[Plan]] = {}
        self._arrived: asyncio.Queue[Call] = asyncio.Queue()
        self._closed = asyncio.Event()
        self._by_id: dict[str, Call] = {}
        #: Requests that wait for their final response, by branch: the timer that sends them again.
        self._sent: dict[str, asyncio.TimerHandle] = {}
        self._talking: tuple[set[Call], ...] = tuple(set() for _ in range(_PHASES))

    def expect(self, number: str, *plans: Plan) -> None:
        """What `number` does on its first call, its second ...; the last plan stays."""
        self._plans[number] = list(plans)

    async def next_call(self) -> Call:
        """The next incoming call, as soon as its INVITE is here."""
        return await asyncio.wait_for(self._arrived.get(), PATIENCE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, self.port))
        self.port = self._transport.get_extra_info("sockname")[1]
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in self.calls:
            call.hang_up()
            call._end(call.status or 0)
        self._ticker.cancel()
        for timer in self._sent.values():
            timer.cancel()
        self._transport.close()
        # The port is free when the loop has closed it, and the next peer may want it at once.
        await self._closed.wait()

    async def _tick(self) -> None:
        step_s = PACKET_MS / 1000 / _PHASES
        loop = asyncio.get_running_loop()
        due, phase, late = loop.time(), 0, False
        while True:
            due, phase = due + step_s, (phase + 1) % _PHASES
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            late_s = loop.time() - due
            self.late_s = max(self.late_s, late_s)
            self.hold_ups += late_s > LATE_S and not late
            late = late_s > LATE_S
            for call in self._talking[phase]:
                call.media.tick()

    def dial(self, address: Address, number: str, *, caller: str, plan: Plan | None = None) -> Call:
        """Call `number` at a SIP server. Wait for `answered` or `ended` of what is returned."""
        plan = plan or Plan()
        call_id, branch = uuid.uuid4().hex, _branch()
        target = f"sip:{number}@{address[0]}:{address[1]}"
        local = f"<sip:{caller}@{self.host}>;tag={uuid.uuid4().hex[:8]}"
        media = Media(self.host, self.codec, silent=plan.silent, speech_ms=plan.speech_ms, record=plan.record)
        headers = self._headers(branch, local, f"<{target}>", call_id, "1 INVITE")
        invite = Message(f"INVITE {target} SIP/2.0", headers, self._sdp(media))
        call = Call(
            peer=self, direction="out", number=number, caller=caller, plan=plan, media=media, call_id=call_id,
            local=local, remote=f"<{target}>", target=target, remote_address=address, invite=invite,
        )  # fmt: skip
        media.listen()
        self.calls.append(call)
        self._by_id[call_id] = call
        self._repeat(branch, invite.encode(), address)
        return call

    # What arrives

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = Message.parse(data)
        if not message.start.strip():  # a keep-alive
            return
        if message.status:
            self._response(message)
        elif message.method == "INVITE":
            self._invited(message, addr)
        elif message.method == "ACK":
            if timer := self._sent.pop("answer" + message["call-id"], None):
                timer.cancel()
        elif message.method in ("REGISTER", "OPTIONS"):
            self._transport.sendto(self._reply(message, 200, contact=message["contact"]), addr)
        else:
            self._in_dialog(message, addr)

    def _response(self, message: Message) -> None:
        branch = parameter(message["via"], "branch")
        call = self._by_id.get(message["call-id"])
        if (message.status >= 200 or message.method == "INVITE") and (timer := self._sent.pop(branch, None)):
            timer.cancel()
        if call is None or message.method != "INVITE" or call.direction == "in":
            return
        if message.status < 200:
            if message.status == 180:
                call.rang.set()
            return
        call.remote = message["to"]
        if message.status < 300:
            call.target = uri(message["contact"]) or call.target
            self._request(call, "ACK")
            if call.answered_at is None and call.ended_at is None:
                call._begin(message.body)
        else:
            self._request(call, "ACK", branch)
            call._end(message.status)

    def _invited(self, message: Message, address: Address) -> None:
        if call := self._by_id.get(message["call-id"]):
            if parameter(message["to"], "tag"):  # a re-INVITE: the media may have moved
                call._connect(message.body)
                self._transport.sendto(self._reply(message, 200, call.local, self._sdp(call.media)), address)
            elif call.answer:
                self._transport.sendto(call.answer, address)
            return
        number = user(message.start.split()[1])
        plans = self._plans.get(number)
        plan = self.default if not plans else plans.pop(0) if len(plans) > 1 else plans[0]
        media = Media(self.host, self.codec, silent=plan.silent, speech_ms=plan.speech_ms, record=plan.record)
        call = Call(
            peer=self, direction="in", number=number, caller=user(message["from"]), plan=plan, media=media,
            call_id=message["call-id"], local=f"{message['to']};tag={uuid.uuid4().hex[:8]}", remote=message["from"],
            target=uri(message["contact"]), remote_address=address, invite=message,
        )  # fmt: skip
        media.listen()
        self.calls.append(call)
        self._by_id[call.call_id] = call
        self._arrived.put_nowait(call)
        if plan.refuse is None:
            self._answer(call, 180)
            call.rang.set()
        else:
            self._answer(call, 100)
        if plan.refuse is not None or plan.answer_s is not None:
            call._later(plan.answer_s or 0.0, lambda: self._decide(call))

    def _decide(self, call: Call) -> None:
        """The ringing is over: answer or refuse. Either is sent again until the ACK is here."""
        status = call.plan.refuse or 200
        self._answer(call, status)
        self._repeat("answer" + call.call_id, call.answer, call.remote_address, send_now=False)
        if status == 200:
            call._begin(call.invite.body)
        else:
            call._end(status)

    def _in_dialog(self, message: Message, address: Address) -> None:
        call = self._by_id.get(message["call-id"])
        self._transport.sendto(self._reply(message, 200 if call else 481, call.local if call else ""), address)
        if call is None or call.ended_at is not None:
            return
        if message.method == "BYE":
            call.hung_up_by = "them"
            call._end(200)
        elif message.method == "CANCEL" and call.answered_at is None:
            self._answer(call, 487)
            call._end(487)

    # What is sent

    def _answer(self, call: Call, status: int) -> None:
        body = self._sdp(call.media) if status == 200 else ""
        moved_to = f"<sip:{call.number}@{self.host}:{self.port}>" if status // 100 == 3 else ""
        call.answer = self._reply(call.invite, status, call.local, body, moved_to)
        self._transport.sendto(call.answer, call.remote_address)

    def _reply(self, request: Message, status: int, local: str = "", body: str = "", contact: str = "") -> bytes:
        headers = [field for field in request.headers if field[0] in _COPIED]
        headers += [("to", local or request["to"]), ("contact", contact or f"<sip:{self.host}:{self.port}>")]
        return Message(f"SIP/2.0 {status} {REASONS.get(status, 'Refused')}", tuple(headers), body).encode()

    def _request(self, call: Call, method: str, branch: str = "") -> None:
        """Send a request of a call. ACK of a refusal, and CANCEL, have the INVITE's branch, number and target."""
        of_invite = method == "CANCEL" or bool(branch)
        if method == "CANCEL":
            branch = parameter(call.invite["via"], "branch")
        branch = branch or _branch()
        if method == "BYE":
            call.sequence += 1
        target = uri(call.invite["to"]) if of_invite else call.target
        to = call.invite["to"] if method == "CANCEL" else call.remote
        headers = self._headers(branch, call.local, to, call.call_id, f"{call.sequence} {method}")
        message = Message(f"{method} {target} SIP/2.0", headers).encode()
        if method == "BYE":
            self._repeat(branch, message, call.remote_address)
        else:
            self._transport.sendto(message, call.remote_address)

    def _headers(self, branch: str, local: str, to: str, call_id: str, cseq: str) -> tuple[tuple[str, str], ...]:
        return (
            ("via", f"SIP/2.0/UDP {self.host}:{self.port};rport;branch={branch}"),
            ("max-forwards", "70"),
            ("from", local),
            ("to", to),
            ("call-id", call_id),
            ("cseq", cseq),
            ("contact", f"<sip:{self.host}:{self.port}>"),
        )

    def _repeat(self, key: str, data: bytes, address: Address, wait_s: float = 0.5, *, send_now: bool = True) -> None:
        """Send, and send again after 0.5, 1, 2 … s until `_sent[key]` is cancelled (RFC 3261, timers A, E and G)."""
        if send_now:
            self._transport.sendto(data, address)
        if wait_s < 32:
            again = asyncio.get_running_loop().call_later(wait_s, self._repeat, key, data, address, wait_s * 2)
            self._sent[key] = again

    def _sdp(self, media: Media) -> str:
        return "\r\n".join((
            "v=0", f"o=peer {media.port} 1 IN IP4 {self.host}", "s=-", f"c=IN IP4 {self.host}", "t=0 0",
            f"m=audio {media.port} RTP/AVP {media.codec.payload_type} 101",
            f"a=rtpmap:{media.codec.payload_type} {media.codec.name}", "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16", f"a=ptime:{PACKET_MS}", "a=sendrecv", "",
        ))  # fmt: skip


def _branch() -> str:
    return "z9hG4bK" + uuid.uuid4().hex
