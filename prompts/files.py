"""Open a file that the user named: a regular file, and no more of it than its reader can use.

A pipe would be waited for, a device may have no end or do something by being opened. Both are told like a file that
can't be read, as an OSError with its reason; what the file should have been, its reader knows.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "it is a pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
)


def open_file(path: Path) -> io.BufferedReader:
    """The regular file at `path`, open for reading. Raises OSError, at once, when it is anything else."""
    try:
        # A device must not even be opened; whoever puts one there in between waits for nothing, by O_NONBLOCK.
        _refuse_others(path.stat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError as error:
        raise OSError(errno.EINVAL, "no file can have this name") from error
    try:
        _refuse_others(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(path: Path, *, at_most: int) -> bytes:
    """The content of the regular file at `path`. Raises OSError when it is none, or is larger than `at_most` bytes."""
    with open_file(path) as file:
        if size_of(file) <= at_most and len(data := file.read(at_most + 1)) <= at_most:
            return data
    raise OSError(errno.EFBIG, f"it is larger than {at_most // 1024} kB")


def read_text(path: Path, *, at_most: int) -> str:
    """The text of a small UTF-8 file, each of its lines ended by "\n". Raises OSError and UnicodeDecodeError."""
    return read_file(path, at_most=at_most).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path, encoding: str, *, longest: int) -> Iterator[tuple[int, str | None]]:
    """The lines of a file with their 1-based numbers; None for one that is longer than `longest` letters.

    What is not of the encoding becomes U+FFFD. Raises OSError as open_file does.
    """
    with open_file(path) as raw, io.TextIOWrapper(raw, encoding=encoding, errors="replace") as file:
        number = 0
        while line := file.readline(longest):
            number += 1
            if len(line) == longest and not line.endswith("\n"):
                while (rest := file.readline(longest)) and not rest.endswith("\n"):
                    pass
                yield number, None
            else:
                yield number, line


def size_of(file: io.BufferedReader) -> int:
    """Bytes in an open file."""
    return os.fstat(file.fileno()).st_size


def _refuse_others(mode: int) -> None:
    for is_kind, why in _KINDS:
        if is_kind(mode):
            raise OSError(errno.EINVAL, why)
