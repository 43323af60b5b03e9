"""An engine that stands still: real processes, real signals, a real socket in systemd's place."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.service.heartbeat import Heartbeat, Watchdog
from app.service.systemd import Systemd
from tests.edges.waiting import PATIENCE_S, until

_BEAT_S = 0.1
#: An engine that beats for ever, and says so each time when its watchdog has heard it, or is gone: the watchdog's
#: process, and since when the engine may be held to stand still.
_ENGINE = f"""
import fcntl, sys, termios, time
from pathlib import Path
from app.service.heartbeat import Watchdog

dog = Watchdog(Path(sys.argv[1]), after_s=float(sys.argv[2]))
while True:
    beaten = time.monotonic()
    dog.beat()
    while any(fcntl.ioctl(dog._pipe, termios.FIONREAD, bytes(4))) and dog._process.poll() is None:
        time.sleep(0.001)
    print(dog._process.pid, beaten, flush=True)
    time.sleep({_BEAT_S})
"""


@contextmanager
def engine(log: Path, after_s: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, and its watchdog's id."""
    process = subprocess.Popen(
        (sys.executable, "-c", _ENGINE, str(log), str(after_s)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline().split()[0])
    finally:
        process.kill()
        process.communicate()


async def beats(process: subprocess.Popen[str], count: int) -> float:
    """Until it has beaten, and was heard, so many times more: when it did last, in seconds of the monotonic clock."""
    assert process.stdout is not None
    line = ""
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(count):
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, "it has ended"
    return float(line.split()[1])


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def looks(dog: int, count: int) -> None:
    """Until it has gone to sleep so many times more. Raises TimeoutError when it does not."""

    def slept() -> int:
        return int(Path(f"/proc/{dog}/status").read_text().rpartition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = slept()
    await until(lambda: slept() >= before + count)


async def test_an_engine_that_stands_still_is_ended_and_told(tmp_path: Path) -> None:
    log = tmp_path / "ivr.log"
    with engine(log, 1.5) as (process, dog):
        # It lives on as long as it moves.
        beaten_s = await beats(process, 25)
        process.send_signal(signal.SIGSTOP)
        await until(lambda: process.poll() is not None)
        took_s = time.monotonic() - beaten_s
        await until(lambda: not running(dog))
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == -signal.SIGKILL
    assert took_s > 1.5
    assert "did not move for 1.5 s" in said
    assert json.loads(log.read_text())["event"] == "engine_hung"


async def test_a_machine_that_was_paused_ends_nobody(tmp_path: Path) -> None:
    """Both stood still, as on a suspended machine: the engine has the whole time anew."""
    with engine(tmp_path / "ivr.log", 4.0) as (process, dog):
        process.send_signal(signal.SIGSTOP)
        # It has taken the last beat, and looked once in vain.
        await looks(dog, 2)
        os.kill(dog, signal.SIGSTOP)
        # The pause itself: with it the engine has stood still for longer than it may.
        await asyncio.sleep(4)
        os.kill(dog, signal.SIGCONT)
        # It takes up the look that the pause cut short, and looks again.
        await looks(dog, 2)
        process.send_signal(signal.SIGCONT)
        await beats(process, 10)
        assert running(dog)


async def test_the_watchdog_goes_with_its_engine(tmp_path: Path) -> None:
    with engine(tmp_path / "ivr.log", 60) as (process, dog):
        process.kill()
        await until(lambda: not running(dog))
    assert not (tmp_path / "ivr.log").exists()


async def test_a_watchdog_that_was_killed_is_started_again(tmp_path: Path) -> None:
    with engine(tmp_path / "ivr.log", 60) as (process, dog):
        os.kill(dog, signal.SIGKILL)
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            said, another = [], dog
            while another == dog:
                said.append(await asyncio.to_thread(process.stdout.readline))
                if (first := said[-1].split()[0]).isdecimal():
                    another = int(first)
        assert running(another)
        assert any("watchdog_died" in line for line in said)
        assert process.poll() is None


async def test_the_heart_beats_for_the_dialplan_and_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.service.heartbeat.BEAT_EVERY_S", 0.02)
    alive = tmp_path / "run" / "engine.alive"
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        heartbeat = Heartbeat(
            alive, Watchdog(tmp_path / "ivr.log", after_s=60), Systemd(environment), lambda: "3 calls"
        )
        beating = asyncio.create_task(heartbeat.run())
        heard = [await asyncio.to_thread(systemd.recv, 100) for _ in range(2)]
        await until(alive.exists)
        os.utime(alive, (1, 1))
        await until(lambda: time.time() - alive.stat().st_mtime < 5)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        heartbeat.stop()
    assert heard == [b"WATCHDOG=1\nSTATUS=3 calls"] * 2
    # Asterisk, our child, must not speak in our name.
    assert environment == {}
    # An engine that has ended is no engine that hangs.
    assert not alive.exists()


def test_without_systemd_nothing_is_told(tmp_path: Path) -> None:
    Systemd({}).tell(READY=1)
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell(READY=1)


def test_systemd_in_the_abstract_namespace_is_told() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0ivr-test-{os.getpid()}")
        Systemd({"NOTIFY_SOCKET": f"@ivr-test-{os.getpid()}"}).tell(READY=1, STATUS="up")
        assert systemd.recv(100) == b"READY=1\nSTATUS=up"
