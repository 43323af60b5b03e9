"""What every synthesiser can do, and how it says that it can't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Told what is being done and how far it is, 0 to 100.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Speech:
    #: int16, or floats of full scale 1; one row for each channel when there are several.
    samples: NDArray[np.int16] | NDArray[np.floating[Any]]
    #: Samples in a second.
    rate: int


class EngineAwayError(Exception):
    """The engine can't work now: not installed, no network, no such voice. Another engine may."""


class UnspeakableError(Exception):
    """The engine works, but made no speech of this text."""


class Engine(Protocol):
    name: str
    #: What it is, for people.
    title: str
    #: Speech is made on this machine: texts, and the names of people in them, do not leave it.
    local: bool

    def voices(self, language: str) -> tuple[str, ...]:
        """Its voices for `language`, the default first; those it would have, while it is not installed."""

    def away(self, language: str) -> str | None:
        """Why it can't speak `language` now, and what to do about it; None when it can. Quick; fetches nothing."""

    def install(self, progress: Progress) -> None:
        """Fetch what it needs. Raises MachineError, with the mend, when that can't be done here."""

    def synthesise(self, language: str, text: str, voice: str, speed: float) -> Speech:
        """The speech of `text`. Raises EngineAwayError or UnspeakableError. A crash may take the process with it."""
