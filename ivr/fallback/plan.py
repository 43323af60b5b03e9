"""What the fallback script needs to know, as files: written while the engine is well, read when it is away.

Only the standard library is imported here: the script's start is on the caller's time.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

#: What the script says; keys of prompts/texts under `fallback.`.
TEXTS = ("apology", "noted", "operators_busy", "goodbye")


@dataclass(frozen=True, kw_only=True)
class Plan:
    #: language -> text -> sound files without extension, in order.
    audio: Mapping[str, Mapping[str, tuple[str, ...]]]
    #: Language of callers whose language is not known.
    language: str
    #: Folder for call-back requests.
    spool: str
    #: Argument of Dial() that reaches the operator; "" when there is none.
    operator: str = ""

    def write(self, path: Path) -> None:
        """Replace the plan at `path` in one step: a call may read it meanwhile."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), "utf-8")
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Raises OSError or ValueError when there is no good plan at `path`."""
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise ValueError("the plan is no JSON object")
        try:
            return cls(**data)
        except TypeError as error:
            raise ValueError(str(error)) from error


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


def now_ms() -> int:
    """UTC in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
