"""The RTP half of a test call: sends audio and keys, counts what arrives. Linux only (kernel time stamps).

It shares nothing with the product: no Asterisk, none of its modules. Every figure of a test is measured here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import random
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: One RTP packet carries 20 ms: 160 bytes of A-law or of G.722, whose RTP clock is 8 kHz too (RFC 3551, 4.5.2).
PACKET_MS = 20
SAMPLES = 160
SILENCE = b"\xd5" * SAMPLES


@dataclass(frozen=True, kw_only=True)
class Codec:
    payload_type: int
    #: Its rtpmap.
    name: str
    silence: bytes


ALAW = Codec(payload_type=8, name="PCMA/8000", silence=SILENCE)
G722 = Codec(payload_type=9, name="G722/8000", silence=b"\xfa" * SAMPLES)

#: Arrivals further apart than this are noted one by one.
GAP_MS = 60.0
#: linux/socket.h; the socket module has no name for it.
SO_TIMESTAMPNS = 35
_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_STAMP = struct.Struct("qq")
_NEVER = 1 << 62
_KEYS = "0123456789*#ABCD"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Two neighbouring packets that arrived more than GAP_MS apart."""

    #: Packets received before the gap.
    after_packets: int
    ms: float
    #: The time stamp jumped too: nothing was played meanwhile (or the player itself came late by more than 80 ms, for
    #: Asterisk then sets the stamp anew). False: audio that ran on was late on its way.
    pause: bool


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """A key sent or received as RFC 4733 events. Times are seconds since the epoch."""

    key: str
    began_at: float
    #: When the first packet with the end bit left or came.
    ended_at: float


@functools.cache
def speech(ms: int) -> tuple[bytes, ...]:
    """`ms` of speech-like A-law, in packets: voiced syllables of 160-240 ms, a breath after every third."""
    noise = random.Random(ms)  # noqa: S311 - sound, not secrets
    samples: list[float] = []
    syllables = 0
    while len(samples) < ms * 8:
        length = 8 * noise.randint(160, 240)
        pitch = noise.uniform(110, 160)
        for i in range(length):
            voice = sum(math.sin(2 * math.pi * pitch * n * i / 8000) / n for n in range(1, 9)) / 2
            loudness = 9000 * (0.25 + 0.75 * math.sin(math.pi * i / length))
            samples.append(loudness * (voice + noise.uniform(-0.1, 0.1)))
        syllables += 1
        if syllables % 3 == 0:
            samples += [0.0] * (8 * noise.randint(120, 200))
    samples = samples[: ms * 8] + [0.0] * (-(ms * 8) % SAMPLES)
    coded = bytes(map(_alaw, samples))
    return tuple(coded[i : i + SAMPLES] for i in range(0, len(coded), SAMPLES))


def _alaw(sample: float) -> int:
    """One 16-bit sample as G.711 A-law."""
    magnitude = min(int(abs(sample)) >> 3, 4095)
    segment = max(magnitude.bit_length() - 5, 0)
    code = segment << 4 | magnitude >> max(segment, 1) & 0x0F
    return (code | (0x80 if sample >= 0 else 0)) ^ 0x55


class Media:
    """One RTP socket. `tick` is called every 20 ms while the call is up."""

    def __init__(
        self, host: str, codec: Codec = ALAW, *, silent: bool = False, speech_ms: int = 0, record: bool = False
    ) -> None:
        self.codec = codec
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        #: Audio packets sent and received.
        self.sent = 0
        self.received = 0
        #: Packets missing from the sequence.
        self.lost = 0
        #: Seconds since the epoch, by the kernel's clock.
        self.first_at = self.last_at = 0.0
        #: Longest distance of two neighbours whose audio ran on.
        self.max_gap_ms = 0.0
        self.gaps: list[Gap] = []
        #: Keys sent and received.
        self.keys: list[Pressed] = []
        self.heard_keys: list[Pressed] = []
        self._heard_key = (-1, 0.0, False)
        #: What was received, as it came, when `record` is set.
        self.recording: bytearray | None = bytearray() if record else None
        self._silent = silent
        self._speech = deque(speech(speech_ms)) if speech_ms else deque()
        self._remote: tuple[str, int] | None = None
        self._event_type = 101
        self._triggers: list[tuple[int, Callable[[], None]]] = []
        self._next_trigger = _NEVER
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._stamp = random.getrandbits(30)
        self._peer_sequence = self._peer_stamp = -1
        self._queue: deque[tuple[int, str, int]] = deque()
        self._key: tuple[int, str, int] | None = None
        self._key_ms = 0
        self._key_began = 0.0

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._arrived)

    def connect(self, remote: tuple[str, int], event_type: int) -> None:
        """Where to send to, and the payload type the other side gave telephone-event."""
        self._remote, self._event_type = remote, event_type

    def at_packets(self, count: int, action: Callable[[], None]) -> None:
        """Call `action` when the `count`-th packet has arrived."""
        self._triggers.append((count, action))
        self._triggers.sort(key=lambda trigger: trigger[0])
        self._next_trigger = self._triggers[0][0]

    def press(self, key: str, hold_ms: int) -> None:
        """Press a key from the next tick on; a key that is still held is let go first."""
        self._queue.append((_KEYS.index(key), key, hold_ms))

    def close(self) -> None:
        """Count what has come by now, then take no more."""
        self._remote, self._next_trigger = None, _NEVER
        if self._socket.fileno() >= 0:
            while self._receive():
                pass
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()

    def _arrived(self) -> None:
        self._receive()

    def _receive(self) -> bool:
        """Take one packet in; False when there is none."""
        try:
            packet, ancillary, _, _ = self._socket.recvmsg(512, 64)
        except BlockingIOError:
            return False
        if len(packet) >= 12:
            self._count(packet, ancillary)
        return True

    def _count(self, packet: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        sequence, stamp = int.from_bytes(packet[2:4]), int.from_bytes(packet[4:8])
        ahead = (sequence - self._peer_sequence) & 0xFFFF if self._peer_sequence >= 0 else 1
        self._peer_sequence = sequence
        self.lost += ahead - 1 if 0 < ahead < 1000 else 0
        if ancillary:
            seconds, nanoseconds = _STAMP.unpack_from(ancillary[0][2])
            at = seconds + nanoseconds / 1e9
        else:
            at = time.time()
        payload_type = packet[1] & 0x7F
        if payload_type == self._event_type and len(packet) >= 16:
            self._key_arrived(packet, stamp, at)
        if payload_type != self.codec.payload_type:
            return
        if self.received:
            pause = (stamp - self._peer_stamp) & 0xFFFFFFFF != SAMPLES * ahead
            ms = (at - self.last_at) * 1000
            if not pause and ms > self.max_gap_ms:
                self.max_gap_ms = ms
            if ms > GAP_MS:
                self.gaps.append(Gap(after_packets=self.received, ms=ms, pause=pause))
        else:
            self.first_at = at
        self._peer_stamp, self.last_at = stamp, at
        self.received += 1
        if self.recording is not None:
            self.recording += packet[12:]
        while self.received >= self._next_trigger:
            _, action = self._triggers.pop(0)
            self._next_trigger = self._triggers[0][0] if self._triggers else _NEVER
            action()

    def _key_arrived(self, packet: bytes, stamp: int, at: float) -> None:
        """All packets of a key have one time stamp; the first end bit closes it."""
        if stamp != self._heard_key[0]:
            self._heard_key = (stamp, at, False)
        _, began_at, over = self._heard_key
        if packet[13] & 0x80 and not over:
            self._heard_key = (stamp, began_at, True)
            self.heard_keys.append(Pressed(key=_KEYS[packet[12]], began_at=began_at, ended_at=at))

    def tick(self) -> None:
        if self._key or self._queue:
            self._tick_key()
        elif not self._silent:
            self.sent += 1
            packet = self._speech.popleft() if self._speech else self.codec.silence
            self._send(self.codec.payload_type, self._stamp, packet)
        self._stamp = (self._stamp + SAMPLES) & 0xFFFFFFFF

    def _tick_key(self) -> None:
        """RFC 4733: every packet of a key has the time stamp of its beginning, and the last is sent three times."""
        if self._key is None:
            self._key, self._key_ms, self._key_began = self._queue.popleft(), 0, time.time()
        number, key, hold_ms = self._key
        self._key_ms += PACKET_MS
        over = self._key_ms >= hold_ms or (self._queue and self._key_ms > PACKET_MS)
        began = (self._stamp - (self._key_ms - PACKET_MS) * 8) & 0xFFFFFFFF
        event = _EVENT.pack(number, 0x8A if over else 0x0A, self._key_ms * 8)
        for _ in range(3 if over else 1):
            self._send(self._event_type | (0x80 if self._key_ms == PACKET_MS else 0), began, event)
        if over:
            self._key = None
            self.keys.append(Pressed(key=key, began_at=self._key_began, ended_at=time.time()))

    def _send(self, payload_type: int, stamp: int, payload: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self._remote:
            packet = _HEADER.pack(0x80, payload_type, self._sequence, stamp, self._ssrc) + payload
            with contextlib.suppress(BlockingIOError):  # a full socket loses a packet, as a network does
                self._socket.sendto(packet, self._remote)
