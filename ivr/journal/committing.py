"""The journal's thread: lines into the database in groups; what it does not take into files, and back from them.

One thread does all of it, so it must not end by itself: every fault is told, and the next turn taken.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

import structlog

from ivr.journal.ahead import Ahead, Group
from ivr.journal.lines import Fate, Line, Losses, by_kind, halves, storable
from ivr.journal.reserve import Reserve
from ivr.journal.spill import Spill
from people.store.group_commit import GroupWriter, NotNow, Refused

log = structlog.get_logger()

#: Lines wait so long for others. Meanwhile they are in a file; a commit for each would cost more than the calls.
GROUP_S = 1.0
#: Waits between attempts on a database that can't take lines.
RETRY_FIRST_S, RETRY_LONGEST_S = 0.1, 2.0
#: Lines that the database has not taken for so long are safer in the file: a process can be killed.
PATIENCE_S = 5.0
#: Lines read back at a time.
CHUNK = 2000


class Committing:
    """`run` in a thread of its own. Others put into `ahead`, `hurry`, read what is marked as theirs."""

    def __init__(self, rows: GroupWriter, ahead: Ahead, spill: Spill, reserve: Reserve, *, keep_at_most: int) -> None:
        self._rows = rows
        self._ahead = ahead
        self._spill = spill
        self._reserve = reserve
        self._keep_at_most = keep_at_most
        #: Held, unless somebody is in a hurry. To wait for a lock with a time-out is less work than for an Event.
        self._unhurried = threading.Lock()
        self._unhurried.acquire()
        self.closing = threading.Event()
        #: The database did not take the last group that it was given.
        self.troubled = False
        #: Since when it has been at the lines it took last, on the monotonic clock; None: it waits for more.
        self.busy_since_s: float | None = None
        self._losses = Losses()
        self._losing = threading.Lock()
        #: Groups the database has not taken yet, oldest first.
        self._waiting: deque[Group] = deque()
        #: The group that is being committed, or what is left of it.
        self._in_hand: deque[Group] = deque()
        self._retry_s = 0.0
        #: Since when the database takes no lines, on the monotonic clock; None: it does.
        self._ill_since_s: float | None = None
        self._told = ""

    def run(self) -> None:
        """Commit until `closing` is set, then put into files what the database has not taken."""
        self._guarded(self._turns)
        self._guarded(self._last_turn)
        self._guarded(self._put_away)

    def hurry(self) -> None:
        """Don't wait for more lines: somebody waits for what is written already. From any thread."""
        with suppress(RuntimeError):
            self._unhurried.release()

    def read_back_first(self) -> None:
        """At the start, before the thread: bring what lies in files into the database, as far as it takes it now."""
        self._guarded(self._read_back_all)

    def _read_back_all(self) -> None:
        while self._spill.filled or self._reserve.held:
            if not self.read_back_some():
                return
        self._commit_losses()

    def _turns(self) -> None:
        while not self.closing.is_set():
            if not self._guarded(self._turn):
                # Whatever it is, it must not keep a processor busy.
                self._wait_longer()
                self.closing.wait(self._retry_s)

    def _guarded(self, what: Callable[[], object]) -> bool:
        """Whether `what` came to its end; a fault that keeps it from there is told once."""
        try:
            what()
        except Exception as error:
            if self._told != (this := repr(error)):
                self._told = this
                # On a full disk the log may not take it either.
                with suppress(Exception):
                    log.exception("journal.fault")
            return False
        return True

    def _wait_longer(self) -> None:
        self._retry_s = min(RETRY_LONGEST_S, self._retry_s * 2 or RETRY_FIRST_S)

    # ------------------------------------------------------------ turns

    def _turn(self) -> None:
        """Wait until it is time; then commit what there is."""
        # Not woken by lines: on a busy engine there are always some, and an idle one looks once a second.
        self._unhurried.acquire(timeout=self._retry_s or GROUP_S)
        if not self._ahead and not self._behind():
            return
        self.busy_since_s = time.monotonic()
        try:
            self._gather()
            well = self._commit_all()
        finally:
            self._keep_within_bound()
            if not self._waiting:
                self._ahead.forget()
            began_s, self.busy_since_s = self.busy_since_s, None
        if well:
            self._retry_s, self._told, self._ill_since_s = 0.0, "", None
            return
        self._wait_longer()
        if self._ill_since_s is None:
            self._ill_since_s = began_s
        if time.monotonic() - self._ill_since_s > PATIENCE_S:
            self._lay_in_file()

    def _behind(self) -> bool:
        """Whether something waits for the database already."""
        return bool(self._waiting or self._spill.filled or self._reserve.held or self._losses)

    def _gather(self) -> None:
        """Make a group of what was written since."""
        if group := list(map(storable, self._ahead.take())):
            self._waiting.append(group)

    def _commit_all(self) -> bool:
        """Commit what waits, then something of what lies in files; False when the database can't take it now."""
        while self._waiting:
            if not self._commit(self._waiting.popleft()):
                return False
        return self.read_back_some() and self._commit_losses()

    def _commit(self, group: Group) -> bool:
        """Commit `group`; a line that is refused is put aside alone. False: what is left of it waits, as the oldest."""
        parts = self._in_hand = deque([group])
        try:
            while parts:
                self._commit_first(parts)
        except NotNow as error:
            self._trouble(error)
            return False
        finally:
            self._waiting.extendleft(reversed(parts))
            parts.clear()
        return True

    def _commit_first(self, parts: deque[Group]) -> None:
        """Commit the first of `parts`, or put its halves in its place. Raises NotNow."""
        part = parts[0]
        try:
            self._rows.write(by_kind(part))
        except NotNow:
            raise
        except Exception as error:
            # Refused, or a fault of ours in the writer: either way these lines must not keep the others waiting.
            if len(part) > 1:
                parts.popleft()
                parts.extendleft(reversed(halves(part)))
            else:
                self._put_aside(part[0], error)
                parts.popleft()
            return
        parts.popleft()
        _tell(part, Fate.COMMITTED)
        if self.troubled:
            self.troubled = False
            log.info("journal.recovered")

    def _trouble(self, error: NotNow) -> None:
        # Whoever waits for a line need wait no longer.
        for group in (*self._in_hand, *self._waiting):
            _tell(group, Fate.NOT_NOW)
        if not self.troubled:
            self.troubled = True
            log.error(
                "journal.waiting",
                what=f"The database takes no lines: {error}.",
                mend="Free disk space or end what locks the database; lines are kept and written then.",
                lines=sum(map(len, (*self._in_hand, *self._waiting))),
            )

    # ------------------------------------------------------------ lines that the database does not take

    def _put_aside(self, line: Line, error: Exception) -> None:
        """The database refuses this very line: keep it in a file, so that it does not block the rest."""
        place = self._spill.rejected
        if not isinstance(error, Refused):
            log.error("journal.fault", exc_info=error)
        log.error("journal.rejected", what=str(error), where=str(place), lines=1, call=line.whose.call_id)
        try:
            self._spill.put_aside(line)
        except OSError as reason:
            log.error("journal.lost", what=f"{place}: {reason}", lines=1)
        if line.kind != "losses":
            self.lose([line], f"refused: {error}")
        _tell([line], Fate.REFUSED)

    def lose(self, lines: Group, why: str) -> None:
        """These lines are lost: a row of the table `loss` will say so. From any thread."""
        with self._losing:
            self._losses.add(lines, why, time.time_ns() // 1_000_000)

    def _commit_losses(self) -> bool:
        if not self._losses:
            return True
        with self._losing:
            lines = self._losses.take()
        return self._commit(lines)

    def _keep_within_bound(self) -> None:
        count = sum(map(len, self._waiting)) if self._waiting else 0
        while count > self._keep_at_most:
            oldest = self._waiting.popleft()
            count -= len(oldest)
            self.give_up(oldest)

    def _lay_in_file(self) -> None:
        """Move what waits into the spill file, as far as there is room; the rest goes on waiting."""
        while self._waiting:
            group = self._waiting.popleft()
            try:
                saved = self._spill.append(group)
            except OSError:
                saved = 0
            if saved < len(group):
                self._waiting.appendleft(group[saved:])
                return

    def give_up(self, group: Group) -> None:
        """Append `group` to the spill file, which is read back when the database is well; lose what finds no room.

        From any thread.
        """
        _tell(group, Fate.NOT_NOW)
        try:
            saved = self._spill.append(group)
        except OSError as error:
            saved = 0
            log.error("journal.lost", what=f"The file for lines can't be written: {error}.", lines=len(group))
        else:
            log.warning("journal.spilled", lines=saved, lost=len(group) - saved)
        self.lose(group[saved:], "neither the database nor the disk had room")

    # ------------------------------------------------------------ back from the files

    def read_back_some(self) -> bool:
        """Commit what lies in the reserve, and some of what lies in the spill file; False: the database can't now."""
        if self._reserve.held:
            kept = self._reserve.lines()
            if not self._commit_from_file(list(kept.values())):
                return False
            self._reserve.clear(kept)
        if self._spill.filled:
            lines, read_to = self._spill.read(CHUNK)
            if not self._commit_from_file(lines):
                return False
            if self._spill.done(lines, read_to):
                log.info("journal.read_back")
        return True

    def _commit_from_file(self, lines: Group) -> bool:
        """The same as `_commit`, but what the database does not take now stays in its file."""
        before = len(self._waiting)
        done = not lines or self._commit(lines)
        while len(self._waiting) > before:
            self._waiting.popleft()
        return done

    # ------------------------------------------------------------ the end

    def _last_turn(self) -> None:
        self._gather()
        self._commit_all()

    def _put_away(self) -> None:
        """Put what is left into the spill file; where that has no room, opt-outs and losses into the reserve."""
        left = [line for group in (*self._in_hand, *self._waiting) for line in group]
        self._waiting.clear()
        if left:
            self.give_up(left)
        with self._losing:
            losses = self._losses.take()
        if not losses:
            return
        with suppress(OSError):
            losses = losses[self._spill.append(losses) :]
        opt_outs = [line for line in left if line.kind == "opt_outs"] if losses else []
        held = {line.whose.call_id for line in self._reserve.lines().values()}
        for line in (*(line for line in opt_outs if line.whose.call_id not in held), *losses):
            try:
                self._reserve.put(line)
            except (OSError, ValueError) as error:
                log.error("journal.lost", what=f"The reserve is full: {error}.", call=line.whose.call_id)

    def put_away_without_thread(self) -> None:
        """The same as the thread's end, while the thread is stuck in a write that does not return."""
        self._gather()
        self._put_away()


def _tell(group: Group, fate: Fate) -> None:
    for line in group:
        waiting: Future[Fate] | None = line.fate
        if waiting is not None and not waiting.done():
            waiting.set_result(fate)
