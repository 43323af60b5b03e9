"""A voice for tests: every text is a real .alaw file of silence, as long as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from prompts.voice import Clip

A_LAW_SILENCE = b"\xd5"


class DiskVoice:
    """Speaks text `t` of 1000 ms as `<folder>/<language>/t`; `lengths_ms` gives other lengths, one per clip."""

    def __init__(self, folder: Path, lengths_ms: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self._folder = folder
        self._lengths_ms = lengths_ms or {}
        #: Texts that are still to be made; `render` makes them.
        self.late: set[str] = set()
        #: Texts that no engine can speak.
        self.silent: set[str] = set()
        #: Texts whose making never ends.
        self.stuck: set[str] = set()
        #: What each text was asked to be filled with.
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def clips(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...] | None:
        self.asked.append((language, text, dict(values)))
        if text in self.late | self.stuck:
            return None
        return self._made(language, text)

    async def render(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...]:
        if text in self.stuck:
            await asyncio.Event().wait()
        self.late.discard(text)
        return self._made(language, text)

    def _made(self, language: str, text: str) -> tuple[Clip, ...]:
        if text in self.silent:
            return ()
        lengths = self._lengths_ms.get(text, (1000,))
        names = [text] if len(lengths) == 1 else [f"{text}-{number}" for number in range(1, len(lengths) + 1)]
        return tuple(self._clip(language, name, length) for name, length in zip(names, lengths, strict=True))

    def _clip(self, language: str, name: str, length_ms: int) -> Clip:
        path = self._folder / language / name
        sound = path.with_name(path.name + ".alaw")
        if not sound.exists():
            sound.parent.mkdir(parents=True, exist_ok=True)
            sound.write_bytes(A_LAW_SILENCE * 8 * length_ms)
        return Clip(path, length_ms * 8)
