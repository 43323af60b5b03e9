"""Whatever a file that the user names is or holds, he is told what is wrong, at once; nothing hangs, fills the memory
or ends in a traceback. YAML has tests of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from prompts.languages import LANGUAGES
from prompts.sentences import Sentences, load_sentences
from tests.unit.named_files import READERS, faults, place

# ---------------------------------------------------------------- what is no file


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    # The address of a socket has little room.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("make", [_pipe, _device, _folder, _socket])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str, make: Callable[[Path], None]) -> None:
    path = place(kind, tmp_path)
    make(path)
    told = [fault for fault in faults(kind, path) if fault.where == path]
    assert len(told) == 1
    assert "can't be read" in told[0].what
    assert told[0].mend


@pytest.mark.parametrize("kind", sorted(READERS.keys() - {"contacts", "do_not_call"}))
def test_a_terabyte_is_refused_unread(tmp_path: Path, kind: str) -> None:
    path = place(kind, tmp_path)
    _sparse(path)
    told = [fault for fault in faults(kind, path) if fault.where == path]
    assert len(told) == 1
    assert "larger than" in told[0].what


@pytest.mark.parametrize("kind", ["contacts", "do_not_call", "subscribers"])
@pytest.mark.parametrize("filling", [b"x", b"\0", b"7", b'"', b","])
def test_a_line_without_end(tmp_path: Path, kind: str, filling: bytes) -> None:
    path = place(kind, tmp_path)
    path.write_bytes(b"phone\n" + filling * 3_000_000)
    for fault in faults(kind, path):
        assert len(str(fault)) < 2000


@pytest.mark.parametrize("name", [b"\xef\xf0", b"\x1b[31m", b"a\nb"])
@pytest.mark.parametrize("kind", ["flow", "contacts", "subscribers", "do_not_call", "recording"])
def test_a_name_that_no_terminal_shows(tmp_path: Path, kind: str, name: bytes) -> None:
    path = place(kind, tmp_path)
    path = path.with_name(os.fsdecode(name) + path.suffix)
    path.write_bytes(b"\xff\xfe\x00")
    for fault in faults(kind, path):
        assert str(fault).isprintable()
        str(fault).encode("utf-8")


# ---------------------------------------------------------------- TOML


TOML = [
    "a = " + "[" * 50_000,
    "x = {a" + ".a" * 30_000 + " = 1}",
    "a = " + "{a=" * 50_000,
    "a = " + "9" * 10_000,
    "a = 1e" + "9" * 10_000,
    "[trunk]\nhost = " + "9" * 10_000,
    "a" + ".a" * 30_000 + " = 1",
    "[" + "a." * 30_000 + "a]",
    "a = 1979-99-99",
    r'a = "\ud800"',
    r'a = "\UFFFFFFFF"',
    "a = '" + "x" * 60_000 + "'",
    '"" = 1',
    "a = \0",
    "a = nan\n[a]",
    "a = " + "[\n" * 30_000,
    "\n".join("a" + str(i) + ".a" * 990 + " = 1" for i in range(30)),
]


@pytest.mark.parametrize("kind", ["settings", "secrets"])
@pytest.mark.parametrize("text", TOML, ids=lambda text: ascii(text[:24]))
def test_hostile_toml(tmp_path: Path, kind: str, text: str) -> None:
    path = place(kind, tmp_path)
    path.write_text(text, "utf-8")
    told = [fault for fault in faults(kind, path) if fault.where == path]
    assert told
    for fault in told:
        assert len(str(fault)) < 2000


# ---------------------------------------------------------------- sound


def test_three_hours_of_sound_are_refused_by_their_header(tmp_path: Path) -> None:
    path = place("recording", tmp_path)
    rate = 8000
    with soundfile.SoundFile(path, "w", samplerate=rate, channels=1, subtype="PCM_16") as sound:
        for _ in range(3 * 60):
            sound.write(np.zeros(60 * rate, dtype=np.int16))
    (fault,) = faults("recording", path)
    assert "longer than 10 minutes" in fault.what


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48000, 2), (48000, 6)])
def test_a_long_recording_takes_little_memory(tmp_path: Path, rate: int, channels: int) -> None:
    path = place("recording", tmp_path).with_suffix(".flac")
    minute = np.tile(0.2 * np.sin(np.arange(60 * rate) * 0.2), (channels, 1)).T
    with soundfile.SoundFile(path, "w", samplerate=rate, channels=channels, subtype="PCM_16") as sound:
        for _ in range(2):
            sound.write(minute)
    # The most so far is forgotten.
    Path("/proc/self/clear_refs").write_text("5")
    before = _most_memory_kb()
    assert faults("recording", path) == []
    assert _most_memory_kb() - before < 100_000


def _most_memory_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def test_every_language_is_read(tmp_path: Path) -> None:
    """The tests above would see nothing if these readers did not look."""
    for language in LANGUAGES:
        (tmp_path / f"{language}.yaml").write_text("слово: слово", "utf-8")
    assert isinstance(load_sentences(tmp_path), Sentences)
    assert faults("dictionary", tmp_path / "ru.yaml") == []
