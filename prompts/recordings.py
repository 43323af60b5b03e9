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

import numpy as np
import soundfile
import structlog
from numpy.typing import NDArray

from faults import Fault
from prompts.files import open_file, size_of
from prompts.fragments import Fragment
from prompts.sentences import LANGUAGES
from prompts.stress import plain

log = structlog.get_logger(__name__)

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})
_MEND = "Save it as a WAV file (PCM, mono) and put it there again."
#: Shorter is no word.
_SHORTEST_S = 0.1
#: Longer is no prompt, and takes minutes to make.
_LONGEST_S = 600
#: Ten minutes of the best that a studio gives: 96000 samples a second, two channels, four bytes each.
MAX_BYTES = 512 * 1024 * 1024
#: A file that names more is damaged.
_MOST_SAMPLES_A_SECOND, _MOST_CHANNELS = 384_000, 32
#: The loudest 10 ms of a recording: below the first nothing is heard, below the second its noise is turned up too.
_SILENT_DBFS, _QUIET_DBFS = -70.0, -40.0
#: So many samples side by side at full scale are a peak that was cut off.
_CUT = 4


def words_of(text: str) -> str:
    """A text as the name of its recording: its words in lower case, without marks."""
    return " ".join(re.findall(r"[\w'’ʼ-]+", plain(unicodedata.normalize("NFC", text).lower())))


@dataclass(frozen=True)
class Recording:
    path: Path
    #: Hash of the file.
    content: str


@dataclass(frozen=True)
class _Judged:
    #: None: it can't be played.
    recording: Recording | None
    faults: tuple[Fault, ...] = ()


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
                    if path.suffix.lower() in SUFFIXES:
                        name = words_of(path.stem) if kind else unicodedata.normalize("NFC", path.stem)
                        found[language, kind + name] = path
        return found

    @cached_property
    def _known(self) -> dict[Path, _Judged]:
        return {}

    def _judged(self, path: Path) -> _Judged:
        if path not in self._known:
            self._known[path] = judged = _judge(path)
            if judged.recording is None:
                # The synthesis is worth more than silence.
                fault = judged.faults[0]
                log.warning("recording_unusable", where=fault.place, why=fault.what, mend=fault.mend)
        return self._known[path]

    def of(self, fragment: Fragment) -> Recording | None:
        """What is played instead of synthesis; None: nothing, or no sound that can be heard."""
        if not self._found:
            return None
        path = self._found.get((fragment.language, f"fragments/{words_of(fragment.text)}"))
        if fragment.key is not None:
            path = self._found.get((fragment.language, fragment.key), path)
        return None if path is None else self._judged(path).recording

    def of_sentences(self) -> tuple[tuple[str, str, Path], ...]:
        """Language, sentence's key and file of each recording of a sentence."""
        return tuple((*name, path) for name, path in self._found.items() if not name[1].startswith("fragments/"))

    def unusable(self) -> list[Fault]:
        """Why some of them are never heard, though they are meant to be."""
        return [each.faults[0] for path in self._found.values() if (each := self._judged(path)).recording is None]

    def faults(self) -> list[Fault]:
        """What is wrong with the files themselves, and which files are not taken for recordings."""
        found = [fault for path in self._found.values() for fault in self._judged(path).faults]
        taken = set(self._found.values())
        for path in sorted(self.folder.rglob("*")) if self.folder is not None else ():
            if path.is_file() and path not in taken and path.suffix and not path.name.startswith("."):
                kinds = ", ".join(sorted(SUFFIXES))
                mend = f"Put it into {', '.join(LANGUAGES)} or fragments/ in one of them, as one of {kinds}."
                found.append(Fault(what="This is never played.", where=path, mend=mend))
        return found


def _judge(path: Path) -> _Judged:
    """Listen to the file."""

    def unusable(what: str) -> _Judged:
        return _Judged(None, (Fault(what=f"The recording {what}.", where=path, mend=_MEND),))

    try:
        with open_file(path) as file:
            length, head = size_of(file), file.read(8)
            if length > MAX_BYTES:
                return unusable(f"can't be read: it is larger than {MAX_BYTES // 1024**2} MB")
            file.seek(0)
            content = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with soundfile.SoundFile(file) as sound:
                rate, channels = sound.samplerate, sound.channels
                if rate > _MOST_SAMPLES_A_SECOND or channels > _MOST_CHANNELS:
                    return unusable(f"has {rate} samples a second in {channels} channels")
                heard = _listen(sound)
    except OSError as error:
        return unusable(f"can't be read: {error.strerror}")
    except soundfile.SoundFileError:
        return unusable("is no sound that can be read")
    said_bytes = int.from_bytes(head[4:], "little") + 8
    if head.startswith(b"RIFF") and length < said_bytes < 0xFFFF_0000:
        return unusable(f"is cut off: {length} bytes of {said_bytes}")
    if heard is None:
        return unusable(f"is longer than {_LONGEST_S // 60} minutes")
    if heard.samples < _SHORTEST_S * rate:
        return unusable("is empty")
    if not heard.finite:
        return unusable("has samples that are no numbers")
    loudest = heard.loudest_dbfs
    if loudest < _SILENT_DBFS:
        return unusable("is silent")
    faults = []
    if loudest < _QUIET_DBFS:
        what = (
            f"The recording is too quiet: its loudest sound is at {loudest:.0f} dBFS, and its noise is turned up too."
        )
        faults.append(Fault(what=what, where=path, mend="Record it anew, louder: peaks at -12 to -3 dBFS."))
    if cut := heard.cut_peaks:
        what = f"The recording is clipped at {cut} places."
        faults.append(Fault(what=what, where=path, mend="Record it anew, not so loud: peaks at -12 to -3 dBFS."))
    if rate < 8000:
        what = f"The recording has only {rate} samples a second."
        faults.append(Fault(what=what, where=path, mend="Record it at 8000 or more, best at 48000."))
    return _Judged(Recording(path, content), tuple(faults))


@dataclass(frozen=True)
class _Heard:
    samples: int
    finite: bool
    #: The level of the loudest 10 ms.
    loudest_dbfs: float
    #: How many peaks are flat at the top of the scale.
    cut_peaks: int


def _listen(sound: soundfile.SoundFile) -> _Heard | None:
    """What is in a recording, of which a second at a time is in memory; None: it is too long to be a prompt."""
    rate = sound.samplerate
    if sound.frames > _LONGEST_S * rate:
        return None
    frame = max(1, rate // 100)
    samples, peak = 0, 0.0
    total = 0.0
    #: Of each 10 ms: the mean, and that of the squares.
    means: list[NDArray[np.float64]] = []
    squares: list[NDArray[np.float64]] = []
    for block in sound.blocks(blocksize=100 * frame, dtype="float64", always_2d=True):
        samples += len(block)
        if not np.isfinite(block).all():
            return _Heard(samples, False, 0.0, 0)
        peak = max(peak, float(np.abs(block).max()))
        mono = block.mean(axis=1)
        total += float(mono.sum())
        frames = mono[: len(mono) // frame * frame].reshape(-1, frame)
        means.append(frames.mean(axis=1))
        squares.append(np.mean(frames**2, axis=1))
    if samples < frame:
        return _Heard(samples, True, -np.inf, 0)
    # Without its mean, which a bad microphone adds and nobody hears.
    mean = total / samples
    loudest = float((np.concatenate(squares) - 2 * mean * np.concatenate(means) + mean**2).max())
    return _Heard(samples, True, float(10 * np.log10(max(loudest, 0.0) + 1e-12)), _cut_peaks(sound, peak))


def _cut_peaks(sound: soundfile.SoundFile, peak: float) -> int:
    full_scale = 0.9995 * max(1.0, peak)
    if peak < full_scale:
        return 0
    sound.seek(0)
    found, before = 0, np.zeros((1, sound.channels), dtype=np.bool_)
    for block in sound.blocks(blocksize=sound.samplerate, overlap=_CUT - 1, dtype="float64", always_2d=True):
        if len(block) >= _CUT:
            full = np.abs(block) >= full_scale
            flat = np.asarray(np.lib.stride_tricks.sliding_window_view(full, _CUT, axis=0).all(axis=-1))
            # A peak begins where it was not flat before.
            found += int((flat & ~np.concatenate([before, flat[:-1]])).sum())
            before = flat[-1:]
    return found


def read_recording(path: Path) -> tuple[NDArray[np.float64], int]:
    """The sound in one channel, and its rate. Raises OSError or soundfile.SoundFileError when it can't be read."""
    with open_file(path) as file, soundfile.SoundFile(file) as sound:
        blocks = sound.blocks(blocksize=sound.samplerate, dtype="float64", always_2d=True)
        mono = [block.mean(axis=1) for block in blocks]
        return (np.concatenate(mono) if mono else np.zeros(0)), sound.samplerate
