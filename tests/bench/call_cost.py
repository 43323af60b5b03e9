"""CPU per answered call: Asterisk with our engine, journal and all, against the same menu in the plain dialplan.

Both are answered by the same Asterisk in the same run, in turn; the ratio of each pair of rounds is what counts. A call
is: answer, a menu, one key in the middle of it, one further prompt, hang up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import uvloop

from ivr.asterisk import conf, program, running
from ivr.settings import Site
from ivr.site import free_ports, init_site
from ivr.speech import open_library
from prompts.voice import Clip
from tests.live.sip_peer import Call, Key, Plan, SipPeer

ROUNDS, CALLS, PER_SECOND = 5, 60, 10.0
KEY_AFTER_S = 1.5
#: Which number leads where.
ENGINE, PLAIN = "100", "200"

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
PLAIN_DIALPLAN = """
[from-trunk](+)
exten => {number},1,Goto(plain,s,1)

[plain]
exten => s,1,Answer()
 same => n,Background({menu})
 same => n,WaitExten(5)
 same => n,Hangup()
exten => 1,1,Playback({more})
 same => n,Hangup()
"""


def main() -> None:
    """Measure and print."""
    uvloop.run(_measure())


async def _measure() -> None:
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        async with SipPeer() as peer:
            site = _make_site(Path(folder) / "site", peer.port)
            menu, more = await _render(site)
            expected = KEY_AFTER_S * 1000 + more.length_ms
            async with _asterisk(site, menu, more) as asterisk, _engine(site) as engine:
                address = ("127.0.0.1", site.settings.asterisk.sip_port)
                for number in (ENGINE, PLAIN):
                    await _round(peer, address, number, calls=10)
                ratios = []
                for _ in range(ROUNDS):
                    spent = {}
                    for number in (PLAIN, ENGINE):
                        before = [_cpu_ms(asterisk), _cpu_ms(engine)]
                        calls = await _round(peer, address, number, calls=CALLS)
                        _check(calls, expected)
                        spent[number] = [_cpu_ms(asterisk) - before[0], _cpu_ms(engine) - before[1]]
                    plain, ours = sum(spent[PLAIN]), sum(spent[ENGINE])
                    ratios.append(ours / plain)
                    print(
                        f"plain dialplan {plain / CALLS:6.2f} ms a call; with the engine {ours / CALLS:6.2f} ms "
                        f"(Asterisk {spent[ENGINE][0] / CALLS:.2f}, engine {spent[ENGINE][1] / CALLS:.2f}): "
                        f"ratio {ratios[-1]:.3f}",
                        flush=True,
                    )
                print(f"ratio: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


def _make_site(folder: Path, trunk_port: int) -> Site:
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
        },
    )
    for path in (site.folder / "dialplans").glob("*.yaml"):
        path.unlink()
    (site.folder / "dialplans" / "bench.yaml").write_text(FLOW, "utf-8")
    (site.folder / "prompts" / "texts" / "en.yaml").write_text(TEXTS, "utf-8")
    return site


async def _render(site: Site) -> tuple[Clip, Clip]:
    library = open_library(site)
    try:
        await asyncio.to_thread(library.provide)
        (menu,), (more,) = [await library.render("en", key, {}) for key in ("bench.menu", "bench.more")]
        return menu, more
    finally:
        library.close()


@contextlib.asynccontextmanager
async def _asterisk(site: Site, menu: Clip, more: Clip) -> AsyncIterator[int]:
    found = program.install()
    files = conf.site_files(site, found)
    files["extensions.conf"] += PLAIN_DIALPLAN.format(number=PLAIN, menu=menu.path, more=more.path)
    one = await running.ensure(conf.site_home(site), found, files, conf.site_ports(site))
    try:
        yield one.pid
    finally:
        await one.stop()


@contextlib.asynccontextmanager
async def _engine(site: Site) -> AsyncIterator[int]:
    """`ivr up` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr", "up", "--site", str(site.folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            while line := await process.stdout.readline():
                if b"The site is up" in line:
                    break
            else:
                raise RuntimeError("ivr up ended before the site was up")
        yield process.pid
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _round(peer: SipPeer, address: tuple[str, int], number: str, *, calls: int) -> list[Call]:
    plan = Plan(keys=(Key("1", at_s=KEY_AFTER_S),))
    placed = []
    for n in range(calls):
        placed.append(peer.dial(address, number, caller=f"+7916{n:07d}", plan=plan))
        await asyncio.sleep(1 / PER_SECOND)
    async with asyncio.timeout(60):
        for call in placed:
            await call.ended.wait()
    return placed


def _check(calls: Sequence[Call], expected_ms: float) -> None:
    """Both kinds of call must have done the same work."""
    wrong = [call.heard_ms for call in calls if abs(call.heard_ms - expected_ms) > 400]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(calls)} calls heard {wrong[:5]} ms, not about {expected_ms:.0f}")


def _cpu_ms(pid: int) -> float:
    """User and system time of a process (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) * 1000 / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
