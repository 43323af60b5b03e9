"""One Asterisk for each configuration, used by one test after the other; none sees what another one did.

For tests that only call through it. One that stops, starts or changes an Asterisk has its own (`start_asterisk`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivr.asterisk import conf, program, running
from ivr.settings import Site
from ivr.site import free_ports, init_site
from tests.edges.waiting import PATIENCE_S
from tests.live.sip_peer import SipPeer

#: What every site of a live test has beside its ports.
LOOPBACK: dict[str, object] = {
    "trunk.host": "127.0.0.1",
    "asterisk.mode": "embedded",
    "asterisk.sip_host": "127.0.0.1",
    "destinations.operator": "+74950000000",
}


def dotted(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings by their names in ivr.toml, of arguments with __ for the dot (trunk__codec="g722")."""
    return {name.replace("__", "."): value for name, value in settings.items()}


async def kill(asterisk: running.Running) -> None:
    """End an Asterisk at once, where how it ends is no matter."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(asterisk.pid, signal.SIGKILL)
    await asterisk.wait()


async def kill_in(*folders: Path) -> None:
    """End whichever Asterisk still runs in these folders."""
    for folder in folders:
        if left := running.adopt(running.Home(folder=folder), program.install()):
            await kill(left)


@dataclass
class SharedAsterisks:
    """Sites whose Asterisk runs until `close`."""

    folder: Path
    program: program.Program
    _running: dict[str, tuple[Site, running.Running]] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def site(self, **settings: object) -> AsyncIterator[tuple[SipPeer, Site]]:
        """An operator and a site with `settings` (trunk__codec="g722"); nothing is left of the calls before."""
        site, asterisk = await self._ready(settings)
        for left in (*asterisk.home.log.glob("c[de][rl]-custom/*"), *site.var.iterdir()):
            if left != asterisk.home.folder:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        async with SipPeer(port=site.settings.trunk.port) as peer:
            try:
                yield peer, site
            finally:
                for call in peer.calls:
                    call.hang_up()
                async with asyncio.timeout(PATIENCE_S):
                    while "0 active channels" not in await asterisk.command("core show channels count"):
                        pass

    async def _ready(self, settings: dict[str, object]) -> tuple[Site, running.Running]:
        site, asterisk = self._running.get(key := repr(sorted(settings.items())), (None, None))
        if site is None:
            trunk_port = free_ports()["asterisk.sip_port"]
            chosen = LOOPBACK | free_ports() | {"trunk.port": trunk_port} | dotted(settings)
            site = init_site(self.folder / f"shared{len(self._running)}", chosen)
        if asterisk is None or not asterisk.alive:
            files = conf.site_files(site, self.program)
            asterisk = await running.ensure(conf.site_home(site), self.program, files, conf.site_ports(site))
            self._running[key] = site, asterisk
        return site, asterisk

    async def close(self) -> None:
        for _, asterisk in self._running.values():
            await kill(asterisk)
