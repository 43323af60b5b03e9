"""A site that runs for a benchmark: its Asterisk, `ivr up` in a process of its own, and a menu to call."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from ivr.asterisk import conf, program, running
from ivr.settings import Site
from ivr.site import free_ports, init_site
from ivr.speech import open_library
from prompts.voice import Clip
from tests.edges.waiting import PATIENCE_S
from tests.live.site_process import engine_of

FLOW = """\
flow: bench
kind: hotline
languages: [en]
start: menu
nodes:
  menu:
    menu:
      say: bench.menu
      keys: {1: more}
      no_input: {repeat: 0, then: bye}
      invalid: {repeat: 0, then: bye}
  more: {play: {say: bench.more, then: bye}}
  bye: {hang_up: }
"""
TEXTS = """\
bench:
  menu: To hear where our shops are, please press one. To hear the offers of this week, please press two.
  more: Our shop is in the main street, and it is open every day.
"""


def make_site(folder: Path, trunk_port: int, *, texts: str = TEXTS) -> Site:
    site = init_site(
        folder,
        free_ports()
        | {
            "language": "en",
            "trunk.host": "127.0.0.1",
            "trunk.port": trunk_port,
            "asterisk.mode": "external",
            "asterisk.sip_host": "127.0.0.1",
            "hotline.numbers": {"*": "bench"},
            # What is said does not matter here; this one is ready soonest.
            "prompts.engine": dict.fromkeys(("ru", "uk", "en"), "espeak"),
        },
    )
    for path in (site.folder / "dialplans").glob("*.yaml"):
        path.unlink()
    (site.folder / "dialplans" / "bench.yaml").write_text(FLOW, "utf-8")
    (site.folder / "prompts" / "texts" / "en.yaml").write_text(texts, "utf-8")
    return site


async def render(site: Site) -> tuple[Clip, Clip]:
    library = open_library(site)
    try:
        await asyncio.to_thread(library.provide)
        (menu,), (more,) = [await library.render("en", key, {}) for key in ("bench.menu", "bench.more")]
        return menu, more
    finally:
        library.close()


@contextlib.asynccontextmanager
async def asterisk_running(site: Site, dialplan: str = "") -> AsyncIterator[int]:
    """The process id of the site's Asterisk, with more `dialplan` than the site has."""
    found = program.install()
    files = conf.site_files(site, found)
    files["extensions.conf"] += dialplan
    one = await running.ensure(conf.site_home(site), found, files, conf.site_ports(site))
    try:
        yield one.pid
    finally:
        await one.stop()


@contextlib.asynccontextmanager
async def engine_running(site: Site) -> AsyncIterator[int]:
    """`ivr up`; the process id of its engine."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "up", "--site", str(site.folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while line := await process.stdout.readline():
                if b"The site is up" in line:
                    break
            else:
                raise RuntimeError("ivr up ended before the site was up")
        yield engine_of(process.pid)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


@contextlib.asynccontextmanager
async def bare_loop_running(site: Site, menu: Clip, more: Clip) -> AsyncIterator[int]:
    """The bare socket loop in the place of the site's engine; its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.bare_loop", str(site.settings.agi.port), str(menu.path), str(more.path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            if not await process.stdout.readline():
                raise RuntimeError("the bare loop ended before it listened")
        yield process.pid
    finally:
        process.kill()
        await process.wait()


def cpu_ms(pid: int) -> float:
    """User and system time of a process, from its own clock (clock_getcpuclockid(3) says how it is numbered)."""
    return time.clock_gettime(~pid << 3 | 2) * 1000
