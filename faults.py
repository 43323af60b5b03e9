"""What the user is told when something is wrong: what, where, and how to mend it.

    Fault                 one finding about a file, a setting or a machine; data, not an exception
    UserError             stops a command; carries one or more faults, shown without a traceback
    ├── AuthorError       the author of a flow, text, settings or contacts file has to mend it
    ├── MachineError      the machine lacks something: a port, a package, disk, a network
    └── PeerError         Asterisk, a trunk or a database answered what it must not

A module may define its own subclass; it imports nothing but the standard library. `visible` is how text that comes from
outside is shown, in a fault and everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Control characters but for line end and tab, and those that turn the direction of writing.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """`text` with every character that would steer a terminal or turn the text around written out: ESC as `\\x1b`."""
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@dataclass(frozen=True, kw_only=True)
class Fault:
    #: What is wrong, one sentence, in the words of the file's author.
    what: str
    #: How to mend it, one sentence in the imperative.
    mend: str
    #: The file it is in, or a setting's name; None when it has no place.
    where: Path | str | None = None
    #: 1-based line in `where`; None for the file as a whole.
    line: int | None = None

    @property
    def place(self) -> str:
        """Where it is, as a terminal can show it: FILE:LINE, FILE or ""."""
        # The name of a file may hold anything, such as letters in a code page of old, or what turns a terminal red.
        where = "" if self.where is None else str(self.where)
        shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in where)
        return f"{shown}:{self.line}" if shown and self.line else shown

    def __str__(self) -> str:
        return f"{self.place}: {self.what} {self.mend}" if self.place else f"{self.what} {self.mend}"


class UserError(Exception):
    """The command can't go on; the user can mend it."""

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class AuthorError(UserError):
    """A file that people write has faults."""


class MachineError(UserError):
    """The machine lacks something the work needs."""


class PeerError(UserError):
    """Asterisk, the trunk or the database answered what it must not."""
