"""`ivr up` as a process of its own, as a user starts it: what it prints, signals to it, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from ivr.asterisk import conf, running
from ivr.settings import Site
from ivr.settings_files import load_site
from tests.edges.waiting import PATIENCE_S
from tests.live.shared_asterisk import kill_in

UP, DOWN = "The site is up.", "The site is down."


def engine_of(up: int) -> int:
    """The process id of the engine, the one child of the process `ivr up`."""
    (engine,) = Path(f"/proc/{up}/task/{up}/children").read_text("ascii").split()
    return int(engine)


class SiteProcess:
    """An async context manager: a site that is up (or coming up); nothing of it is left running at the end."""

    def __init__(self, site: Site, *, until_up: bool = True) -> None:
        self.site, self._until_up = site, until_up
        #: What it has printed so far.
        self.output = ""
        self._printed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
            if self._until_up:
                await self.prints(UP)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self.signal(signal.SIGKILL)
        await self.ended()
        await kill_in(self.site.asterisk)

    async def start(self) -> None:
        """Start it; `prints(UP)` tells that it is ready."""
        self.output = ""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "up", "--site", str(self.site.folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._printed:
                self.output += line.decode()
                self._printed.notify_all()
        async with self._printed:
            self._printed.notify_all()

    async def prints(self, words: str) -> None:
        """Return when it has printed `words`. Fails when it ends without them."""
        async with asyncio.timeout(PATIENCE_S), self._printed:
            await self._printed.wait_for(lambda: words in self.output or self._reading.done())
        assert words in self.output, self.output

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit status, when it has ended."""
        async with asyncio.timeout(PATIENCE_S):
            status = await self._process.wait()
            await self._reading
        return status

    async def stops(self) -> None:
        """End it as Ctrl-C does, with everything written down."""
        self.signal(signal.SIGINT)
        assert await self.ended() == 0, self.output

    def engine_pid(self) -> int:
        """Of the engine."""
        return engine_of(self._process.pid)

    def watchdog_pid(self) -> int:
        """Of the process that ends the engine when it hangs."""
        engine = self.engine_pid()
        children = Path(f"/proc/{engine}/task/{engine}/children").read_text("ascii").split()
        (pid,) = [pid for pid in children if b"watchdog.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return int(pid)

    async def loses_its_engine(self) -> None:
        """Kill the engine alone; return when `ivr up` has started it again."""
        self.output = ""
        os.kill(self.engine_pid(), signal.SIGKILL)
        await self.prints(UP)

    def asterisk_pid(self) -> int | None:
        """Of the Asterisk that belongs to the site; None when it does not run."""
        return running.running_pid(conf.site_home(self.site))


async def run_ivr(*words: str, site: Path) -> tuple[int, str]:
    """Exit status and output of `ivr ...` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *words, "--site", str(site)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "500"},
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, output.decode()


def share_audio(source: Path, site: Site) -> None:
    """Give the site the audio that another has made, so that it need not make its own."""
    shutil.copytree(source, site.audio, copy_function=os.link)


def changed(site: Site, **asterisk: object) -> Site:
    """The site with other settings in the section asterisk."""
    path = site.folder / "ivr.toml"
    text = path.read_text("utf-8")
    for name, value in asterisk.items():
        shown = f'"{value}"' if isinstance(value, str) else value
        text = re.sub(rf"^(# )?{name} = .*$", f"{name} = {shown}", text, flags=re.MULTILINE)
    path.write_text(text, "utf-8")
    assert tomllib.loads(text)["asterisk"].items() >= asterisk.items()
    return load_site(site.folder)


class Proxy:
    """A TCP link between the engine and Asterisk that can be cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._links: set[asyncio.StreamWriter] = set()
        #: Cut the link right after so many more Originates were passed on: their answers are lost.
        self.cut_after: int | None = None
        self.cuts = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """The port to connect to."""
        async with await asyncio.start_server(self._linked, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
            self.cut()

    def cut(self) -> None:
        self.cuts += bool(self._links)
        for link in self._links:
            link.transport.abort()
        self._links.clear()

    async def _linked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            back, forth = await asyncio.open_connection("127.0.0.1", self._target)
            self._links |= {writer, forth}
            try:
                await asyncio.gather(self._pass(reader, forth, towards_asterisk=True), self._pass(back, writer))
            finally:
                self._links -= {writer, forth}
                writer.transport.abort()
                forth.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, towards_asterisk: bool = False
    ) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            if towards_asterisk and self.cut_after is not None:
                self.cut_after -= data.lower().count(b"originate")
                if self.cut_after <= 0:
                    self.cut_after = None
                    self.cut()
        raise ConnectionResetError
