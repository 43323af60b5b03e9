"""What calls see of the journal: write a line and go on, or wait until an opt-out is on the disk.

A line is in a file when it is written here, and in the database within a second. When the database can't take it
(locked, disk full), lines are tried again; beyond a bound they go from memory to a file (JSON lines), which is read
back as soon as the database is well, or at the next start. Calls never wait for the database, and are not woken by it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from ivr.journal.ahead import Ahead
from ivr.journal.calls import CallJournal, Leg
from ivr.journal.committing import Committing
from ivr.journal.lines import Fate, Line
from ivr.journal.reserve import Reserve
from ivr.journal.spill import Spill
from people.store.group_commit import GroupWriter

log = structlog.get_logger()

#: An opt-out that the database has not taken by then is written into the reserve as well.
COMMIT_S = 0.5
#: A caller who opted out hears by then what became of it.
KEEP_S = 1.5
#: A thread that has been at its lines for so long will not come for more soon.
STUCK_S = 2.0
#: At the end the thread has so long to come out of a write; SQLite waits 10 s for a lock.
CLOSE_S = 15.0


class JournalDied(Exception):
    """The journal's thread has ended though nobody closed the journal."""


class Journal:
    """Collects the lines of every call and commits them. `start` before the first call, `close` after the last.

    `writer` becomes the journal's and is closed with it. Made inside the running loop, and used from it.
    """

    def __init__(self, writer: GroupWriter, spill: Path, *, keep_at_most: int = 100_000) -> None:
        self._rows = writer
        self._keep_at_most = keep_at_most
        self._spill = Spill(spill)
        self._reserve = Reserve(spill.with_name("opt-outs.reserve"))
        self._ahead = Ahead((spill.with_suffix(".ahead-1.jsonl"), spill.with_suffix(".ahead-2.jsonl")))
        self._work = Committing(writer, self._ahead, self._spill, self._reserve, keep_at_most=keep_at_most)
        self._thread: threading.Thread | None = None
        self._flushing = False
        #: One thread for opt-outs, one for what the journal's thread is too stuck to spill; started when needed.
        self._aside = ThreadPoolExecutor(2, "journal-aside")
        self._spilling: Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._over = False
        self._ended = asyncio.Event()
        self._closed = False

    async def start(self) -> None:
        """Read back what an earlier run could not commit, as far as the database takes it now, and begin to write."""
        await asyncio.to_thread(self._open)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        opening: Sequence[tuple[Callable[[], None], str]] = (
            (self._spill.open, "journal.not_read_back"),
            (lambda: self._ahead.open(self._spill.take_over), "journal.no_file"),
            (self._reserve.open, "journal.no_reserve"),
        )
        for open_file, event in opening:
            try:
                open_file()
            except OSError as error:
                log.error(event, what=str(error))
        self._work.read_back_first()

    def _run(self) -> None:
        try:
            self._work.run()
        finally:
            self._over = True
            # The loop may be gone before a stuck thread is.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ended.set)

    # ------------------------------------------------------------ what calls write

    def begin(self, leg: Leg) -> CallJournal:
        """The journal of a new call."""
        call = CallJournal(self, leg)
        call.begin()
        return call

    def write(self, *lines: Line) -> None:
        """Commit `lines` in one transaction, soon. Never waits for the database."""
        if len(self._ahead) >= self._keep_at_most and (self.stuck_s > STUCK_S or not self.alive):
            if len(self._ahead) >= 2 * self._keep_at_most:
                self._work.lose(lines, "neither the database nor the disk took lines")
                return
            if self._spilling is None or self._spilling.done():
                self._spilling = self._aside.submit(self._spill_ahead)
        self._ahead.put(lines)
        if not self._flushing:
            # Before the loop waits for anything; what this turn of the loop brings beside it is written with it.
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self._ahead.flush():
            # Only in memory: better not for long.
            self._work.hurry()

    def _spill_ahead(self) -> None:
        log.error("journal.stuck", what="The database takes no lines and does not say why.", for_s=round(self.stuck_s))
        self._work.give_up(self._ahead.take())

    async def keep(self, line: Line, *beside: Line) -> bool:
        """Commit an opt-out and the lines `beside` it; True as soon as the opt-out is on the disk.

        In the database, or else in the reserve, from which it gets there later. False after KEEP_S at most, when
        neither takes it; that is told, and the database still gets it when it can.
        """
        fate: Future[Fate] = Future()
        self.write(*beside, line._replace(fate=fate))
        self._work.hurry()
        committed = asyncio.wrap_future(fate)
        deadline_s = time.monotonic() + KEEP_S
        if not self._work.troubled and self.alive:
            await asyncio.wait({committed}, timeout=COMMIT_S)
        if fate.done() and fate.result() is not Fate.NOT_NOW:
            # A line that is refused was told as a loss by the thread.
            return fate.result() is Fate.COMMITTED
        reserved = self._loop.run_in_executor(self._aside, self._reserve_line, line)
        waiting: set[asyncio.Future[Any]] = {committed, reserved}
        while waiting and (left_s := deadline_s - time.monotonic()) > 0:
            _, waiting = await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if (fate.done() and fate.result() is Fate.COMMITTED) or (reserved.done() and reserved.result()):
                return True
        self.lose(line, "could not be kept when it was asked for")
        return False

    def _reserve_line(self, line: Line) -> bool:
        try:
            self._reserve.put(line)
        except (OSError, ValueError) as error:
            log.error("journal.not_reserved", what=str(error), call=line.whose.call_id)
            return False
        return True

    def lose(self, line: Line, why: str) -> None:
        """The opt-out `line` is not kept: told at once, and by a row of the table `loss`."""
        log.error("journal.opt_out_lost", call=line.whose.call_id, why=why)
        self._work.lose([line], why)

    # ------------------------------------------------------------ how it is

    @property
    def opt_outs_waiting(self) -> int:
        """Opt-outs that people heard confirmed, that lie in a file and are not on the do-not-call list yet."""
        return self._reserve.opt_outs + self._spill.opt_outs

    @property
    def alive(self) -> bool:
        """Its thread runs."""
        return self._thread is not None and not self._over

    @property
    def stuck_s(self) -> float:
        """For how long its thread has been at what it took last; more than some seconds: database or disk hang."""
        since_s = self._work.busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    async def watch(self) -> None:
        """Wait until the journal is closed. Raises JournalDied when its thread ends before."""
        await self._ended.wait()
        if not self._closed:
            raise JournalDied("The journal's thread has ended: calls are not recorded.")

    # ------------------------------------------------------------ the end

    async def close(self) -> None:
        """Commit what is left; what the database does not take goes to the spill file."""
        self._closed = True
        self._work.closing.set()
        self._work.hurry()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.join(CLOSE_S)
        if self.alive:
            log.error("journal.stuck", what="The database does not come back from a write.", for_s=round(self.stuck_s))
            self._work.put_away_without_thread()
        else:
            self._rows.close()
        self._aside.shutdown(wait=False)
        self._ahead.close()
        self._reserve.close()
