"""The journal's lines that lie in files, for a copy of the site that is taken while it runs; and its files held."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ivr.journal.reserve import SLOT_BYTES, slot_json
from ivr.journal.spill import Spill

SPILL, RESERVE = "journal.jsonl", "opt-outs.reserve"
_AHEAD = ("journal.ahead-1.jsonl", "journal.ahead-2.jsonl")


def lines_in_files(var: Path) -> bytes:
    """Whole lines of every file; those that the engine appends meanwhile may be missing.

    To be read before the database is: a line goes from a file to the database, never back. Raises OSError.
    """
    found = bytearray()
    for name in (SPILL, *_AHEAD):
        with contextlib.suppress(FileNotFoundError):
            data = (var / name).read_bytes()
            found += data[: data.rfind(b"\n") + 1]
    with contextlib.suppress(FileNotFoundError):
        data = (var / RESERVE).read_bytes()
        for start in range(0, len(data), SLOT_BYTES):
            with contextlib.suppress(ValueError):
                found += slot_json(data[start : start + SLOT_BYTES]) + b"\n"
    return bytes(found)


def put_back(var: Path, lines: bytes) -> None:
    """Let the next engine read `lines` into the database, beside those that lie there. Raises OSError."""
    if lines:
        Spill(var / SPILL).take_over(lines)


@contextlib.contextmanager
def held(var: Path) -> Iterator[None]:
    """No engine has the journal's files, and none gets them meanwhile. Raises BlockingIOError when one has them."""
    with contextlib.ExitStack() as stack:
        for name in (RESERVE, *_AHEAD):
            fd = os.open(var / name, os.O_RDWR | os.O_CREAT, 0o600)
            stack.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
