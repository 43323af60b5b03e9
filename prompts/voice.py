"""The one thing the rest of the engine asks of prompts: which audio clips speak this text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

#: Added to a text's key, it names the sentence that is said where the text itself can't be.
FALLBACK = ".fallback"


@dataclass(frozen=True, slots=True)
class Clip:
    #: Absolute path without an extension, which is what STREAM FILE takes; .alaw, .ulaw and .sln lie beside it.
    path: Path
    #: Length in samples at 8 kHz; 8 samples are a millisecond.
    samples: int
    #: There is a .g722, too.
    wide: bool = False

    @property
    def length_ms(self) -> int:
        return self.samples // 8


class Voice(Protocol):
    """Finds and makes the audio of texts."""

    def clips(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...] | None:
        """The clips that speak text `text` (a key of prompts/texts) in order, all ready to play.

        None when one of them is still to be made: await `render`. Never blocks on synthesis.
        """

    async def render(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...]:
        """The same, making what is missing. When no engine can: an empty tuple and a logged warning."""
