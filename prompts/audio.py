"""Speech at any rate -> telephone speech: 8 kHz mono, 200 to 3500 Hz, levelled, trimmed, never clipped. Pure.

Whoever changes what comes out raises VERSION, and every clip is made anew.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]

#: Part of the name of every clip in the cache.
VERSION: Final = 2
RATE: Final = 8000
#: Silence before the first sound; a phone's jitter buffer may swallow the first packet.
LEAD_MS: Final = 40
#: No peak between samples goes above; A-law itself ends at -0.14 dBFS.
PEAK_DBFS: Final = -1.5
#: A frame this far below the loudest one is silence.
_SILENCE_DB: Final = 45.0
_FRAME: Final = RATE // 100
#: RTP carries 20 ms; a clip of whole packets is heard for exactly as long as its samples say.
_PACKET: Final = RATE // 50
#: EBU R128 measures blocks of 400 ms.
_BLOCK: Final = int(0.4 * RATE)


@functools.cache
def _meter() -> Any:
    # scipy takes a second to import, and every command imports this module, but only those that make audio need it.
    import pyloudnorm

    return pyloudnorm.Meter(RATE)


def _in_band(speech: Samples) -> Samples:
    from scipy.signal import butter, sosfiltfilt

    # There and back: no phase shift, twice the slope.
    return np.asarray(sosfiltfilt(butter(2, [150, 3650], "bandpass", fs=RATE, output="sos"), speech))


class SilentSpeechError(ValueError):
    """There is no speech in the samples."""


def telephone(samples: NDArray[np.generic], rate: int, *, level_lufs: float, tail_ms: int) -> NDArray[np.int16]:
    """The same speech as a telephone prompt: int16 at 8 kHz, `level_lufs` by EBU R128, whole RTP packets.

    At least `tail_ms` of silence are at its end. `samples` are floats of full scale 1 (or int16), one row for each
    channel when there are several. Raises SilentSpeechError when nothing is to be heard in them, or they are no
    numbers.
    """
    mono = samples.astype(np.float64) / (32768.0 if samples.dtype == np.int16 else 1.0)
    if mono.ndim == 2:
        mono = mono.mean(axis=1)
    if len(mono) < rate // 100 or not np.isfinite(mono).all():
        raise SilentSpeechError("there is no sound")
    # Before the filters: a step at either end would ring.
    mono = mono - mono.mean()
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE, quality="VHQ")
    speech = trimmed(_in_band(mono))
    speech = levelled(speech, level_lufs)
    fade = np.linspace(0.0, 1.0, min(RATE // 200, len(speech)))
    speech[: len(fade)] *= fade
    speech[len(speech) - len(fade) :] *= fade[::-1]
    tail = tail_ms * 8
    tail += -(LEAD_MS * 8 + len(speech) + tail) % _PACKET
    padded = np.concatenate([np.zeros(LEAD_MS * 8), speech, np.zeros(tail)])
    return np.round(padded * 32767).astype(np.int16)


def trimmed(speech: Samples) -> Samples:
    """The speech without the silence around it; 10 ms before it and 30 ms after it are kept."""
    count = -(-len(speech) // _FRAME)
    frames = np.pad(speech, (0, count * _FRAME - len(speech))).reshape(count, _FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    if level.max() < -70:
        raise SilentSpeechError("nothing is to be heard in it")
    loud = np.flatnonzero(level > max(level.max() - _SILENCE_DB, -80))
    return speech[max(0, loud[0] - 1) * _FRAME : (loud[-1] + 4) * _FRAME].copy()


def loudness(speech: Samples) -> float:
    """EBU R128 integrated loudness in LUFS at 8 kHz; what is shorter than a second is measured as if repeated."""
    if len(speech) < RATE:
        speech = np.tile(speech, -(-RATE // len(speech)))
    return float(_meter().integrated_loudness(speech))


def true_peak_dbfs(speech: Samples) -> float:
    """The highest peak, between the samples too."""
    return float(20 * np.log10(np.abs(soxr.resample(speech, RATE, 4 * RATE)).max() + 1e-9))


def levelled(speech: Samples, level_lufs: float) -> Samples:
    """The speech at that loudness; peaks above PEAK_DBFS are turned down for some milliseconds, never cut."""
    for _ in range(4):
        speech = speech * 10 ** ((level_lufs - loudness(speech)) / 20)
        if true_peak_dbfs(speech) <= PEAK_DBFS:
            return speech
        speech = _limited(speech)
    return speech


def _limited(speech: Samples) -> Samples:
    """Peaks held below PEAK_DBFS by a gain that falls before a peak and rises after it, over 5 ms."""
    oversampled = np.abs(soxr.resample(speech, RATE, 4 * RATE))[: 4 * len(speech)]
    peaks = np.pad(oversampled, (0, 4 * len(speech) - len(oversampled))).reshape(-1, 4).max(axis=1)
    # A little lower, so that the level can be set once more after it.
    gain = np.minimum(1.0, 10 ** ((PEAK_DBFS - 0.3) / 20) / np.maximum(peaks, 1e-9))
    window = RATE // 200 | 1
    from scipy.ndimage import minimum_filter1d

    held = minimum_filter1d(gain, 2 * window - 1)
    shape = np.hanning(window + 2)[1:-1]
    smooth = np.convolve(np.pad(held, window // 2, mode="edge"), shape / shape.sum(), "valid")
    limited: Samples = speech * smooth
    return limited
