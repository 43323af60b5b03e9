"""Tell of something that goes wrong again and again: when it begins, now and then while it lasts, and when it ends.

A dead link that is tried each second would otherwise fill the disk with its own complaint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from outbound.clock import Clock

log = structlog.get_logger(__name__)

#: While it lasts it is told again after so long.
_REMIND_S = 600.0


def unexpected(error: BaseException) -> BaseException | None:
    """The error, where its traceback says more than its text; None: databases, disks and networks do so at times."""
    return None if isinstance(error, SQLAlchemyError | OSError) else error


def words(error: BaseException) -> str:
    """What the error says, in short: of a database's refusal without the statement."""
    return str(getattr(error, "orig", None) or error) or type(error).__name__


@dataclass(kw_only=True)
class Trouble:
    """One kind of trouble, by the name of its log event."""

    event: str
    clock: Clock
    #: What it was the last time; None: there is none now.
    what: str | None = None
    _times: int = 0
    _told_at_s: float = field(default=0.0)

    def met(self, error: BaseException, **fields: Any) -> None:
        """It happened, again perhaps. Something else that goes wrong is told at once."""
        text, now_s = words(error), self.clock.monotonic_s()
        self._times += 1
        if self.what is None or text != self.what or now_s >= self._told_at_s + _REMIND_S:
            log.error(self.event, error=text, times=self._times, **fields)
            self._told_at_s = now_s
        self.what = text

    def over(self) -> None:
        """It goes well again."""
        if self.what is not None:
            log.warning(f"{self.event}_over", times=self._times)
            self.what, self._times = None, 0
