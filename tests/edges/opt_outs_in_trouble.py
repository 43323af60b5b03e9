"""Ten callers press 9 while the database takes nothing; then the engine dies. Who is on the list after its next start?

As a program: `python -m tests.edges.opt_outs_in_trouble FOLDER TROUBLE SIGNAL` prints it, with SQLite in FOLDER, so
that it can be run with a full disk of its own. TROUBLE: none, locked, full (FOLDER is a small file system), away (of a
PostgreSQL whose cluster is given).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.db import make_engine
from people.store.postgres import Cluster
from people.store.tables import do_not_call
from tests.databases import all_rows, url
from tests.edges.fake_asterisk import FakeAsterisk, opening
from tests.edges.waiting import PATIENCE_S

#: Keeps everybody else from writing.
LOCK = {"sqlite": "BEGIN EXCLUSIVE", "postgresql": "LOCK TABLE call, journal, do_not_call IN SHARE MODE"}
CALLERS = [f"+7916000000{number}" for number in range(10)]


async def scenario(
    folder: Path, address: str, trouble: str, number: signal.Signals, *, cluster: Cluster | None = None
) -> tuple[list[str], list[str]]:
    """What each caller heard after the 9; the do-not-call list once the engine answers calls again."""
    async with engine(folder, address) as (process, port, _), in_trouble(folder, address, trouble, cluster):
        heard = await asyncio.gather(*(opts_out(port, caller) for caller in CALLERS))
        if trouble == "none":
            process.send_signal(signal.SIGSTOP)
        process.send_signal(number)
        await process.wait()
    async with engine(folder, address) as (process, _, waiting):
        async with reading(address) as connection:
            listed = (await connection.execute(select(do_not_call.c.phone).order_by(do_not_call.c.phone))).scalars()
        assert waiting == 0
        process.send_signal(signal.SIGINT)
        await process.wait()
    return list(heard), list(listed)


@contextlib.asynccontextmanager
async def reading(address: str) -> AsyncIterator[AsyncConnection]:
    database = make_engine(address)
    try:
        async with all_rows(database).begin() as connection:
            yield connection
    finally:
        await database.dispose()


@contextlib.asynccontextmanager
async def engine(folder: Path, address: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, int]]:
    """The process of an engine, its port, and how many opt-outs it found and could not bring into the database."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.edges.engine_process", str(folder), address, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            # Its log comes out there too.
            async for line in process.stdout:
                if len(words := line.split()) == 2:
                    break
            else:
                raise AssertionError("The engine ended before it answered calls.")
        yield process, int(words[0]), int(words[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def in_trouble(folder: Path, address: str, trouble: str, cluster: Cluster | None) -> AsyncIterator[None]:
    if trouble == "locked":
        async with reading(address) as blocker:
            await blocker.execute(text(LOCK[blocker.dialect.name]))
            yield
    elif trouble == "away":
        assert cluster
        cluster.stop()
        yield
        cluster.start()
    elif trouble == "full":
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(folder).f_bavail == 0
        yield
        filler.unlink()
    else:
        yield


async def opts_out(port: int, caller: str) -> str:
    """Press 9; the text that the caller hears then."""
    async with FakeAsterisk(port) as asterisk:
        await asterisk.says(opening("inbound", "100", caller=caller))
        while "STREAM FILE" not in (command := await asterisk.hears()) or "promo.offer" not in command:
            await asterisk.says("200 result=0 endpos=8000")
        await asterisk.says("200 result=57 endpos=4000")
        return (await asterisk.hears()).split('"')[1].rpartition("/")[2]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    address = url(folder / "ivr.sqlite3")
    heard, listed = asyncio.run(scenario(folder, address, sys.argv[2], signal.Signals[sys.argv[3]]))
    print("result:", *heard, "|", *listed)
