"""Studio recordings: what is played, what is not, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from structlog.testing import capture_logs

from prompts.fragments import Fragment
from prompts.recordings import Recordings

RATE = 16000


def speech(seconds: float = 1.0, level: float = 0.2, rate: int = RATE) -> NDArray[np.float64]:
    time = np.arange(int(seconds * rate)) / rate
    sound: NDArray[np.float64] = level * np.sin(2 * np.pi * 300 * time) * np.abs(np.sin(2 * np.pi * 3 * time))
    return sound


def put(folder: Path, name: str, sound: NDArray[np.float64], rate: int = RATE, subtype: str | None = None) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


def of(folder: Path, key: str) -> bool:
    return Recordings(folder).of(Fragment("ru", "слова", 0, key)) is not None


@pytest.mark.parametrize(
    ("name", "rate", "subtype", "channels"),
    [
        ("a.b.wav", 48000, "PCM_24", 2),
        ("a.b.wav", 44100, "FLOAT", 1),
        ("a.b.wav", 8000, "PCM_U8", 1),
        ("a.b.wav", 8000, "ALAW", 1),
        ("a.b.WAV", 96000, "DOUBLE", 6),
        ("a.b.mp3", 44100, None, 1),
        ("a.b.ogg", 22050, None, 2),
        ("a.b.flac", 48000, "PCM_24", 1),
    ],
)
def test_any_usual_format_is_taken(tmp_path: Path, name: str, rate: int, subtype: str | None, channels: int) -> None:
    put(tmp_path, f"ru/{name}", np.column_stack([speech(rate=rate)] * channels), rate, subtype)
    assert of(tmp_path, "a.b")
    assert Recordings(tmp_path).faults() == []


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("sound", "what"),
    [
        (None, "is no sound that can be read"),
        (np.zeros(0), "is empty"),
        (speech(0.05), "is empty"),
        (np.zeros(RATE), "is silent"),
        (np.full(RATE, 0.5), "is silent"),
        (np.append(speech(), np.nan), "no numbers"),
    ],
)
def test_what_can_not_be_heard_is_not_played_and_told(
    tmp_path: Path, sound: NDArray[np.float64] | None, what: str
) -> None:
    if sound is None:
        _write(tmp_path / "ru/a.b.wav", b"these are words\n" * 20)
    else:
        put(tmp_path, "ru/a.b.wav", sound, subtype="FLOAT")
    with capture_logs() as logs:
        assert not of(tmp_path, "a.b")
    assert [log["event"] for log in logs] == ["recording_unusable"]
    (fault,) = Recordings(tmp_path).faults()
    assert what in fault.what


def test_half_a_file_is_not_played(tmp_path: Path) -> None:
    path = put(tmp_path, "ru/a.b.wav", speech())
    path.write_bytes(path.read_bytes()[:20_000])
    assert not of(tmp_path, "a.b")
    (fault,) = Recordings(tmp_path).faults()
    assert fault.what == "The recording is cut off: 20000 bytes of 32044."


def test_a_wav_that_was_written_to_a_pipe_has_no_length_and_is_taken(tmp_path: Path) -> None:
    path = put(tmp_path, "ru/a.b.wav", speech())
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff\xff\xff\xff" + data[8:])
    assert of(tmp_path, "a.b")


@pytest.mark.parametrize(
    ("sound", "rate", "what"),
    [
        (np.clip(20 * speech(), -1, 1), RATE, "is clipped at"),
        (0.01 * speech(), RATE, "is too quiet: its loudest sound is at -57 dBFS"),
        (speech(rate=4000), 4000, "has only 4000 samples a second"),
    ],
)
def test_what_sounds_bad_is_played_and_told(tmp_path: Path, sound: NDArray[np.float64], rate: int, what: str) -> None:
    put(tmp_path, "ru/a.b.wav", sound, rate)
    assert of(tmp_path, "a.b")
    (fault,) = Recordings(tmp_path).faults()
    assert what in fault.what


def test_one_sample_at_full_scale_is_no_clipping(tmp_path: Path) -> None:
    put(tmp_path, "ru/a.b.wav", speech(level=1.0))
    assert Recordings(tmp_path).faults() == []


def test_a_file_that_is_never_played_is_told(tmp_path: Path) -> None:
    for name in ("a.b.wav", "rus/a.b.wav", "ru/deeper/a.b.wav"):
        put(tmp_path, name, speech())
    _write(tmp_path / "ru/a.b.m4a", b"x")
    _write(tmp_path / "README", b"x")
    _write(tmp_path / "ru/.a.b.wav.swp", b"x")
    strays = {str(Path(str(fault.where)).relative_to(tmp_path)) for fault in Recordings(tmp_path).faults()}
    assert strays == {"a.b.wav", "rus/a.b.wav", "ru/deeper/a.b.wav", "ru/a.b.m4a"}
