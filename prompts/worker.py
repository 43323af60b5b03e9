"""The process that makes clips: jobs as JSON lines on stdin, results on stdout. It ends when its stdin does.

A process of its own, because speech engines are C++ libraries that may crash or hang, and because two cores make clips
twice as fast. `prompts.workers` starts it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from faults import MachineError
from prompts.audio import WIDE_RATE, SilentSpeechError, in_a_row, telephone
from prompts.cache import AudioCache
from prompts.engines.choice import Speaker, engines
from prompts.engines.engine import EngineAwayError, UnspeakableError
from prompts.fragments import spoken_sentences
from prompts.g722 import g722
from prompts.recordings import read_recording


@dataclass(frozen=True, kw_only=True)
class Job:
    """One clip to make."""

    #: Hash that the cache keeps it under.
    clip: str
    #: Folder of the cache.
    folder: str
    text: str
    #: None: `recording` holds the sound.
    speaker: Speaker | None
    recording: str = ""
    level_lufs: float
    #: Silence after the last sound.
    tail_ms: int
    #: Pauses between sentences, as a factor of the usual ones.
    pause: float = 1.0
    #: G.722 is made, too.
    wide: bool = False


#: away: the engine can't work now; text: it made nothing of this text; recording: the file is bad; disk: the cache
#: can't be written; crash: the process died or hung.
FailureKind = Literal["away", "text", "recording", "disk", "crash"]


@dataclass(frozen=True, kw_only=True)
class Result:
    clip: str
    samples: int = 0
    failure: FailureKind | None = None
    why: str = ""


def make(job: Job) -> Result:
    """Make one clip and put it into the cache."""

    def failed(failure: FailureKind, error: Exception) -> Result:
        return Result(clip=job.clip, failure=failure, why=f"{job.recording}: {error}" if job.recording else str(error))

    samples: NDArray[np.generic]
    try:
        if job.speaker is None:
            samples, rate = read_recording(Path(job.recording))
        else:
            samples, rate = _spoken(job.speaker, job.text, job.pause)
        pcm = telephone(samples, rate, level_lufs=job.level_lufs, tail_ms=job.tail_ms)
        wide = _g722(samples, rate, job) if job.wide else None
        clip = AudioCache(Path(job.folder), 0).put(job.clip, pcm, wide)
    except EngineAwayError as error:
        return failed("away", error)
    except (soundfile.SoundFileError, OSError) as error:
        return failed("recording", error)
    except (UnspeakableError, SilentSpeechError, UnicodeError) as error:
        return failed("recording" if job.speaker is None else "text", error)
    except MachineError as error:
        return Result(clip=job.clip, failure="disk", why=error.faults[0].what)
    return Result(clip=job.clip, samples=clip.samples)


def _spoken(who: Speaker, text: str, pause: float) -> tuple[NDArray[np.generic], int]:
    """The speech of all sentences, and its rate; the pauses between them are ours, for every engine makes others."""
    engine = engines()[who.engine]
    said = [(engine.synthesise(who.language, part, who.voice, who.speed), ms) for part, ms in spoken_sentences(text)]
    if len(said) == 1:
        return said[0][0].samples, said[0][0].rate
    rate = said[0][0].rate
    pauses = [round(pause * ms) for _, ms in said]
    return in_a_row([speech.samples for speech, _ in said], rate, pauses), rate


def _g722(samples: NDArray[np.generic], rate: int, job: Job) -> bytes:
    return g722(telephone(samples, rate, level_lufs=job.level_lufs, tail_ms=job.tail_ms, at=WIDE_RATE))


def main() -> None:
    # What a library prints must not get between the results.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        # Calls come first: making clips must not delay audio that is playing.
        os.nice(5)
        for line in sys.stdin:
            fields = json.loads(line)
            speaker = fields.pop("speaker")
            result = make(Job(**fields, speaker=None if speaker is None else Speaker(**speaker)))
            answers.write(json.dumps(asdict(result)) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
