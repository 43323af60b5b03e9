"""What the network saw: the lab's own record of every call, the ground truth that the engine's report must equal.

The lab writes three files: `begun.csv` (one id per call from the site, at its first moment), `calls.csv` (its call
detail records, at each call's end) and `keys.csv` (every key that was sent as a whole).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faults import Fault, PeerError
from ivr.lab.subscribers import Behaviour

BEGUN, CALLS, KEYS = "begun.csv", "calls.csv", "keys.csv"
#: Each RTP packet carries 20 ms.
_PACKET_MS = 20
#: Q.850 cause of a call that was not answered. A subscriber who declines has a cause of 16 or 21 here.
_OUTCOMES = {1: "invalid_number", 16: "rejected", 17: "busy", 21: "rejected", 34: "congestion"}


@dataclass(frozen=True, kw_only=True)
class SentKey:
    key: str
    #: When it went down, since the answer.
    at_ms: int
    held_ms: int


@dataclass(frozen=True, kw_only=True)
class LabCall:
    """One call as the network saw it. Moments are UTC in milliseconds since 1970."""

    #: The lab's own id of the call.
    id: str
    #: Line in the subscribers file; None: the site called a number that is not there.
    line: int | None
    #: The subscriber, digits only; for a shopper's call, the caller.
    number: str
    #: Behaviour, or "unknown" for a number that is not in the file.
    behaviour: str
    started_at_ms: int
    #: None: not answered.
    answered_at_ms: int | None
    ended_at_ms: int
    #: Asterisk's word: ANSWERED, BUSY, NO ANSWER, FAILED, CONGESTION.
    disposition: str
    #: Q.850 cause; None: the site refused a shopper.
    cause: int | None
    #: Audio that reached the subscriber, by the RTP packets received.
    heard_ms: int
    #: Whether it was encrypted.
    encrypted: bool
    #: Who ended it: the subscriber (or the network that refused), or the site.
    ended_by: Literal["subscriber", "site"]
    keys: tuple[SentKey, ...]

    @property
    def from_shopper(self) -> bool:
        return self.behaviour == Behaviour.SHOPPER

    @property
    def outcome(self) -> str:
        """human, machine, busy, no_answer, rejected, invalid_number or congestion."""
        if self.answered_at_ms is not None:
            return "machine" if self.behaviour == Behaviour.MACHINE else "human"
        if self.from_shopper:
            return {"BUSY": "busy", "CONGESTION": "congestion", "FAILED": "rejected"}.get(self.disposition, "no_answer")
        return _OUTCOMES.get(self.cause or 0, "no_answer")

    @property
    def talked_ms(self) -> int:
        """From the answer to the end; 0 when not answered."""
        return 0 if self.answered_at_ms is None else self.ended_at_ms - self.answered_at_ms


@dataclass(frozen=True, kw_only=True)
class SubscriberTruth:
    """All calls of one number, oldest first."""

    number: str
    calls: tuple[LabCall, ...]

    @property
    def answered(self) -> int:
        """How many calls were answered."""
        return sum(call.answered_at_ms is not None for call in self.calls)

    @property
    def outcome(self) -> str:
        """Of the last call."""
        return self.calls[-1].outcome

    @property
    def keys(self) -> tuple[SentKey, ...]:
        """On all calls, in order."""
        return tuple(key for call in self.calls for key in call.keys)

    @property
    def heard_ms(self) -> int:
        """On all calls together."""
        return sum(call.heard_ms for call in self.calls)


@dataclass(frozen=True, kw_only=True)
class Truth:
    #: Every call that has ended, in the order they began.
    calls: tuple[LabCall, ...]
    #: Calls from the site that have not ended yet.
    in_progress: int

    @property
    def subscribers(self) -> Mapping[str, SubscriberTruth]:
        """Number -> what became of the site's calls to it. A number that was never called is not there."""
        return _by_number(call for call in self.calls if not call.from_shopper)

    @property
    def shoppers(self) -> Mapping[str, SubscriberTruth]:
        """Caller id -> the shopper's calls to the site."""
        return _by_number(call for call in self.calls if call.from_shopper)


def _by_number(calls: Iterable[LabCall]) -> dict[str, SubscriberTruth]:
    grouped: dict[str, list[LabCall]] = defaultdict(list)
    for call in calls:
        grouped[call.number].append(call)
    return {number: SubscriberTruth(number=number, calls=tuple(of)) for number, of in grouped.items()}


def record_folder(folder: Path) -> Path:
    """Where the lab in `folder` writes its record."""
    return folder / "log" / "cdr-custom"


def load_truth(folder: Path) -> Truth:
    """What the lab in `folder` has recorded since its last start; nothing when it has not run. Raises PeerError."""
    record = record_folder(folder)
    begun, calls, keys = (_read(record / name) for name in (BEGUN, CALLS, KEYS))
    try:
        return parse_truth(begun=begun, calls=calls, keys=keys)
    except (ValueError, IndexError) as error:
        mend = "Start the lab again; it begins a fresh record."
        raise PeerError(Fault(what=f"The lab's record can't be read: {error}.", where=record, mend=mend)) from error


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""


def parse_truth(*, begun: str, calls: str, keys: str) -> Truth:
    """The record from the text of its files; a last line that is not complete yet is left out. Raises ValueError."""
    pressed: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for call_id, key, at, held in _lines(keys):
        pressed[call_id].append((key, _ms(at) or 0, int(held)))
    ended = sorted((_call(fields, pressed) for fields in _lines(calls)), key=lambda call: call.started_at_ms)
    seen = {call.id for call in ended}
    return Truth(calls=tuple(ended), in_progress=sum(fields[0] not in seen for fields in _lines(begun)))


def _lines(text: str) -> Iterable[list[str]]:
    return csv.reader(text[: text.rfind("\n") + 1].splitlines())


def _call(fields: list[str], pressed: Mapping[str, list[tuple[str, int, int]]]) -> LabCall:
    call_id, line, number, behaviour, start, answer, end, disposition, cause, source, packets, encrypted = fields
    answered_at_ms = _ms(answer)
    return LabCall(
        id=call_id,
        line=int(line) if line else None,
        number=number,
        behaviour=behaviour,
        started_at_ms=_ms(start) or 0,
        answered_at_ms=answered_at_ms,
        ended_at_ms=_ms(end) or 0,
        disposition=disposition,
        cause=int(cause) if cause else None,
        heard_ms=int(packets or 0) * _PACKET_MS,
        encrypted=encrypted == "1",
        # Asterisk names the dialplan when its Hangup() ended the call, and the channel when a BYE or CANCEL came.
        ended_by="subscriber" if source.startswith("dialplan/") else "site",
        keys=tuple(
            SentKey(key=key, at_ms=at_ms - (answered_at_ms or at_ms), held_ms=held)
            for key, at_ms, held in pressed.get(call_id, ())
        ),
    )


def _ms(seconds: str) -> int | None:
    """Milliseconds of "1795360718.908216"; None for Asterisk's zero and for nothing."""
    return round(float(seconds) * 1000) or None if seconds else None
