"""A caller's wish to be called back, as a file: noted while the engine is away, picked up when it is back.

Only the standard library is imported here: the script's start is on the caller's time.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class CallBack:
    """A caller's wish to be called back."""

    phone: str
    dialled: str
    language: str
    uniqueid: str
    #: UTC, milliseconds since 1970.
    asked_at_ms: int

    def write(self, spool: Path) -> Path:
        """Put it into the folder `spool` as a file of its own that nobody sees half-written, readable by us only."""
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = spool / f"{self.asked_at_ms}-{os.getpid()}.json"
        beside = path.with_suffix(".part")
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        return path

    @classmethod
    def read(cls, path: Path) -> CallBack:
        """Raises OSError or ValueError when `path` is no such request."""
        data = json.loads(path.read_text("utf-8"))
        try:
            request = cls(**data)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if not isinstance(request.asked_at_ms, int) or not all(
            isinstance(text, str) for text in (request.phone, request.dialled, request.language, request.uniqueid)
        ):
            raise ValueError("a field has the wrong type")
        return request
