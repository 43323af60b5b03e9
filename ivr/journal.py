"""What happened on each call, kept while it happens: calls write and go on, one thread commits in groups.

A line is in the database at most 100 ms after it was written here. When the database can't take it (locked, disk full),
lines wait in memory and are tried again; beyond a bound the oldest go to a file (JSON lines) that the next start reads
back. Calls never wait for the journal, and are not woken by it: the thread waits, commits and tries again by itself.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal, get_args

import structlog

from ivr.flow.steps import Note, NoteKind
from people.numbers import mask_phone
from people.store.group_commit import GroupWriter, NotNow, Refused, Row

log = structlog.get_logger()

#: How long the first line of a group waits for others. With the commit itself it stays below 100 ms.
GROUP_S = 0.07
#: Waits between attempts on a database that can't take lines.
RETRY_FIRST_S, RETRY_LONGEST_S = 0.1, 2.0

#: In the order in which a group is written.
Kind = Literal["begun", "notes", "ended", "opt_outs", "requests"]
Line = tuple[Kind, Row]


class Lines:
    """Lines that are committed together: per kind, in the order they were written."""

    __slots__ = ("by_kind", "count")

    def __init__(self) -> None:
        self.by_kind: dict[str, list[Row]] = {kind: [] for kind in get_args(Kind)}
        self.count = 0

    def add(self, lines: Iterable[Line]) -> None:
        for kind, row in lines:
            self.by_kind[kind].append(row)
            self.count += 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """What is known of a call when it begins: the columns of the table `call`."""

    id: str
    tenant: str
    direction: str
    attempt_id: str | None
    uniqueid: str
    phone: str
    dialled: str
    flow: str
    language: str
    amd: str
    started_at_ms: int
    answered_at_ms: int | None

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "tenant": self.tenant,
            "direction": self.direction,
            "attempt_id": self.attempt_id,
            "uniqueid": self.uniqueid[:64],
            "phone": self.phone[:32],
            "dialled": self.dialled[:32],
            "flow": self.flow[:64],
            "language": self.language,
            "amd": self.amd[:64],
            "started_at_ms": self.started_at_ms,
            "answered_at_ms": self.answered_at_ms,
        }


class CallJournal:
    """The lines of one call."""

    __slots__ = ("_at_ms", "_journal", "_seq", "leg")

    def __init__(self, journal: Journal, leg: Leg) -> None:
        self._journal = journal
        self._seq = 0
        self._at_ms = leg.started_at_ms if leg.answered_at_ms is None else leg.answered_at_ms
        self.leg = leg

    def note(self, note: Note, now_ms: int) -> None:
        """Keep `note`; an opt-out or a request is carried out in the same transaction."""
        heard = note.heard
        row = {
            "call_id": self.leg.id,
            "seq": self._seq,
            "at_ms": max(0, now_ms - self._at_ms),
            "kind": note.kind.value,
            "node": note.node[:100],
            "value": (note.value if heard is None else heard.text)[:200],
            "follow_up": note.follow_up,
            "depth": note.depth,
            "main": note.main,
            "heard_ms": None if heard is None else heard.heard_ms,
            "length_ms": None if heard is None else heard.length_ms,
            "ended": None if heard is None else heard.ended.value,
        }
        self._seq += 1
        self._journal.write(("notes", row), *self._carried_out(note, now_ms))

    def _carried_out(self, note: Note, now_ms: int) -> tuple[Line, ...]:
        """What `note` asks for beside being kept."""
        leg = self.leg
        if note.kind is NoteKind.REQUEST:
            request = {
                "tenant": leg.tenant,
                "kind": note.value[:32],
                "phone": leg.phone[:32],
                "call_id": leg.id,
                "variables": dict(note.variables),
                "asked_at_ms": now_ms,
            }
            return (("requests", request),)
        if note.kind is not NoteKind.OPT_OUT:
            return ()
        if not leg.phone or len(leg.phone) > 16:
            log.warning("journal.opt_out_without_number", call=leg.id, phone=mask_phone(leg.phone))
            return ()
        opt_out = {"tenant": leg.tenant, "phone": leg.phone, "since_ms": now_ms, "source": "call", "call_id": leg.id}
        return (("opt_outs", opt_out),)

    def end(self, ended_by: str, language: str, now_ms: int) -> None:
        """The call is over. `ended_by` is one of the values of the table's column."""
        # The whole row once more: its first line may lie in the spill file.
        row = self.leg.row()
        row["ended_by"], row["language"], row["ended_at_ms"] = ended_by, language, now_ms
        self._journal.write(("ended", row))


class Journal:
    """Collects the lines of every call and commits them. `start` before the first call, `close` after the last.

    `writer` becomes the journal's and is closed with it.
    """

    def __init__(self, writer: GroupWriter, spill: Path, *, keep_at_most: int = 100_000) -> None:
        self._rows = writer
        self._spill = spill
        self._keep_at_most = keep_at_most
        #: What calls wrote. The lines of an entry belong into one transaction; an entry without lines wakes the thread.
        self._written: SimpleQueue[tuple[Line, ...]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        # The thread's own:
        #: Groups the database has not taken yet, oldest first.
        self._waiting: deque[Lines] = deque()
        self._waiting_count = 0
        self._troubled = False

    async def start(self) -> None:
        """Read back what an earlier run could not commit, and begin to write."""
        await asyncio.to_thread(self._read_back)
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)
        self._thread.start()

    def begin(self, leg: Leg) -> CallJournal:
        """The journal of a new call."""
        self.write(("begun", leg.row()))
        return CallJournal(self, leg)

    def write(self, *lines: Line) -> None:
        """Commit `lines` in one transaction, soon. Never waits."""
        self._written.put(lines)

    async def close(self) -> None:
        """Commit what is left; what the database does not take goes to the spill file."""
        self._closing.set()
        self.write()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._rows.close()

    # ------------------------------------------------------------ the thread

    def _write_groups(self) -> None:
        retry_s = 0.0
        while not self._closing.is_set():
            if self._waiting:
                self._closing.wait(retry_s)
                self._gather()
            else:
                first = self._written.get()
                time.sleep(GROUP_S)
                self._gather(first)
            if self._commit_waiting():
                retry_s = 0.0
            else:
                self._keep_within_bound()
                retry_s = min(RETRY_LONGEST_S, retry_s * 2 or RETRY_FIRST_S)
        self._gather()
        self._commit_waiting()
        while self._waiting:
            self._give_up(self._waiting.popleft())

    def _gather(self, first: tuple[Line, ...] = ()) -> None:
        """Make a group of `first` and of what was written since."""
        group = Lines()
        group.add(first)
        with suppress(Empty):
            while True:
                group.add(self._written.get_nowait())
        if group.count:
            self._waiting.append(group)
            self._waiting_count += group.count

    def _keep_within_bound(self) -> None:
        while self._waiting_count > self._keep_at_most:
            oldest = self._waiting.popleft()
            self._waiting_count -= oldest.count
            self._give_up(oldest)

    def _commit_waiting(self) -> bool:
        """Commit group after group; False when the database can't take them now."""
        while self._waiting:
            group = self._waiting[0]
            try:
                self._rows.write(group.by_kind)
            except NotNow as error:
                self._trouble(error)
                return False
            except Refused as error:
                self._reject(group, error)
            if self._troubled:
                self._troubled = False
                log.info("journal.recovered")
            self._waiting.popleft()
            self._waiting_count -= group.count
        return True

    def _trouble(self, error: NotNow) -> None:
        if self._troubled:
            return
        self._troubled = True
        log.error(
            "journal.waiting",
            what=f"The database takes no lines: {error}.",
            mend="Free disk space or end what locks the database; lines are kept and written then.",
            lines=self._waiting_count,
        )

    # ------------------------------------------------------------ lines that the database did not take

    def _give_up(self, group: Lines) -> None:
        """Append a group to the spill file; the next start reads it back."""
        self._save(self._spill, group)

    def _reject(self, group: Lines, error: Refused) -> None:
        """The database refuses these very lines: put them aside, so that they don't block the rest."""
        place = self._spill.with_suffix(".rejected.jsonl")
        log.error("journal.rejected", what=str(error), where=str(place), lines=group.count)
        self._save(place, group)

    def _save(self, path: Path, group: Lines) -> None:
        text = "".join(
            json.dumps({"kind": kind, "row": row}, ensure_ascii=False) + "\n"
            for kind, rows in group.by_kind.items()
            for row in rows
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            log.error("journal.lost", what=f"{path}: {error}", lines=group.count)
        else:
            log.warning("journal.spilled", where=str(path), lines=group.count)

    def _read_back(self) -> None:
        try:
            text = self._spill.read_text("utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            log.error("journal.not_read_back", where=str(self._spill), what=str(error))
            return
        group = Lines()
        for number, line in enumerate(text.splitlines(), 1):
            try:
                item = json.loads(line)
                group.add([(item["kind"], item["row"])])
            except (ValueError, KeyError, TypeError) as error:
                # The last line of a file that a full disk cut.
                log.error("journal.unreadable", where=f"{self._spill}:{number}", what=str(error))
        try:
            self._rows.write(group.by_kind)
        except (NotNow, Refused) as error:
            log.error("journal.not_read_back", where=str(self._spill), what=str(error))
            return
        self._spill.unlink()
        log.info("journal.read_back", lines=group.count)
