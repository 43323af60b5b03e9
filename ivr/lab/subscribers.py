"""Who the lab's subscribers are and what each does when called: the subscribers file, checked as a whole.

A CSV file in UTF-8 with a header; columns may be in any order, and those that a behaviour does not know stay empty:

    number      digits as the site dials them; for a shopper, the caller id
    behaviour   one of those below
    after_s     seconds from the call to the answer, or to the refusal (default 1)
    speech_ms   says "alo" of so many milliseconds after the answer (default 0; human: 600)
    greeting_s  machine: length of the greeting before the beep (default 8)
    keys        keys to press, seconds after the answer: 1@4.2;2@9 — held for 0.1 s, or as written: 1@4.2/0.5
    hang_up_s   hangs up so long after the answer; empty: listens until the other side hangs up
    start_s     shopper: calls so long after the lab begins to place calls (default 0)
    dial        shopper: the number of the hotline

Behaviours:

    listen       answers and listens in silence
    human        answers, says "alo", listens; may press keys and hang up
    keys         answers and presses keys: right ones, wrong ones, in quick succession
    hang_up      answers and hangs up after hang_up_s; may press keys before
    silent       answers and never speaks, presses or hangs up
    machine      answers with a greeting and a beep, then records
    busy         is busy (486)
    no_answer    rings until the caller gives up; with after_s, until the network does (480)
    rejected     rings, then declines the call (603)
    unallocated  is no such number (404), as is every number that is not in the file
    congestion   can't be reached, the network is full (503)
    shopper      calls the hotline and walks a list of keys

A key pressed while another is held ends that one, as on a telephone. A number may have several rows: its first call
does what the first row says, its second call the second; the last row is for all further calls. Shoppers' rows are one
call each.

    number,behaviour,after_s,keys,hang_up_s,dial
    79160000001,busy,,,,
    79160000001,human,2,1@12.5;2@20,,
    79160000002,hang_up,1,,7.25,
    79160000003,shopper,,1@6;3@14,40,74950000000
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path

from faults import AuthorError, Fault
from ivr.flow.keys import KEYPAD
from prompts.files import read_text


class Behaviour(StrEnum):
    """What each does is said at the top of this file."""

    LISTEN = "listen"
    HUMAN = "human"
    KEYS = "keys"
    HANG_UP = "hang_up"
    SILENT = "silent"
    MACHINE = "machine"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNALLOCATED = "unallocated"
    CONGESTION = "congestion"
    SHOPPER = "shopper"


@dataclass(frozen=True, kw_only=True)
class KeyPress:
    key: str
    #: Since the answer.
    at_s: float
    hold_s: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """One row of the file."""

    line: int
    #: Digits only.
    number: str
    behaviour: Behaviour
    #: None: rings for ever.
    after_s: float | None = 1.0
    speech_ms: int = 0
    greeting_s: float = 8.0
    keys: tuple[KeyPress, ...] = ()
    hang_up_s: float | None = None
    start_s: float = 0.0
    dial: str = ""


_REFUSALS = (Behaviour.BUSY, Behaviour.REJECTED, Behaviour.UNALLOCATED, Behaviour.CONGESTION, Behaviour.NO_ANSWER)
_LISTENER = ("after_s", "speech_ms", "keys", "hang_up_s")
#: Which columns a behaviour may fill in, and those it must.
_ALLOWED: Mapping[Behaviour, tuple[str, ...]] = {
    Behaviour.LISTEN: ("after_s", "speech_ms"),
    Behaviour.HANG_UP: _LISTENER,
    Behaviour.KEYS: _LISTENER,
    Behaviour.HUMAN: _LISTENER,
    Behaviour.SILENT: ("after_s",),
    Behaviour.MACHINE: ("after_s", "greeting_s", "hang_up_s"),
    **dict.fromkeys(_REFUSALS, ("after_s",)),
    Behaviour.SHOPPER: ("start_s", "dial", "speech_ms", "keys", "hang_up_s"),
}
_REQUIRED: Mapping[Behaviour, tuple[str, ...]] = {
    Behaviour.HANG_UP: ("hang_up_s",),
    Behaviour.KEYS: ("keys",),
    Behaviour.SHOPPER: ("dial",),
}
_DEFAULTS: Mapping[Behaviour, Mapping[str, float | None]] = {
    Behaviour.HUMAN: {"speech_ms": 600},
    Behaviour.NO_ANSWER: {"after_s": None},
}
COLUMNS = (
    "number", "behaviour", "after_s", "speech_ms", "greeting_s", "keys", "hang_up_s", "start_s", "dial",
)  # fmt: skip
#: A hundred thousand subscribers are 4 MB.
MAX_BYTES = 64 * 1024 * 1024
#: Nothing in the lab lasts longer.
_LONGEST_S = 3600.0
#: A machine's beep after its greeting.
BEEP_S = 0.4
#: Asterisk's SendDTMF is quiet for 0.1 s before each key.
_BETWEEN_KEYS_S = 0.15
#: Asterisk holds no key for less.
_SHORTEST_KEY_S = 0.1


def load_subscribers(path: Path) -> tuple[Subscriber, ...]:
    """The rows of the file. Raises AuthorError with every fault."""
    try:
        text = read_text(path, at_most=MAX_BYTES)
    except FileNotFoundError as error:
        raise AuthorError(Fault(what="The file is missing.", where=path, mend="Name an existing CSV file.")) from error
    except OSError as error:
        fault = Fault(what=f"The file can't be read: {error.strerror}.", where=path, mend="Name an existing CSV file.")
        raise AuthorError(fault) from error
    except UnicodeDecodeError as error:
        raise AuthorError(Fault(what=f"It can't be read: {error}.", where=path, mend="Save it as UTF-8.")) from error
    return parse_subscribers(text, path)


def parse_subscribers(text: str, where: Path | str = "subscribers") -> tuple[Subscriber, ...]:
    """The rows of the file's text. Raises AuthorError with every fault."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    faults: list[Fault] = []
    subscribers: list[Subscriber] = []
    try:
        header = list(reader.fieldnames or ())
        for column in header:
            if column not in COLUMNS:
                known = f"Use the columns {', '.join(COLUMNS)}."
                faults.append(Fault(what=f"There is no column {column!r}.", where=where, line=1, mend=known))
        for column in ("number", "behaviour"):
            if column not in header:
                mend = "Write it in the header, and fill it in every row."
                faults.append(Fault(what=f"The column {column} is missing.", where=where, line=1, mend=mend))
        if not faults:
            for row in reader:
                checked = _Row(row, where, reader.line_num)
                subscriber = checked.subscriber()
                faults += checked.faults
                if subscriber:
                    subscribers.append(subscriber)
    except csv.Error as error:
        faults.append(
            Fault(what=f"This is no CSV: {error}.", where=where, line=reader.line_num, mend="Mend the quotes.")
        )
    if faults:
        raise AuthorError(faults)
    if not subscribers:
        raise AuthorError(Fault(what="There are no subscribers.", where=where, mend="Add a row for each number."))
    return tuple(subscribers)


class _Row:
    """Reads the fields of one row and gathers their faults."""

    def __init__(self, fields: Mapping[str, str | list[str] | None], where: Path | str, line: int) -> None:
        self._extra = fields.get("")
        self._fields = {k: v.strip() for k, v in fields.items() if isinstance(v, str) and v.strip()}
        self._where, self._line = where, line
        self.faults: list[Fault] = []

    def _fault(self, what: str, mend: str) -> None:
        self.faults.append(Fault(what=what, where=self._where, line=self._line, mend=mend))

    def subscriber(self) -> Subscriber | None:
        """The row as data; None when there are faults."""
        if self._extra:
            self._fault("There are more fields than columns.", "Write lists of keys with semicolons.")
        number = self._number("number")
        try:
            behaviour = Behaviour(self._fields.get("behaviour", ""))
        except ValueError:
            known = f"Use one of {', '.join(Behaviour)}."
            self._fault(f"There is no behaviour {self._fields.get('behaviour', '')!r}.", known)
            return None
        for column in sorted(self._fields.keys() - {"number", "behaviour", *_ALLOWED[behaviour]}):
            self._fault(f"{behaviour} has no {column}.", "Leave the field empty, or choose another behaviour.")
        for column in _REQUIRED.get(behaviour, ()):
            if column not in self._fields:
                self._fault(f"{behaviour} needs {column}.", "Fill the field in.")
        given = _DEFAULTS.get(behaviour, {})
        hang_up_s = self._seconds("hang_up_s", None)
        keys = self._keys(math.inf if hang_up_s is None else hang_up_s)
        subscriber = Subscriber(
            line=self._line,
            number=number,
            behaviour=behaviour,
            after_s=self._seconds("after_s", given.get("after_s", 1.0)),
            speech_ms=int(self._seconds("speech_ms", given.get("speech_ms", 0), longest=60_000) or 0),
            greeting_s=self._seconds("greeting_s", 8.0, longest=120) or 0.0,
            keys=keys,
            hang_up_s=hang_up_s,
            start_s=self._seconds("start_s", 0.0) or 0.0,
            dial=self._number("dial") if "dial" in self._fields else "",
        )
        if not self.faults:
            self._check_order(subscriber)
        return None if self.faults else subscriber

    def _check_order(self, subscriber: Subscriber) -> None:
        """Nobody presses a key or hangs up while speaking."""
        speaks_s = subscriber.speech_ms / 1000
        if subscriber.behaviour is Behaviour.MACHINE:
            speaks_s = subscriber.greeting_s + BEEP_S
        if any(press.at_s < speaks_s for press in subscriber.keys):
            self._fault(f"A key comes before the speech is over ({speaks_s:g} s).", "Press it later.")
        if subscriber.hang_up_s is not None and subscriber.hang_up_s < speaks_s:
            self._fault(f"The hang-up comes before the speech is over ({speaks_s:g} s).", "Hang up later.")

    def _number(self, column: str) -> str:
        value = self._fields.get(column, "")
        if not re.fullmatch(r"\+?[0-9]{2,20}", value):
            self._fault(f"{column} {value!r} is no number.", "Write 2 to 20 digits, as they are dialled.")
        return value.removeprefix("+")

    def _seconds(self, column: str, default: float | None, *, longest: float = _LONGEST_S) -> float | None:
        if column not in self._fields:
            return default
        try:
            value = float(self._fields[column])
        except ValueError:
            value = math.nan
        if not 0 <= value <= longest:
            self._fault(f"{column} {self._fields[column]!r} is no time.", f"Write a number from 0 to {longest:g}.")
            return default
        return value

    def _keys(self, end_s: float) -> tuple[KeyPress, ...]:
        presses: list[KeyPress] = []
        for text in filter(None, map(str.strip, re.split("[;,]", self._fields.get("keys", "")))):
            match = re.fullmatch(r"(.)@(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?", text)
            if not match or match[1] not in KEYPAD:
                self._fault(
                    f"{text!r} is no key press.", "Write key@seconds or key@seconds/held, such as 1@4.2;2@9/0.3."
                )
                continue
            press = KeyPress(key=match[1], at_s=float(match[2]), hold_s=float(match[3] or 0.1))
            if not _SHORTEST_KEY_S <= press.hold_s <= 10:
                self._fault(
                    f"Key {text!r} is held for {press.hold_s:g} s.", f"Hold it for {_SHORTEST_KEY_S:g} to 10 s."
                )
            if press.at_s >= end_s:
                self._fault(f"Key {text!r} comes after the hang-up.", "Press it before hang_up_s.")
            presses.append(press)
        return self._cut(presses)

    def _cut(self, presses: list[KeyPress]) -> tuple[KeyPress, ...]:
        """The presses with each one over before the next begins."""
        cut: list[KeyPress] = []
        for press, after in zip_longest(presses, presses[1:]):
            room_s = after.at_s - press.at_s - _BETWEEN_KEYS_S if after else math.inf
            if after and room_s < _SHORTEST_KEY_S:
                text = f"Keys {press.key}@{press.at_s:g} and {after.key}@{after.at_s:g} are too close."
                self._fault(text, "Write keys in the order they are pressed, 0.25 s apart or more.")
            cut.append(KeyPress(key=press.key, at_s=press.at_s, hold_s=min(press.hold_s, room_s)))
        return tuple(cut)
