"""The file for lines that the database can't take: JSON lines, appended by whoever has some, read back in order.

What a full disk or a power cut leaves of a line is told and passed over; the lines before and after it are whole.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from ivr.journal.lines import Line, from_json, to_json

log = structlog.get_logger()


class Spill:
    """May be used by several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        #: So far it has been read back.
        self._read_to = 0
        #: Where lines that no database takes are put aside.
        self.rejected = path.with_suffix(".rejected.jsonl")
        #: There may be something to read back.
        self.filled = False
        #: Opt-outs that lie in it.
        self.opt_outs = 0

    def open(self) -> None:
        """Look what an earlier run has left. Raises OSError when the file is there but can't be read."""
        if self._path.is_file():
            with self._lock, self._path.open("rb") as file:
                self.opt_outs = sum(_is_opt_out(line) for line in file)
                self.filled = True

    def append(self, lines: Sequence[Line]) -> int:
        """Append as many of `lines` as there is room for; how many. Raises OSError when the file can't be opened."""
        with self._lock:
            saved = _append(self._path, lines)
            if saved:
                self.filled = True
                self.opt_outs += sum(line.kind == "opt_outs" for line in lines[:saved])
        return saved

    def take_over(self, data: bytes) -> None:
        """Append what another file holds, as it is. Raises OSError when there is no room for all of it."""
        with self._lock:
            lines = data.splitlines(keepends=True)
            if _append_bytes(self._path, data if data.endswith(b"\n") else data + b"\n") < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            self.filled = True
            self.opt_outs += sum(map(_is_opt_out, lines))

    def put_aside(self, line: Line) -> bool:
        """Keep a line that the database will never take, in a file of its own. Raises OSError."""
        with self._lock:
            return _append(self.rejected, [line]) == 1

    def read(self, at_most: int) -> tuple[list[Line], int]:
        """The next lines, and how far that is, for `done`. Raises OSError."""
        lines: list[Line] = []
        with self._lock, self._path.open("rb") as file:
            file.seek(self._read_to)
            while len(lines) < at_most and (data := file.readline()):
                try:
                    lines.append(from_json(data))
                except ValueError as error:
                    if data.strip():
                        log.error(
                            "journal.unreadable", where=f"{self._path}, byte {file.tell() - len(data)}", what=str(error)
                        )
            return lines, file.tell()

    def done(self, lines: Sequence[Line], read_to: int) -> bool:
        """What was read is in the database; True when the file is read to its end and gone. Raises OSError."""
        with self._lock:
            self._read_to = read_to
            self.opt_outs -= sum(line.kind == "opt_outs" for line in lines)
            if self._path.stat().st_size > read_to:
                return False
            self._path.unlink()
            self._read_to = self.opt_outs = 0
            self.filled = False
            return True


def _is_opt_out(data: bytes) -> bool:
    try:
        return from_json(data).kind == "opt_outs"
    except ValueError:
        return False


def _append(path: Path, lines: Sequence[Line]) -> int:
    """Append whole lines, on the disk when this returns; how many there was room for."""
    return _append_bytes(path, b"".join(map(to_json, lines)))


def _append_bytes(path: Path, data: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    # People's numbers are in it.
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(fd).st_size
        cut = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        data = b"\n" + data if cut else data
        written = _write(fd, data)
        if written < len(data):
            whole = data.rfind(b"\n", 0, written) + 1
            os.ftruncate(fd, size + whole)
            data = data[:whole]
        os.fsync(fd)
        return data.count(b"\n") - (1 if cut and data else 0)
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> int:
    """How many bytes of `data` there was room for."""
    written = 0
    while written < len(data):
        try:
            written += os.write(fd, data[written:])
        except OSError as error:
            log.error("journal.no_room", what=error.strerror or str(error))
            break
    return written
