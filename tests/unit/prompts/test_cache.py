"""The cache: whole clips or none, whatever happens; the least recently used go first, what is pinned stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from faults import MachineError
from prompts import g711
from prompts.cache import AudioCache
from prompts.voice import Clip

PCM = (10000 * np.sin(np.arange(800) / 5)).astype(np.int16)
LONG_AGO = time.time() - 100_000


def name(number: int) -> str:
    return f"{number:032x}"


def aged(cache: AudioCache, number: int, age_s: float) -> None:
    for path in cache.path(name(number)).parent.glob(f"{name(number)}.*"):
        os.utime(path, (LONG_AGO - age_s, LONG_AGO - age_s))


def test_a_clip_is_three_files_and_its_length_is_known(tmp_path: Path) -> None:
    cache = AudioCache(tmp_path, 1_000_000)
    assert cache.find(name(1)) is None
    clip = cache.put(name(1), PCM)
    assert clip == Clip(tmp_path / "00" / name(1), 800) == cache.find(name(1))
    assert clip.length_ms == 100
    files = {path.suffix: path.read_bytes() for path in clip.path.parent.iterdir()}
    assert files == {".sln": PCM.tobytes(), ".ulaw": g711.ulaw(PCM), ".alaw": g711.alaw(PCM)}


def test_a_clip_that_lacks_a_file_is_not_there(tmp_path: Path) -> None:
    AudioCache(tmp_path, 1_000_000).put(name(1), PCM)
    (tmp_path / "00" / f"{name(1)}.sln").unlink()
    assert AudioCache(tmp_path, 1_000_000).find(name(1)) is None


@pytest.mark.parametrize("suffix", [".alaw", ".ulaw", ".sln"])
@pytest.mark.parametrize("size", [0, 320])
def test_a_clip_with_a_file_that_was_cut_short_is_not_there(tmp_path: Path, suffix: str, size: int) -> None:
    clip = AudioCache(tmp_path, 1_000_000).put(name(1), PCM)
    os.truncate(clip.path.with_name(clip.path.name + suffix), size)
    assert AudioCache(tmp_path, 1_000_000).find(name(1)) is None


def test_the_least_recently_used_go_first_and_pinned_ones_stay(tmp_path: Path) -> None:
    clip_bytes = 800 * 4
    cache = AudioCache(tmp_path, 3 * clip_bytes)
    for number in range(1, 7):
        cache.put(name(number), PCM)
        aged(cache, number, 1000 - number)
    cache.pin("campaign-7", [name(1)])
    cache.pin("hotline", [name(2)])
    assert AudioCache(tmp_path, 3 * clip_bytes).trim() == 3 * clip_bytes
    left = [number for number in range(1, 7) if cache.find(name(number))]
    assert left == [1, 2, 6]
    assert cache.size() == 3 * clip_bytes


def test_what_was_just_used_stays_even_when_the_cache_is_over_its_size(tmp_path: Path) -> None:
    cache = AudioCache(tmp_path, 10)
    cache.put(name(1), PCM)
    cache.put(name(2), PCM)
    aged(cache, 1, 0)
    aged(cache, 2, 0)
    assert AudioCache(tmp_path, 10).find(name(2)) is not None
    cache.trim()
    assert (cache.find(name(1)), cache.find(name(2)) is not None) == (None, True)


def test_a_pin_is_let_go(tmp_path: Path) -> None:
    cache = AudioCache(tmp_path, 10)
    cache.put(name(1), PCM)
    aged(cache, 1, 0)
    cache.pin("hotline", [name(1)])
    assert (cache.pinned(), cache.trim()) == (frozenset({name(1)}), 0)
    cache.unpin("hotline")
    cache.unpin("hotline")
    assert (cache.pinned(), cache.trim()) == (frozenset(), 3200)


_WRITER = """
import sys, numpy as np
from pathlib import Path
from prompts.cache import AudioCache
cache = AudioCache(Path(sys.argv[1]), 0)
pcm = np.ones(400_000, np.int16)
for number in range(1000):
    print(number, flush=True)
    cache.put(f"{number:032x}", pcm)
"""


@pytest.mark.parametrize("after", [0, 1, 3, 7])
def test_killed_in_mid_write_leaves_no_half_clip(tmp_path: Path, after: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == after:
                writer.send_signal(signal.SIGKILL)
                break
    cache = AudioCache(tmp_path, 0)
    whole = [number for number in range(1000) if cache.find(name(number))]
    assert len(whole) in range(after, after + 20)
    for number in whole:
        files = {path.suffix: path.stat().st_size for path in tmp_path.glob(f"00/{name(number)}.*")}
        assert files == {".sln": 800_000, ".ulaw": 400_000, ".alaw": 400_000}
    for number in range(after, after + 20):
        cache.put(name(number), PCM)
        assert cache.find(name(number)) is not None


_FULL = """
import resource, sys, numpy as np
from pathlib import Path
from faults import MachineError
from prompts.cache import AudioCache
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    AudioCache(Path(sys.argv[1]), 0).put("0" * 32, np.ones(800, np.int16))
except MachineError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "The disk takes no file of this size. Free some space" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_is_no_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("in the way")
    with pytest.raises(MachineError, match="can't be written"):
        AudioCache(tmp_path / "audio", 0).put(name(1), PCM)


def test_a_wideband_clip_has_a_fourth_file_and_is_dropped_as_a_whole(tmp_path: Path) -> None:
    cache = AudioCache(tmp_path, max_bytes=0, wide=True)
    cache.put("aa1", np.ones(160, np.int16))
    assert cache.find("aa1") is None
    cache.put("aa1", np.ones(160, np.int16), b"x" * 160)
    assert cache.find("aa1") is not None
    assert cache.size() == 5 * 160
    for path in tmp_path.rglob("aa1.*"):
        os.utime(path, (1, 1))
    assert cache.trim() == 5 * 160
    assert list(tmp_path.rglob("aa1.*")) == []
