"""A headless Chromium driven through its DevTools protocol: what a page shows, asks for and complains about.

The machine's own, or one fetched into the cache without root, as Asterisk is.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

import debroot
from tests.edges.waiting import PATIENCE_S

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")


@dataclass(frozen=True, kw_only=True)
class Browser:
    executable: str
    environment: Mapping[str, str]


def find_chromium() -> Browser:
    """The machine's own browser; else Debian's, fetched into the cache once. Raises MachineError off Debian."""
    if found := next((path for name in NAMES if (path := shutil.which(name))), None):
        return Browser(executable=found, environment=os.environ)
    root = debroot.fetch(
        ["chromium-headless-shell", "fonts-dejavu-core"],
        debroot.cache_dir() / "chromium",
        suite=debroot.OWN,
        instead="Install Chromium.",
    )
    fonts = root.folder / "fonts.conf"
    usual = "<alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>"
    fonts.write_text(f"<fontconfig><dir>{root.folder}/usr/share/fonts</dir>{usual}</fontconfig>")
    # It starts itself anew for each tab, which the root's own loader would not survive; libraries of the machine's own
    # suite work with the machine's loader.
    environment = {"LD_LIBRARY_PATH": root.library_path, "FONTCONFIG_FILE": str(fonts)}
    executable = str(root.folder / "usr/lib/chromium/chromium-headless-shell")
    return Browser(executable=executable, environment={**os.environ, **environment})


@dataclass
class Tab:
    """One page. Commands are answered in order; events are sorted into what tests ask about."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    #: Addresses that were asked for, the page itself included.
    requested: list[str] = field(default_factory=list)
    #: Console errors, exceptions and what the page's security policy refused.
    complaints: list[str] = field(default_factory=list)
    loaded: bool = False
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        await self.socket.send_json({**message, "sessionId": self.session} if self.session else message)
        while True:
            answer = await self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=PATIENCE_S)
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"]["text"])
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(params["args"]))
            case "Page.loadEventFired":
                self.loaded = True
        return message

    async def open(self, path: Path, *, width: int, height: int = 800) -> None:
        """Load a file in a window of that size and wait until it is complete."""
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.loaded = False
        await self.command("Page.navigate", url=path.as_uri())
        while not self.loaded:
            await self._receive()

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page."""
        answer = await self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")


@contextmanager
def running(browser: Browser, profile: Path) -> Iterator[str]:
    """The address of a browser that serves any number of tabs, one after the other; it ends with the block."""
    command = (
        browser.executable,
        "--headless",
        "--no-sandbox",  # it reads nothing but our own file
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
    )
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=browser.environment
    ) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Where it listens, as soon as it says so; from then on what it says is read and forgotten."""
    assert process.stderr is not None
    alarm = threading.Timer(PATIENCE_S, process.kill)
    alarm.start()
    said = b""
    try:
        for line in process.stderr:
            if found := _LISTENING.search(line):
                # A full pipe would hold it up.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return found[1].decode()
            said += line
    finally:
        alarm.cancel()
    raise AssertionError(f"Chromium ended, or was ended, before it listened: {said.decode(errors='replace')}")


@asynccontextmanager
async def new_tab(address: str) -> AsyncIterator[Tab]:
    """An empty tab that shares no storage and no cache with another one; it ends with the block."""
    async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
        tab = Tab(socket)
        context = (await tab.command("Target.createBrowserContext"))["browserContextId"]
        target = await tab.command("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await tab.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab.session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            await tab.command(f"{domain}.enable")
        yield tab
        tab.session = ""
        await tab.command("Target.disposeBrowserContext", browserContextId=context)
