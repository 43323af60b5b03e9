"""What the service tells whoever started it while it comes up. This one is for nobody: the log has it too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import structlog

import debroot
from faults import Fault
from prompts.library import Library
from prompts.render import Spoken, render_all

log = structlog.get_logger(__name__)


class Reporter:
    """A command overrides what it shows."""

    def warning(self, fault: Fault) -> None:
        """The site comes up in spite of it."""
        log.warning("site_warning", what=str(fault))

    def left_out(self, fault: Fault) -> None:
        """Why a flow answers no calls."""
        log.warning("flow_left_out", what=str(fault))

    def render(self, library: Library, wanted: Iterator[Spoken], pin: str) -> None:
        """Make what is missing of the audio; called in a thread. Raises MachineError."""
        render_all(library, wanted, pin=pin)

    @contextlib.contextmanager
    def installing(self) -> Iterator[debroot.Reporter | None]:
        """While an Asterisk is fetched: what to tell its progress."""
        yield None
