"""What was found when a site was looked at: well, worth a word, or to be mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from faults import Fault


class Level(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    #: What was looked at: "database", "ports".
    topic: str
    what: str
    #: "" when nothing has to be mended.
    mend: str = ""


def ok(topic: str, what: str) -> Finding:
    return Finding(level=Level.OK, topic=topic, what=what)


def warn(topic: str, what: str, mend: str) -> Finding:
    return Finding(level=Level.WARN, topic=topic, what=what, mend=mend)


def fail(topic: str, what: str, mend: str) -> Finding:
    return Finding(level=Level.FAIL, topic=topic, what=what, mend=mend)


def of_faults(topic: str, faults: Sequence[Fault]) -> Iterator[Finding]:
    for fault in faults:
        place = "" if fault.where is None else f"{fault.where}:{fault.line}: " if fault.line else f"{fault.where}: "
        yield fail(topic, place + fault.what, fault.mend)
