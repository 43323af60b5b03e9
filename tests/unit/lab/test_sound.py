"""Speech-like sound, as answering machine detection hears it: loudness in frames of 20 ms."""

from __future__ import annotations

import numpy as np

from ivr.lab.sound import RATE, Samples, beep, greeting, word

#: Quieter than this is silence to Asterisk (silence_threshold).
THRESHOLD = 256


def _loud(sound: Samples) -> list[bool]:
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160).astype(float)
    return [bool(loudness > THRESHOLD) for loudness in np.abs(frames).mean(axis=1)]


def test_a_word_has_no_pause_inside() -> None:
    assert all(_loud(word(600)))


def test_a_greeting_has_pauses_shorter_than_a_person_leaves() -> None:
    loud = _loud(greeting(8.0))
    pauses = "".join("x" if frame else "." for frame in loud).split("x")
    assert max(map(len, pauses)) * 20 <= 180
    assert sum(1 for pause in pauses if pause) >= 8


def test_sounds_are_the_same_on_every_run() -> None:
    assert (greeting(2.0) == greeting(2.0)).all()
    assert len(beep(400)) == 0.4 * RATE
