"""RHVoice: the off-line voice for Russian, Ukrainian and English. Debian's packages, unpacked into the shared cache.

Facts found by running 1.8.0: it always speaks at 24 kHz; an unknown voice is silently replaced by another; the core
library has to be loaded first with global symbols, or the main one is not found. It is a C++ library in our process, so
it is only ever called in a worker process (prompts.workers).
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np

import debroot
from prompts.engines.engine import EngineAwayError, Progress, Speech, UnspeakableError

PACKAGES = ("librhvoice5", "rhvoice-russian", "rhvoice-ukrainian", "rhvoice-english")
#: Voices whose licences allow any use, the best understood on a telephone first (tests/bench/intelligibility.py).
#: The packages hold more, but not all of those may speak in a shop's name.
VOICES = {
    "ru": ("aleksandr", "irina", "anna", "elena"),
    "uk": ("anatol", "natalia"),
    "en": ("bdl", "slt", "clb", "alan"),
}


def _root() -> debroot.Root | None:
    return debroot.opened(debroot.cache_dir() / "rhvoice")


class RHVoice:
    name = "rhvoice"
    title = "RHVoice, off-line"
    local = True

    def voices(self, language: str) -> tuple[str, ...]:
        known = VOICES.get(language, ())
        root = _root()
        if root is None:
            return known
        folder = root.folder / "usr/share/RHVoice/voices"
        return tuple(voice for voice in known if (folder / voice / "voice.info").exists())

    def away(self, language: str) -> str | None:
        if language not in VOICES:
            return f"It has no voice for {language}."
        if _root() is None:
            return "It is not installed. Install it with: ivr prompt engines --install rhvoice"
        return None if self.voices(language) else f"Its folder has no voice for {language}."

    def install(self, progress: Progress) -> None:
        debroot.fetch(
            PACKAGES,
            debroot.cache_dir() / "rhvoice",
            suite=debroot.OWN,  # Its libraries are loaded into our own process, so they have to fit this machine's.
            components=("main", "non-free"),
            progress=lambda step: progress(f"RHVoice: {step.stage}", step.percent),
            instead="Use another engine: see ivr prompt engines.",
        )

    def synthesise(self, language: str, text: str, voice: str, speed: float) -> Speech:
        if (reason := self.away(language)) is not None:
            raise EngineAwayError(reason)
        if voice not in self.voices(language):
            raise EngineAwayError(f"It has no {language} voice {voice!r}, only {', '.join(self.voices(language))}.")
        return _library().speak(text, voice, speed)


@lru_cache(maxsize=1)
def _library() -> _Library:
    """The library, loaded once in this process."""
    root = _root()
    if root is None:
        raise EngineAwayError("It is not installed.")
    try:
        return _Library(root)
    except (OSError, RuntimeError, IndexError) as error:
        raise EngineAwayError(f"Its library can't be loaded here: {error}.") from error


class _Library:
    def __init__(self, root: debroot.Root) -> None:
        from rhvoice_wrapper.rhvoice_proxy import Engine

        for pattern in ("libsonic.so.0", "libRHVoice_core.so.*"):
            ctypes.CDLL(str(sorted(root.libraries.glob(pattern))[0]), mode=ctypes.RTLD_GLOBAL)
        self._engine: Any = Engine(str(sorted(root.libraries.glob("libRHVoice.so.*"))[0]))
        self._chunks: list[bytes] = []
        self._rate = 24000
        self._engine.init(
            self._hear,
            self._set_rate,
            data_path=str(root.folder / "usr/share/RHVoice"),
            config_path=str(root.folder / "etc/RHVoice"),
        )

    def _hear(self, samples: Any, count: int, _user: object) -> int:
        self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 1

    def _set_rate(self, rate: int, _user: object) -> int:
        self._rate = rate
        return 1

    def speak(self, text: str, voice: str, speed: float) -> Speech:
        self._chunks.clear()
        self._engine.set_params(voice_profile=voice, relative_rate=speed)
        try:
            self._engine.generate(text)
        except RuntimeError as error:
            raise UnspeakableError(str(error)) from error
        samples = np.frombuffer(b"".join(self._chunks), np.int16)
        if not len(samples):
            raise UnspeakableError("RHVoice made no sound of it")
        return Speech(samples, self._rate)
