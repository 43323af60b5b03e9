"""Where events are logged: everything as JSON lines in var/ivr.log, warnings and worse on the terminal too.

A fault is logged with the place it came from and without the values at hand, which may be somebody's number.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

import structlog

from faults import Fault, MachineError, visible

#: Of one kind of warning so many are told in a row, in so many seconds; the rest are counted.
_ROW, _ROW_S = 20, 60.0
#: The log is put aside when it is larger, and so many old ones are kept.
_MAX_BYTES, _KEEP = 20_000_000, 5

_traceback = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _visible(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The event with nothing in it that could steer the terminal."""
    return {key: visible(value if isinstance(value, str) else str(value)) for key, value in event.items()}


class _File(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk costs lines of the log; what matters is on the terminal too, and needs no traceback beside it."""


class _Terminal(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """The terminal was closed: whoever logs must not suffer, nor the process end with an error for its output."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


class Rows(logging.Filter):
    """Lets the first warnings and errors of a kind pass; more of it in the same minute are counted only.

    The next one of its kind says how many were left out (`left_out`). Infos always pass: there are a few of each call.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        #: Kind -> when its row began, and how many came.
        self._rows: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        told = record.msg
        kind = str(told.get("event", "")) if isinstance(told, dict) else str(told)
        now_s = self._clock()
        began_s, count = self._rows.get(kind, (now_s, 0))
        if now_s - began_s >= _ROW_S:
            if count > _ROW and isinstance(told, dict):
                told["left_out"] = count - _ROW
            began_s, count = now_s, 0
        self._rows[kind] = (began_s, count + 1)
        return count < _ROW


def _for_people() -> list[structlog.typing.Processor]:
    """From an event to what is shown of it on the terminal."""
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    return [structlog.processors.format_exc_info, _visible, renderer]


def log_warnings() -> None:
    """Show warnings and worse on the terminal, as a command does whose output is for its reader."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.set_exc_info,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            *_for_people(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def log_to(path: Path) -> None:
    """Log to `path` (made when missing, readable by its owner alone) and to the terminal.

    Raises MachineError when it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        file = _File(path, maxBytes=_MAX_BYTES, backupCount=_KEEP, encoding="utf-8")
    except OSError as error:
        what = f"The log can't be written: {error.strerror}."
        mend = "Check the folder's rights and its owner; ivr doctor looks at more."
        raise MachineError(Fault(what=what, where=path, mend=mend)) from error
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    file.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _traceback,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    terminal = _Terminal()
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_for_people()],
        )
    )
    for handler in (file, terminal):
        handler.addFilter(Rows())
    logging.basicConfig(handlers=[file, terminal], level=logging.INFO, force=True)
    # Alembic tells of every start; panoramisk of every connection, which Ami logs itself.
    for name in ("alembic", "panoramisk"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
