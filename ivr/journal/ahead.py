"""Lines that were written and are not in the database yet: in memory for the journal's thread, and in a file.

The file is for a process that is killed: a line is in it before the call goes on, so that the database may be asked
seldom. There are two files. New lines go into one, while the other holds those that the thread has taken and commits.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from ivr.journal.lines import Line, to_json

log = structlog.get_logger()

Group = Sequence[Line]


class Ahead:
    """`put` and `flush` from the loop, `take` and `forget` from one thread at a time."""

    def __init__(self, paths: tuple[Path, Path]) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        #: Their JSON, as far as it is not in the file.
        self._unwritten: list[bytes] = []
        #: Without files lines are in memory only.
        self._fds: list[int] = []
        #: How long the file is that new lines go into.
        self._bytes = 0
        #: The other file holds lines that were taken and are not in the database.
        self._taken = False
        self._told = False

    def open(self, keep: Callable[[bytes], None]) -> None:
        """Take the files, make them where there are none. `keep` gets what an earlier run left in each.

        Raises OSError, also of `keep`, when they can't be had or are another process's; what is in them stays there.
        """
        fds: list[int] = []
        try:
            for path in self._paths:
                path.parent.mkdir(parents=True, exist_ok=True)
                # People's numbers are in it.
                fds.append(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600))
                fcntl.flock(fds[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path, fd in zip(self._paths, fds, strict=True):
                if left := path.read_bytes():
                    keep(left)
                    os.ftruncate(fd, 0)
        except OSError:
            for fd in fds:
                os.close(fd)
            raise
        self._fds = fds

    def __len__(self) -> int:
        """Lines that were not taken yet."""
        return len(self._lines)

    def put(self, lines: Group) -> None:
        """Keep `lines`, which belong into one transaction; `flush` follows."""
        with self._lock:
            self._lines += lines
            self._unwritten += map(to_json, lines)

    def flush(self) -> bool:
        """Write what was put into the file; False when it has no room, so that the lines are in memory only."""
        with self._lock:
            data, self._unwritten = b"".join(self._unwritten), []
            if not self._fds:
                return False
            try:
                written = os.write(self._fds[0], data)
                if written == len(data):
                    self._bytes += written
                    return True
                reason = os.strerror(errno.ENOSPC)
            except OSError as error:
                reason = error.strerror or str(error)
            self._cut_back(reason)
            return False

    def _cut_back(self, reason: str) -> None:
        """The next line must not be appended to half a line."""
        with suppress(OSError):
            os.ftruncate(self._fds[0], self._bytes)
        if not self._told:
            self._told = True
            log.error("journal.no_room", what=reason, where=str(self._paths[0].parent))

    def take(self) -> list[Line]:
        """What was put since the last time. It stays in a file until `forget`."""
        with self._lock:
            lines, self._lines = self._lines, []
            if lines and not self._taken and self._fds:
                self._fds.reverse()
                self._bytes, self._taken = 0, True
        return lines

    def forget(self) -> None:
        """All that was taken is in the database, or in another file. Raises OSError."""
        with self._lock:
            if self._taken and self._fds:
                os.ftruncate(self._fds[1], 0)
            self._taken = self._told = False

    def close(self) -> None:
        """All that was put is in the database, or in another file: take the files away."""
        with self._lock:
            for fd, path in zip(self._fds, self._paths, strict=False):
                path.unlink(missing_ok=True)
                os.close(fd)
            self._fds = []
