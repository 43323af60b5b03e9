"""piper: neural voices that the user downloads into the folder piper/ of the shared cache.

A voice is two files, ru_RU-irina-medium.onnx and ru_RU-irina-medium.onnx.json; its name begins with its language.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import debroot
from faults import Fault, MachineError
from prompts.engines.engine import EngineAwayError, Progress, Speech, UnspeakableError

_MEND = "pip install 'ivr-engine[piper]', then put a voice (NAME.onnx and NAME.onnx.json) into {folder}"


class Piper:
    name = "piper"
    title = "piper, off-line, with voices that you download"
    local = True

    @property
    def folder(self) -> Path:
        return debroot.cache_dir() / "piper"

    def voices(self, language: str) -> tuple[str, ...]:
        found = sorted(self.folder.glob(f"{language}[_-]*.onnx"))
        return tuple(path.stem for path in found if path.with_name(f"{path.name}.json").exists())

    def away(self, language: str) -> str | None:
        if importlib.util.find_spec("piper") is None or not self.voices(language):
            return f"It needs a {language} voice: {_MEND.format(folder=self.folder)}."
        return None

    def install(self, progress: Progress) -> None:
        what = "piper's voices are yours to choose: many have licences of their own."
        raise MachineError(Fault(what=what, mend=f"Run {_MEND.format(folder=self.folder)}."))

    def synthesise(self, language: str, text: str, voice: str, speed: float) -> Speech:
        if (reason := self.away(language)) is not None:
            raise EngineAwayError(reason)
        if voice not in self.voices(language):
            raise EngineAwayError(f"It has no {language} voice {voice!r}.")
        from piper import SynthesisConfig

        model = _model(str(self.folder / f"{voice}.onnx"))
        chunks = list(model.synthesize(text, SynthesisConfig(length_scale=1 / speed)))
        if not chunks:
            raise UnspeakableError("piper made no sound of it")
        return Speech(np.concatenate([chunk.audio_float_array for chunk in chunks]), int(chunks[0].sample_rate))


@lru_cache(maxsize=3)
def _model(path: str) -> Any:
    """The voice, loaded once in this process."""
    from piper import PiperVoice

    try:
        return PiperVoice.load(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineAwayError(f"The voice {path} can't be loaded: {error}.") from error
