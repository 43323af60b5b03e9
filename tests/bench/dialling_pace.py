"""How true the pace of dialling is at the peer, what an attempt costs, and what campaigns cost that have nobody due.

The dialler (worker, ledger on SQLite, dialler) and a bare loop that only writes Originates run against the same manager
in a process of its own, one after the other in the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop
from sqlalchemy import update

from outbound.worker import Worker
from people.store.tables import lead
from tests.databases import all_rows
from tests.edges.campaign_site import SETTINGS, ami_link, number, opened, owning
from tests.edges.waiting import until

CAPS, SECONDS = (50, 200), 12
IDLE_CAMPAIGNS, IDLE_LEADS, IDLE_S = 50, 20, 10.0
SHARE = 0.98

Dial = Callable[[int, int, int], Awaitable[float]]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What the peer saw of some calls, and what they cost here."""

    calls: int
    per_second: float
    #: Windows of one second that begin with a call, and those with more calls than the cap.
    windows: int
    over: int
    worst: int
    cpu_ms_per_call: float

    def line(self, name: str) -> str:
        return (
            f"  {name:<10}{self.per_second:7.1f}/s  seconds over the cap {self.over:>4} of {self.windows}"
            f"  worst second {self.worst:>4}  CPU {self.cpu_ms_per_call:6.2f} ms a call"
        )


def seen(came_at_s: list[float], cap: int, cpu_s: float) -> Pace:
    windows = [sum(at <= other < at + 1.0 for other in came_at_s[i : i + 2 * cap]) for i, at in enumerate(came_at_s)]
    return Pace(
        calls=len(came_at_s),
        per_second=(len(came_at_s) - 1) / (came_at_s[-1] - came_at_s[0]),
        windows=len(windows),
        over=sum(count > cap for count in windows),
        worst=max(windows),
        cpu_ms_per_call=1000 * cpu_s / len(came_at_s),
    )


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.dialling_peer"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline()), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def measured(cap: int, dial: Dial) -> Pace:
    async with peer() as (port, process):
        cpu_s = await dial(port, cap, cap * SECONDS)
        output, _ = await process.communicate(b"")
        return seen(json.loads(output), cap, cpu_s)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def by_worker(port: int, cap: int, calls: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as site, owning(site.engine) as lease:
            await site.campaign(calls, channels=2000, calls_per_second=cap, machines="off")
            ami = ami_link(port)
            await ami.open()
            worker = Worker(site.engine, ami, SETTINGS, lease=lease, asterisk_log=site.log)
            before_s = cpu_s()
            task = asyncio.create_task(worker.run())
            # To ask the database would count as the dialler's.
            await until(lambda: len(worker._lines) == 1)
            await until(lambda: len(worker._lines) == 0)
            used_s = cpu_s() - before_s
            await worker.close()
            await task
            await ami.aclose()
            return used_s


async def by_bare_loop(port: int, cap: int, calls: int) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(b"Action: Login\r\nActionID: l\r\nUsername: ivr\r\nSecret: right\r\n\r\n")
    await reader.readuntil(b"FullyBooted")
    reading = asyncio.create_task(hung_up(reader, calls))
    before_s, next_s = cpu_s(), time.monotonic()
    for n in range(calls):
        if (wait_s := next_s - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        next_s = max(next_s, time.monotonic() - 0.01) + 1 / (cap * SHARE)
        text = (
            f"Action: Originate\r\nActionID: b{n}\r\nChannelId: b{n}\r\nChannel: PJSIP/{number(n)}@trunk\r\n"
            "Context: promo\r\nExten: direct\r\nPriority: 1\r\nTimeout: 30000\r\nAsync: true\r\n\r\n"
        )
        writer.write(text.encode())
    await reading
    used_s = cpu_s() - before_s
    writer.close()
    return used_s


async def hung_up(reader: asyncio.StreamReader, calls: int) -> None:
    """Read on until so many calls are over."""
    end, last = b"Event: Hangup\r\n", b""
    while calls > 0:
        read = last + await reader.read(2**16)
        calls -= read.count(end)
        # What is shorter than the whole was not counted.
        last = read[1 - len(end) :]


async def idle_campaigns() -> float:
    """CPU, ms a second, of a worker with running campaigns in which everybody rests."""
    async with peer() as (port, _):
        with tempfile.TemporaryDirectory() as folder:
            async with opened(Path(folder)) as site, owning(site.engine) as lease:
                for n in range(IDLE_CAMPAIGNS):
                    await site.campaign(IDLE_LEADS, name=f"c{n}", retry_after_s=86_400, max_attempts=3)
                async with all_rows(site.engine).begin() as connection:
                    await connection.execute(update(lead).values(attempts=1, due_at_ms=site.clock.now_ms() + 3_600_000))
                ami = ami_link(port)
                await ami.open()
                worker = Worker(site.engine, ami, SETTINGS, lease=lease, asterisk_log=site.log)
                task = asyncio.create_task(worker.run())
                await until(lambda: len(worker._lines) == IDLE_CAMPAIGNS)
                before_s = cpu_s()
                await asyncio.sleep(IDLE_S)
                used_s = cpu_s() - before_s
                await worker.close()
                await task
                await ami.aclose()
                return 1000 * used_s / IDLE_S


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for cap in CAPS:
        print(f"cap {cap} calls a second, {cap * SECONDS} calls:")
        print(uvloop.run(measured(cap, by_bare_loop)).line("bare loop"), flush=True)
        print(uvloop.run(measured(cap, by_worker)).line("dialler"), flush=True)
    print(f"{IDLE_CAMPAIGNS} running campaigns with nobody due: {uvloop.run(idle_campaigns()):.1f} ms of CPU a second")
