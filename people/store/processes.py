"""Which process owns a gateway, told so that another process of the same machine can see whether it is dead."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Process:
    #: As people call the machine.
    host: str
    #: Where its number means something: this boot of the machine, and the namespace of process numbers in it.
    place: str
    pid: int
    #: When it began, in ticks since the boot: a number is given again to others.
    born: int

    @property
    def is_dead(self) -> bool:
        """Whether it surely is: of a process somewhere else nobody knows."""
        if self.place != _place():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        found = _state_and_birth(self.pid)
        # Where others' processes are hidden, there is one all the same.
        return found is not None and (found[0] in "ZX" or found[1] != self.born)


def this_process() -> Process:
    found = _state_and_birth(os.getpid())
    return Process(host=socket.gethostname(), place=_place(), pid=os.getpid(), born=found[1] if found else 0)


def _place() -> str:
    """Two containers of one machine have each a process 1."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"


def _state_and_birth(pid: int) -> tuple[str, int] | None:
    """proc(5): the state is the first word after the program's name in brackets, the start the twentieth."""
    try:
        words = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return words[0], int(words[19])
