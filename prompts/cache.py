"""The audio cache: a clip is three files (.alaw, .ulaw, .sln) under the hash of everything its sound depends on.

A clip for a wideband trunk has a fourth, .g722. In all but .sln a millisecond is 8 bytes.

A file appears under its name only when it is whole and on the disk; a clip is there when all three are. What a running
hotline or campaign needs is pinned: a list of hashes in `pins/`, which every process honours. Of the rest, the least
recently used goes first when the cache is over its size.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faults import Fault, MachineError
from prompts import g711
from prompts.voice import Clip

#: What a clip for a wideband trunk has besides.
WIDE: Final = ".g722"
_SUFFIXES: dict[str, Callable[[NDArray[np.int16]], bytes]] = {
    # .alaw last: whoever sees it sees the others, and its length in bytes is the clip's in samples.
    ".sln": lambda pcm: pcm.astype("<i2").tobytes(),
    ".ulaw": g711.ulaw,
    ".alaw": g711.alaw,
}
#: What was used within so many seconds is never dropped: a call may be about to play it.
_IN_USE_S = 3600
_DISK_ERRORS = {errno.ENOSPC: "is full", errno.EDQUOT: "has no quota left", errno.EFBIG: "takes no file of this size"}


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there as a whole or not at all. Raises MachineError when the disk won't take it."""
    # Two threads may write the same.
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = _DISK_ERRORS.get(error.errno or 0, f"can't be written: {error.strerror}")
        mend = "Free some space or move the folder, then run it again: what is done is kept."
        raise MachineError(Fault(what=f"The disk {reason}.", where=path.parent, mend=mend)) from error


class AudioCache:
    def __init__(self, folder: Path, max_bytes: int, *, wide: bool = False) -> None:
        """With `wide`, a clip is there only when it has its .g722."""
        self.folder = folder.absolute()
        #: What lies beside .alaw, and how many bytes a sample takes there.
        self._beside = {".ulaw": 1, ".sln": 2} | ({WIDE: 1} if wide else {})
        self.max_bytes = max_bytes
        self._touched: dict[str, float] = {}

    def path(self, name: str) -> Path:
        """Where the clip of that hash is or would be, without an extension."""
        return self.folder / name[:2] / name

    def find(self, name: str) -> Clip | None:
        """The clip of that hash when it is there as a whole; marks it as used now."""
        path = self.path(name)
        try:
            samples = os.stat(f"{path}.alaw").st_size  # noqa: PTH116 - twice as fast as Path.stat; every call asks
            now = time.time()
            if now - self._touched.get(name, 0) > _IN_USE_S / 4:
                # A file that somebody cut short is a clip to be made again.
                for suffix, width in self._beside.items():
                    if os.stat(f"{path}{suffix}").st_size != samples * width:  # noqa: PTH116
                        return None
                with suppress(PermissionError):
                    os.utime(f"{path}.alaw")
                self._touched[name] = now
        except OSError:
            return None
        return Clip(path, samples, WIDE in self._beside) if samples else None

    def put(self, name: str, pcm: NDArray[np.int16], wide: bytes | None = None) -> Clip:
        """Write the clip, with its G.722. Raises MachineError when the disk won't take it, and leaves no half file."""
        path = self.path(name)
        if wide is not None:
            write_whole(path.with_name(name + WIDE), wide)
        for suffix, encode in _SUFFIXES.items():
            write_whole(path.with_name(name + suffix), encode(pcm))
        return Clip(path, len(pcm), wide is not None)

    def pin(self, owner: str, names: Iterable[str]) -> None:
        """Keep these clips until `owner` ("hotline", "campaign-7") lets them go; replaces what it pinned before."""
        write_whole(self.folder / "pins" / f"{owner}.txt", "\n".join(sorted(set(names))).encode())

    def unpin(self, owner: str) -> None:
        (self.folder / "pins" / f"{owner}.txt").unlink(missing_ok=True)

    def pinned(self) -> frozenset[str]:
        """Every hash that somebody keeps."""
        kept: set[str] = set()
        for path in (self.folder / "pins").glob("*.txt"):
            kept.update(path.read_text().split())
        return frozenset(kept)

    def size(self) -> int:
        """Bytes of all clips."""
        return sum(size for _, size, _ in self._clips())

    def _clips(self) -> list[tuple[float, int, str]]:
        """When last used, bytes and hash of each clip, whole or not."""
        clips: dict[str, tuple[float, int]] = {}
        for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    name, suffix = os.path.splitext(entry.name)  # noqa: PTH122 - a hundred thousand of them
                    try:
                        found = entry.stat()
                    except FileNotFoundError:
                        continue
                    if suffix == ".tmp":
                        if time.time() - found.st_mtime > _IN_USE_S:
                            Path(entry.path).unlink(missing_ok=True)
                    elif suffix in _SUFFIXES or suffix == WIDE:
                        used, size = clips.get(name, (0.0, 0))
                        clips[name] = (max(used, found.st_mtime), size + found.st_size)
        return [(used, size, name) for name, (used, size) in clips.items()]

    def trim(self) -> int:
        """Drop the least recently used clips that nobody pinned or uses, until the cache fits; the bytes dropped."""
        clips = self._clips()
        over = sum(size for _, size, _ in clips) - self.max_bytes
        dropped = 0
        if over <= 0:
            return 0
        kept = self.pinned()
        for used, size, name in sorted(clips):
            if dropped >= over or time.time() - used < _IN_USE_S:
                break
            if name not in kept:
                # .alaw first: without it the clip is not there.
                for suffix in (*reversed(_SUFFIXES), WIDE):
                    self.path(name).with_name(name + suffix).unlink(missing_ok=True)
                self._touched.pop(name, None)
                dropped += size
        return dropped
