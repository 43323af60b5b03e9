"""The telephone chain: what goes in, what comes out."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray

from prompts import g711
from prompts.audio import (
    LEAD_MS,
    PEAK_DBFS,
    RATE,
    WIDE_RATE,
    SilentSpeechError,
    in_a_row,
    loudness,
    telephone,
    trimmed,
    true_peak_dbfs,
)


def syllables(seconds: float, rate: int, *, pitch: float = 180.0, level: float = 0.3) -> NDArray[np.float64]:
    """A voice-like sound: harmonics of a pitch, four syllables a second."""
    time = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 12))
    voiced: NDArray[np.float64] = level * voice * np.maximum(0, np.sin(2 * np.pi * 4 * time)) ** 0.5
    return voiced


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.25, 0.6, 3.0])
@pytest.mark.parametrize("level", [0.003, 0.05, 0.9])
def test_every_source_comes_out_equally_loud_after_a_law(rate: int, seconds: float, level: float) -> None:
    pcm = telephone(syllables(seconds, rate, level=level), rate, level_lufs=-21, tail_ms=200)
    heard = g711.from_alaw(g711.alaw(pcm)) / 32768
    assert loudness(trimmed(heard)) == pytest.approx(-21, abs=0.5)


@pytest.mark.parametrize("rate", [8000, 24000, 44100])
@pytest.mark.parametrize("seconds", [0.26, 1.237])
def test_wideband_is_as_long_and_as_loud_and_has_what_narrowband_lacks(rate: int, seconds: float) -> None:
    noise = 0.02 * np.random.default_rng(1).normal(size=int(seconds * rate))
    speech = np.pad(syllables(seconds, rate)[: len(noise)] + noise, rate // 3)
    narrow = telephone(speech, rate, level_lufs=-21, tail_ms=130)
    wide = telephone(speech, rate, level_lufs=-21, tail_ms=130, at=WIDE_RATE)
    assert len(wide) == 2 * len(narrow)
    assert len(narrow) % 160 == 0
    assert loudness(trimmed(wide / 32768, WIDE_RATE), WIDE_RATE) == pytest.approx(-21, abs=0.5)
    power = np.abs(np.fft.rfft(wide.astype(np.float64))) ** 2
    at = np.fft.rfftfreq(len(wide), 1 / WIDE_RATE)
    share = power[(at > 4500) & (at < 7000)].sum() / power[at < 3500].sum()
    assert bool(share > 1e-4) == (rate > 8000)


def test_parts_in_a_row_have_the_pauses_that_were_asked_for() -> None:
    parts = [np.pad(syllables(0.5, RATE), 3000), np.zeros(RATE), syllables(0.5, RATE)]
    row = in_a_row(parts, RATE, [400, 1000, 700])
    longest = max(len(list(run)) for quiet, run in groupby(np.abs(row) < 1e-6) if quiet)
    assert 400 <= longest / 8 <= 480
    assert len(in_a_row([np.zeros(RATE)], RATE, [100])) == 0


def test_silence_around_is_cut_to_the_set_length() -> None:
    speech = np.concatenate([np.zeros(24000), syllables(1, 24000), np.zeros(48000)])
    pcm = telephone(speech, 24000, level_lufs=-21, tail_ms=300)
    loud = np.flatnonzero(np.abs(pcm) > 300)
    assert LEAD_MS <= loud[0] / 8 <= LEAD_MS + 30
    assert 300 <= (len(pcm) - loud[-1]) / 8 <= 360


def test_peaks_are_held_without_clipping() -> None:
    time = np.arange(2 * RATE)
    # A quiet voice with clicks far above it, as plosives may be.
    clicks = 0.9 * (time % 800 == 0)
    pcm = telephone(syllables(2, RATE, level=0.02) + clicks, RATE, level_lufs=-16, tail_ms=0)
    assert true_peak_dbfs(pcm / 32768) <= PEAK_DBFS + 0.1
    assert np.abs(pcm).max() < 32000


def test_what_a_phone_does_not_carry_is_taken_away() -> None:
    time = np.arange(2 * 48000) / 48000
    hum_and_hiss = 0.3 * np.sin(2 * np.pi * 50 * time) + 0.3 * np.sin(2 * np.pi * 6000 * time)
    pcm = telephone(syllables(2, 48000) + hum_and_hiss, 48000, level_lufs=-21, tail_ms=0).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))) ** 2
    at = np.fft.rfftfreq(len(pcm), 1 / RATE)

    def level(hertz: float) -> float:
        return float(10 * np.log10(spectrum[np.abs(at - hertz) < 12].max()))

    assert level(50) < level(360) - 20
    # 6 kHz would fold to 2 kHz: between the harmonics there is next to nothing.
    assert level(2000) < level(1980) - 12


def test_stereo_and_int16_are_taken_too() -> None:
    speech = syllables(1, 16000, level=0.2)
    stereo = telephone(np.column_stack([speech, speech]), 16000, level_lufs=-21, tail_ms=50)
    whole = telephone((speech * 32767).astype(np.int16), 16000, level_lufs=-21, tail_ms=50)
    assert np.abs(stereo.astype(int) - whole.astype(int)).max() <= 8


@pytest.mark.parametrize(
    "samples", [np.zeros(8000), np.zeros(3), np.full(8000, np.nan), np.full(8000, 0.5), 1e-6 * np.ones(8000)]
)
def test_silence_is_a_fault_never_a_prompt(samples: NDArray[np.float64]) -> None:
    with pytest.raises(SilentSpeechError):
        telephone(samples, 8000, level_lufs=-21, tail_ms=0)
