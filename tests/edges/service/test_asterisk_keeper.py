"""An Asterisk that dies or hangs, with processes of a few lines in its place: real signals, a real control socket."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.service.asterisk import Keeper
from app.service.supervision import Backoff
from faults import Fault, PeerError
from ivr.asterisk.running import Home, Running
from tests.edges.waiting import PATIENCE_S, until
from tests.unit.asterisk.test_conf import PROGRAM

#: Greets on its console as Asterisk does, and notes that it did.
_ASTERISK = """
import os, socket, sys
path = sys.argv[1]
if os.path.exists(path):
    os.unlink(path)
console = socket.socket(socket.AF_UNIX)
console.bind(path)
console.listen()
while True:
    link, _ = console.accept()
    link.sendall(b"host/1/22\\n")
    link.close()
    with open(path + ".greeted", "ab") as greeted:
        greeted.write(b".")
"""


class Starter:
    """Starts an Asterisk after so many failures."""

    def __init__(self, home: Home) -> None:
        self.home, self.failures = home, [OSError("fork: no more processes"), PeerError(Fault(what="No.", mend="-"))]
        self.started: list[Running] = []
        home.run.mkdir(parents=True)

    async def __call__(self) -> Running:
        if self.started and self.failures:
            raise self.failures.pop()
        child = subprocess.Popen((sys.executable, "-c", _ASTERISK, str(self.home.control)))  # noqa: ASYNC220
        one = Running(self.home, PROGRAM, child.pid, child)
        self.started.append(one)
        for _ in range(1000):
            if await one.answers(1.0):
                break
            await asyncio.sleep(0.01)
        return one


@asynccontextmanager
async def kept(tmp_path: Path, *, hung_after_s: float) -> AsyncIterator[tuple[Keeper, Starter]]:
    # The folders of a test run may be deep, and a socket's name is short.
    os.chdir(tmp_path)
    starter = Starter(Home(folder=Path("a")))
    quick = Backoff(first_s=0.01, most_s=0.02)
    keeper = Keeper(await starter(), starter, hung_after_s=hung_after_s, backoff=quick)
    keeping = asyncio.create_task(keeper.run())
    try:
        yield keeper, starter
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        for one in starter.started:
            await one.kill()


@pytest.fixture(autouse=True)
def _come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("number", "hung_after_s"), [(signal.SIGKILL, PATIENCE_S), (signal.SIGSTOP, 2.4)], ids=["dies", "hangs"]
)
async def test_it_is_started_again_after_failures(tmp_path: Path, number: signal.Signals, hung_after_s: float) -> None:
    async with kept(tmp_path, hung_after_s=hung_after_s) as (keeper, starter):
        first = keeper.asterisk
        if number == signal.SIGSTOP:
            # It has been asked twice, and was not ended.
            greeted = first.home.control.with_name(first.home.control.name + ".greeted")
            await until(greeted.exists)
            before = greeted.stat().st_size
            await until(lambda: greeted.stat().st_size >= before + 2)
        assert keeper.asterisk is first
        os.kill(first.pid, number)
        await until(lambda: len(starter.started) == 2)
        await until(lambda: keeper.asterisk is starter.started[1])
        assert not first.alive
        assert starter.failures == []
        assert keeper.asterisk.alive
