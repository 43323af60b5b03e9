"""Sound that the lab's subscribers make: speech-like bursts and a beep, as 8 kHz 16-bit samples.

Answering machine detection looks at loudness and pauses alone, and so does this: a pitch with overtones and noise for a
voice, words with pauses between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 8000
Samples = NDArray[np.int16]


def word(ms: int) -> Samples:
    """One word ("alo") without a pause inside, exactly `ms` long."""
    samples = ms * RATE // 1000
    t = np.arange(samples) / RATE
    pitch = 130 + 15 * np.sin(2 * np.pi * 2.5 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum((np.sin(n * phase) / n for n in range(1, 12)), start=np.zeros(samples))
    noise = np.random.default_rng(ms).normal(0, 0.08, samples)
    # Two syllables, the loudness never near silence between them.
    loudness = 0.55 + 0.45 * np.sin(np.linspace(0, 2 * np.pi, samples)) ** 2
    edge = np.minimum(1, np.minimum(t, t[::-1]) / 0.01)
    sound: Samples = (6000 * loudness * edge * (voice / 2 + noise)).clip(-32768, 32767).astype(np.int16)
    return sound


def greeting(seconds: float) -> Samples:
    """A machine's greeting: words of 250 to 550 ms with pauses of 80 to 160 ms, exactly `seconds` long."""
    rng = np.random.default_rng(int(seconds * 1000))
    total = int(seconds * RATE)
    parts: list[Samples] = []
    while sum(map(len, parts)) < total:
        parts += [word(int(rng.integers(250, 550))), silence(int(rng.integers(80, 160)))]
    return np.concatenate(parts or [silence(0)])[:total]


def beep(ms: int) -> Samples:
    """The tone after which a machine records."""
    t = np.arange(ms * RATE // 1000) / RATE
    tone: Samples = (8000 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16)
    return tone


def silence(ms: int) -> Samples:
    return np.zeros(ms * RATE // 1000, dtype=np.int16)
