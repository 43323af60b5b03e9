"""Speech at any rate -> telephone speech: 8 kHz mono, 150 to 3650 Hz, levelled, trimmed, never clipped. Pure.

For a wideband trunk it is made a second time at 16 kHz, 150 to 7300 Hz, of the same length. Whoever changes what comes
out raises VERSION, and every clip is made anew.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]

#: Part of the name of every clip in the cache.
VERSION: Final = 3
RATE: Final = 8000
WIDE_RATE: Final = 16000
#: Silence before the first sound; a phone's jitter buffer may swallow the first packet.
LEAD_MS: Final = 40
#: No peak between samples goes above; A-law itself ends at -0.14 dBFS.
PEAK_DBFS: Final = -1.5
#: A frame of 10 ms this far below the loudest one is silence.
_SILENCE_DB: Final = 45.0
#: RTP carries 20 ms; a clip of whole packets is heard for exactly as long as its samples say.
_PACKET: Final = RATE // 50


@functools.cache
def _meter(rate: int) -> Any:
    # scipy takes a second to import, and every command imports this module, but only those that make audio need it.
    import pyloudnorm

    return pyloudnorm.Meter(rate)


def _without_hum(speech: Samples, rate: int) -> Samples:
    from scipy.signal import butter, sosfiltfilt

    # There and back: no phase shift, twice the slope. The resampler has taken what is above the band.
    return np.asarray(sosfiltfilt(butter(2, 150, "highpass", fs=rate, output="sos"), speech))


class SilentSpeechError(ValueError):
    """There is no speech in the samples."""


def telephone(
    samples: NDArray[np.generic], rate: int, *, level_lufs: float, tail_ms: int, at: int = RATE
) -> NDArray[np.int16]:
    """The same speech as a telephone prompt: int16, `level_lufs` by EBU R128, whole RTP packets.

    `at` is RATE or WIDE_RATE; both are of the same length in milliseconds. At least `tail_ms` of silence are at its
    end. `samples` are floats of full scale 1 (or int16), one row for each channel when there are several. Raises
    SilentSpeechError when nothing is to be heard in them, or they are no numbers.
    """
    mono = _mono(samples)
    if len(mono) < rate // 100 or not np.isfinite(mono).all():
        raise SilentSpeechError("there is no sound")
    # Before the filters: a step at either end would ring.
    mono = mono - mono.mean()
    narrow = _without_hum(_resampled(mono, rate, RATE), RATE)
    start, end = _spoken(narrow, RATE)
    speech = narrow[start:end]
    if at != RATE:
        times = at // RATE
        wide = _without_hum(_resampled(mono, rate, at), at)[start * times : end * times]
        speech = np.pad(wide, (0, len(speech) * times - len(wide)))
    speech = levelled(speech, level_lufs, at)
    fade = np.linspace(0.0, 1.0, min(at // 200, len(speech)))
    speech[: len(fade)] *= fade
    speech[len(speech) - len(fade) :] *= fade[::-1]
    packet, lead, tail = _PACKET * at // RATE, LEAD_MS * at // 1000, tail_ms * at // 1000
    tail += -(lead + len(speech) + tail) % packet
    padded = np.concatenate([np.zeros(lead), speech, np.zeros(tail)])
    return np.round(padded * 32767).astype(np.int16)


def in_a_row(parts: Sequence[NDArray[np.generic]], rate: int, pauses_ms: Sequence[int]) -> Samples:
    """The parts, trimmed, with so much silence after each but the last; silent parts are left out."""
    spoken: list[Samples] = []
    for part, pause_ms in zip(parts, pauses_ms, strict=True):
        try:
            spoken += trimmed(_mono(part), rate), np.zeros(pause_ms * rate // 1000)
        except SilentSpeechError:
            continue
    return np.concatenate(spoken[:-1]) if spoken else np.zeros(0)


def _mono(samples: NDArray[np.generic]) -> Samples:
    mono = samples.astype(np.float64) / (32768.0 if samples.dtype == np.int16 else 1.0)
    return mono.mean(axis=1) if mono.ndim == 2 else mono


def _resampled(mono: Samples, rate: int, to: int) -> Samples:
    return mono if rate == to else np.asarray(soxr.resample(mono, rate, to, quality="VHQ"))


def _spoken(speech: Samples, rate: int) -> tuple[int, int]:
    """From where to where there is speech, in samples; with it 10 ms before and 30 ms after."""
    frame = rate // 100
    count = -(-len(speech) // frame)
    frames = np.pad(speech, (0, count * frame - len(speech))).reshape(count, frame)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    if not len(level) or level.max() < -70:
        raise SilentSpeechError("nothing is to be heard in it")
    loud = np.flatnonzero(level > max(level.max() - _SILENCE_DB, -80))
    return max(0, int(loud[0]) - 1) * frame, min((int(loud[-1]) + 4) * frame, len(speech))


def trimmed(speech: Samples, rate: int = RATE) -> Samples:
    """The speech without the silence around it; 10 ms before it and 30 ms after it are kept."""
    start, end = _spoken(speech, rate)
    return speech[start:end].copy()


def loudness(speech: Samples, rate: int = RATE) -> float:
    """EBU R128 integrated loudness in LUFS; what is shorter than a second is measured as if repeated."""
    if len(speech) < rate:
        speech = np.tile(speech, -(-rate // len(speech)))
    return float(_meter(rate).integrated_loudness(speech))


def true_peak_dbfs(speech: Samples, rate: int = RATE) -> float:
    """The highest peak, between the samples too."""
    return float(20 * np.log10(np.abs(soxr.resample(speech, rate, 4 * rate)).max() + 1e-9))


def levelled(speech: Samples, level_lufs: float, rate: int = RATE) -> Samples:
    """The speech at that loudness; peaks above PEAK_DBFS are turned down for some milliseconds, never cut."""
    for _ in range(4):
        speech = speech * 10 ** ((level_lufs - loudness(speech, rate)) / 20)
        if true_peak_dbfs(speech, rate) <= PEAK_DBFS:
            return speech
        speech = _limited(speech, rate)
    return speech


def _limited(speech: Samples, rate: int) -> Samples:
    """Peaks held below PEAK_DBFS by a gain that falls before a peak and rises after it, over 5 ms."""
    oversampled = np.abs(soxr.resample(speech, rate, 4 * rate))[: 4 * len(speech)]
    peaks = np.pad(oversampled, (0, 4 * len(speech) - len(oversampled))).reshape(-1, 4).max(axis=1)
    # A little lower, so that the level can be set once more after it.
    gain = np.minimum(1.0, 10 ** ((PEAK_DBFS - 0.3) / 20) / np.maximum(peaks, 1e-9))
    window = rate // 200 | 1
    from scipy.ndimage import minimum_filter1d

    held = minimum_filter1d(gain, 2 * window - 1)
    shape = np.hanning(window + 2)[1:-1]
    smooth = np.convolve(np.pad(held, window // 2, mode="edge"), shape / shape.sum(), "valid")
    limited: Samples = speech * smooth
    return limited
