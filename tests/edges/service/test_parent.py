"""The parent of an engine: it starts it again when it dies, hands signals on, and never leaves it alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from app.service import parent
from tests.edges.waiting import until

_PARENT = """
import sys
from app.service import parent
from app.service.supervision import Backoff
backoff = Backoff(first_s=float(sys.argv[2]), most_s=60.0)
sys.exit(parent.keep((sys.executable, "-c", sys.argv[1]), backoff))
"""
_ENGINE = """
import os, signal, sys, time
from app.service import parent
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("up", os.getpid(), flush=True)
parent.hear()
"""
_RUNS = "\nwhile True: time.sleep(60)"


class Kept:
    """A parent, its engine, and what both have said; a context manager that leaves neither."""

    def __init__(self, folder: Path, engine: str, *, again_after_s: float = 0.01) -> None:
        self._said = folder / "said"
        command = (sys.executable, "-c", _PARENT, _ENGINE + engine, str(again_after_s))
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, process_group=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return self._said.read_text()

    def engines(self) -> list[int]:
        """Ids of the engines that came up, the first one first."""
        return [int(number) for number in re.findall(r"^up (\d+)\n", self.said, re.MULTILINE)]

    async def up(self, times: int = 1) -> int:
        """The id of the engine, when one has come up so often."""
        await until(lambda: len(self.engines()) == times)
        return self.engines()[-1]

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None)
        return self.process.returncode


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_an_engine_that_is_killed_is_started_again_and_that_is_told(tmp_path: Path, number: int) -> None:
    with Kept(tmp_path, _RUNS) as kept:
        for times in (1, 2, 3):
            engine = await kept.up(times)
            # In the log of the one that was started.
            await until(lambda: kept.said.count("engine_started_again") == times - 1)  # noqa: B023 - awaited at once
            os.kill(engine, number)
        await kept.up(4)
        kept.process.send_signal(signal.SIGTERM)
        assert await kept.ended() == 3
        assert f"was ended by {signal.Signals(number).name}; it is started again in" in kept.said


async def test_an_engine_that_lost_a_part_is_started_again(tmp_path: Path) -> None:
    with Kept(tmp_path, f"\nsys.exit({parent.START_AGAIN})") as kept:
        await until(lambda: len(kept.engines()) >= 2)
        assert "lost a part; it is started again" in kept.said


@pytest.mark.parametrize("status", [0, 1, 130])
async def test_an_engine_that_ends_by_itself_has_ended(tmp_path: Path, status: int) -> None:
    """It was told to end, or can't start: whoever reads its error mends it."""
    with Kept(tmp_path, f"\nsys.exit({status})") as kept:
        assert await kept.ended() == status
        assert len(kept.engines()) == 1


async def test_ctrl_c_comes_to_the_engine_once(tmp_path: Path) -> None:
    """As a terminal sends it: to the whole group in the foreground."""
    with Kept(tmp_path, _RUNS) as kept:
        await kept.up()
        for times in (1, 2):
            os.killpg(kept.process.pid, signal.SIGINT)
            await until(lambda: kept.said.count("interrupted") == times)  # noqa: B023 - awaited at once
        kept.process.send_signal(signal.SIGTERM)
        assert await kept.ended() == 3
        assert kept.said.count("interrupted") == 2


async def test_a_signal_to_an_engine_that_comes_up_is_not_lost(tmp_path: Path) -> None:
    with Kept(tmp_path, _RUNS) as kept:
        process = kept.process.pid
        await until(Path(f"/proc/{process}/task/{process}/children").read_text)
        kept.process.send_signal(signal.SIGTERM)
        assert await kept.ended() == 3


async def test_an_engine_that_is_killed_while_it_ends_stays_away(tmp_path: Path) -> None:
    with Kept(tmp_path, _RUNS) as kept:
        engine = await kept.up()
        kept.process.send_signal(signal.SIGINT)
        await until(lambda: "interrupted" in kept.said)
        os.kill(engine, signal.SIGKILL)
        assert await kept.ended() == 128 + signal.SIGKILL


async def test_a_parent_that_waits_can_be_ended(tmp_path: Path) -> None:
    with Kept(tmp_path, _RUNS, again_after_s=60.0) as kept:
        os.kill(await kept.up(), signal.SIGKILL)
        await until(lambda: "started again in 60 s" in kept.said)
        kept.process.send_signal(signal.SIGTERM)
        assert await kept.ended() == 130


async def test_the_engine_dies_with_its_parent(tmp_path: Path) -> None:
    with Kept(tmp_path, _RUNS + "  # it hears") as kept:
        engine = await kept.up()
        await until(lambda: "SigBlk:\t0000000000000000" in Path(f"/proc/{engine}/status").read_text())
        kept.process.kill()
        await until(lambda: not Path(f"/proc/{engine}").exists())


@pytest.mark.parametrize(("variable", "needed"), [("NOTIFY_SOCKET", False), ("IVR_PARENT", False), ("OTHER", True)])
def test_there_is_no_parent_where_systemd_starts_the_engine_again(
    monkeypatch: pytest.MonkeyPatch, variable: str, needed: bool
) -> None:
    for name in ("NOTIFY_SOCKET", "IVR_PARENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "1")
    assert parent.needed() is needed
