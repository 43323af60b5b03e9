"""Studio recordings, which are played instead of synthesis.

    recordings/ru/promo.offer.wav                     a sentence without variables, by its key
    recordings/ru/fragments/до первого декабря.wav    any fragment, by its words in lower case, without marks

Any rate and any format that libsndfile reads will do (wav, flac, ogg, mp3): the sound is levelled, trimmed and made
telephone audio like all other. `ivr prompt list` shows the keys, `ivr prompt say --fragments` the words.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import soundfile
import structlog

from faults import Fault
from prompts.fragments import Fragment
from prompts.sentences import LANGUAGES

log = structlog.get_logger(__name__)

_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})
_MEND = "Save it as a WAV file (PCM, mono) and put it there again."


def words_of(text: str) -> str:
    """A text as the name of its recording: its words in lower case, without marks."""
    return " ".join(re.findall(r"[\w'’ʼ-]+", unicodedata.normalize("NFC", text).lower()))


@dataclass(frozen=True)
class Recording:
    path: Path
    #: Hash of the file.
    content: str


@dataclass(frozen=True)
class Recordings:
    """The recordings in one folder, as they are when first asked for."""

    #: None: there are none.
    folder: Path | None

    @cached_property
    def _found(self) -> dict[tuple[str, str], Path]:
        found: dict[tuple[str, str], Path] = {}
        if self.folder is None:
            return found
        for language in LANGUAGES:
            for kind, folder in (("", self.folder / language), ("fragments/", self.folder / language / "fragments")):
                for path in sorted(folder.glob("*.*")):
                    if path.suffix.lower() in _SUFFIXES:
                        name = words_of(path.stem) if kind else path.stem
                        found[language, kind + name] = path
        return found

    @cached_property
    def _read(self) -> dict[Path, Recording | None]:
        return {}

    def of(self, fragment: Fragment) -> Recording | None:
        """What is played instead of synthesis; None: nothing, or no sound that can be read."""
        if not self._found:
            return None
        path = self._found.get((fragment.language, f"fragments/{words_of(fragment.text)}"))
        if fragment.key is not None:
            path = self._found.get((fragment.language, fragment.key), path)
        if path is None:
            return None
        if path not in self._read:
            self._read[path] = None
            try:
                soundfile.info(path)
                self._read[path] = Recording(path, hashlib.sha256(path.read_bytes()).hexdigest())
            except (soundfile.SoundFileError, OSError) as error:
                # The synthesis is worth more than silence.
                log.warning("recording_unreadable", where=str(path), why=str(error), mend=_MEND)
        return self._read[path]

    def of_sentences(self) -> tuple[tuple[str, str, Path], ...]:
        """Language, sentence's key and file of each recording of a sentence."""
        return tuple((*name, path) for name, path in self._found.items() if not name[1].startswith("fragments/"))

    def faults(self) -> list[Fault]:
        """What is wrong with the files themselves."""
        found = []
        for path in self._found.values():
            try:
                with soundfile.SoundFile(path) as sound:
                    seconds = sound.frames / sound.samplerate
                    rate = sound.samplerate
            except (soundfile.SoundFileError, OSError) as error:
                found.append(Fault(what=f"The recording can't be read: {error}.", where=path, mend=_MEND))
                continue
            if seconds < 0.1:
                found.append(Fault(what="The recording is empty.", where=path, mend=_MEND))
            elif rate < 8000:
                what = f"The recording has only {rate} samples a second."
                found.append(Fault(what=what, where=path, mend="Record it at 8000 or more, best at 48000."))
        return found
