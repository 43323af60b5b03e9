"""A file whose place on the disk is there beforehand: what must not be lost is written into it in place, and synced.

Slots of equal size, each empty or one line of the journal with its checksum. A disk that has become full has room here
all the same, and a half-written slot is known by its checksum.
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path

import structlog

from ivr.journal.lines import Line, from_json, to_json

log = structlog.get_logger()

SLOT_BYTES = 512
#: Half a megabyte; it grows by so much when it is full and the disk is not.
SLOTS = 1024


class Reserve:
    """`open`, then from any thread. One process has it at a time."""

    def __init__(self, path: Path, *, slots: int = SLOTS) -> None:
        self._path = path
        self._step = slots
        self._lock = threading.Lock()
        self._fd = -1
        self._free: list[int] = []
        self._held: dict[int, Line] = {}

    def open(self) -> None:
        """Take the file, make it where there is none, and read what an earlier run has left.

        Raises OSError when it can't be made, has no room, or is another process's at the moment.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # People's numbers are in it.
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self._lock:
                self._read(fd)
                if len(self._free) < self._step // 2:
                    self._grow(fd)
                self._fd = fd
        except OSError:
            os.close(fd)
            raise

    def _read(self, fd: int) -> None:
        slots = os.fstat(fd).st_size // SLOT_BYTES
        for slot in range(slots):
            data = os.pread(fd, SLOT_BYTES, slot * SLOT_BYTES)
            if data[:1] == b"\0":
                self._free.append(slot)
                continue
            try:
                self._held[slot] = _line(data)
            except ValueError as error:
                # Nobody heard a confirmation before it was whole.
                log.error("journal.unreadable", where=f"{self._path}, slot {slot}", what=str(error))
                self._free.append(slot)

    def _grow(self, fd: int) -> None:
        first = os.fstat(fd).st_size // SLOT_BYTES
        os.posix_fallocate(fd, first * SLOT_BYTES, self._step * SLOT_BYTES)
        # Written once, so that writing in place asks the file system for nothing new.
        if os.pwrite(fd, bytes(self._step * SLOT_BYTES), first * SLOT_BYTES) < self._step * SLOT_BYTES:
            raise OSError(28, os.strerror(28))
        os.fsync(fd)
        self._free.extend(range(first, first + self._step))

    @property
    def held(self) -> int:
        """Lines that lie in it."""
        return len(self._held)

    @property
    def opt_outs(self) -> int:
        """Opt-outs that lie in it."""
        with self._lock:
            return sum(line.kind == "opt_outs" for line in self._held.values())

    def put(self, line: Line) -> None:
        """Write `line`; it is on the disk when this returns. Raises OSError, ValueError when it is not."""
        payload = to_json(line).removesuffix(b"\n")
        data = b"%08x %s\n" % (zlib.crc32(payload), payload)
        if len(data) > SLOT_BYTES:
            raise ValueError(f"a line of {len(data)} bytes has no room in the reserve")
        with self._lock:
            if self._fd < 0:
                raise OSError(9, "the reserve is not open")
            if not self._free:
                self._grow(self._fd)
            slot = self._free.pop()
            try:
                if os.pwrite(self._fd, data.ljust(SLOT_BYTES, b"\0"), slot * SLOT_BYTES) < SLOT_BYTES:
                    raise OSError(28, os.strerror(28))
                os.fdatasync(self._fd)
            except OSError:
                self._free.append(slot)
                raise
            self._held[slot] = line

    def lines(self) -> dict[int, Line]:
        """What lies in it, by slot."""
        with self._lock:
            return dict(self._held)

    def clear(self, slots: Iterable[int]) -> None:
        """These are in the database: their slots are free again. Raises OSError."""
        with self._lock:
            for slot in slots:
                # Not synced: a line that comes back after a power cut goes to the database once more.
                os.pwrite(self._fd, b"\0", slot * SLOT_BYTES)
                del self._held[slot]
                self._free.append(slot)

    def close(self) -> None:
        """Give the file back; a second close changes nothing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def _line(data: bytes) -> Line:
    """The line in a slot. Raises ValueError when it was not wholly written."""
    return from_json(slot_json(data))


def slot_json(data: bytes) -> bytes:
    """The JSON of the line in a slot. Raises ValueError when the slot is empty or was not wholly written."""
    text = data.partition(b"\n")[0]
    checksum, _, payload = text.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(payload):
        raise ValueError("the checksum is wrong")
    return payload
