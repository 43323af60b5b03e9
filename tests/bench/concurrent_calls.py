"""Many hotline calls at one time: none may fail, and what each caller hears must not stutter.

`python -m tests.bench concurrent_calls`. All calls talk at once for some seconds: they come faster than the menu is
read out, then each caller presses a key and hears one more text. The caller's side runs on the same machine and needs
more CPU than what it measures; packets are stamped by the kernel as they arrive, so that its own delays do not count.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from sqlalchemy import func, select

from ivr.settings import Site
from people.store.db import open_database
from people.store.tables import call, journal
from tests.bench.running_site import asterisk_running, cpu_ms, engine_running, make_site, render
from tests.databases import all_rows
from tests.edges.waiting import PATIENCE_S
from tests.live.sip_peer import Call, Key, Plan, SipPeer

CALLS, PER_SECOND = 200, 20.0
#: Longer than it takes all calls to come in.
TEXTS = """\
bench:
  menu: >-
    Thank you for calling our shop. Please listen to the whole of this message, for it has changed. To hear where our
    shops are, please press one. To hear the offers of this week, please press two. To speak to somebody in our shop,
    please press zero. To hear all of this once more, please press the star key. Thank you for waiting.
  more: Our shop is in the main street, and it is open every day.
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What became of the calls."""

    calls: tuple[Call, ...]
    #: Per call, how far the journal's heard milliseconds are from the packets that came; None: not journalled.
    off_ms: tuple[float | None, ...]

    @property
    def failed(self) -> int:
        """Calls that were not answered, or not told everything to the end."""
        return sum(one.status != 200 or one.hung_up_by != "them" for one in self.calls)

    @property
    def gaps_ms(self) -> list[float]:
        """Gaps of more than 60 ms, without the silences between one text and the next, longest first."""
        return sorted((gap.ms for one in self.calls for gap in one.media.gaps if not gap.pause), reverse=True)

    @property
    def pauses_ms(self) -> list[float]:
        """How long it was still between one text and the next, where that was more than 60 ms, longest first."""
        return sorted((gap.ms for one in self.calls for gap in one.media.gaps if gap.pause), reverse=True)


async def call_at_once(peer: SipPeer, site: Site, count: int, *, per_second: float, key_at_s: float) -> Load:
    """Call the hotline `count` times; each caller presses 1 so long after the answer and listens to the end."""
    address = ("127.0.0.1", site.settings.asterisk.sip_port)
    plan = Plan(keys=(Key("1", at_s=key_at_s),))
    placed = []
    for n in range(count):
        placed.append(peer.dial(address, "100", caller=f"+7916{n:07d}", plan=plan))
        await asyncio.sleep(1 / per_second)
    async with asyncio.timeout(key_at_s + PATIENCE_S):
        for one in placed:
            await one.ended.wait()
    heard_ms = await _journalled(site, sum(one.answered_at is not None for one in placed))
    off = [abs(heard_ms[one.caller] - one.heard_ms) if one.caller in heard_ms else None for one in placed]
    return Load(calls=tuple(placed), off_ms=tuple(off))


async def _journalled(site: Site, answered: int) -> dict[str, float]:
    """Milliseconds heard by caller, when the journal has the ends of all calls that were answered."""
    rows = select(call.c.phone, func.sum(journal.c.heard_ms)).join(journal, journal.c.call_id == call.c.id)
    rows = rows.where(call.c.ended_at_ms.is_not(None)).group_by(call.c.phone)
    database = await open_database(site.database_url)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with all_rows(database).begin() as connection:
                    heard_ms = {phone: ms or 0.0 for phone, ms in await connection.execute(rows)}
                if len(heard_ms) >= answered:
                    return heard_ms
                await asyncio.sleep(0.1)
    finally:
        await database.dispose()


def main() -> None:
    """Measure and print."""
    uvloop.run(_measure())


async def _measure() -> None:
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        async with SipPeer() as peer:
            site = make_site(Path(folder) / "site", peer.port, texts=TEXTS)
            menu, _ = await render(site)
            async with asterisk_running(site) as asterisk, engine_running(site) as engine:
                before = _used(asterisk, engine)
                load = await call_at_once(
                    peer, site, CALLS, per_second=PER_SECOND, key_at_s=min(CALLS / PER_SECOND + 1, menu.length_ms / 1e3)
                )
                used = [(now - then) / 1000 for now, then in zip(_used(asterisk, engine), before, strict=True)]
    print(report(load))
    print("CPU: Asterisk {:.1f} s, engine {:.1f} s, the callers {:.1f} s".format(*used))


def _used(asterisk: int, engine: int) -> list[float]:
    """CPU milliseconds so far: Asterisk, the engine, this process."""
    return [cpu_ms(asterisk), cpu_ms(engine), cpu_ms(os.getpid())]


def report(load: Load) -> str:
    """The figures as lines of text."""
    known = [ms for ms in load.off_ms if ms is not None]
    packets, lost = (sum(getattr(one.media, name) for one in load.calls) for name in ("received", "lost"))
    return "\n".join(
        (
            f"{len(load.calls)} calls, {_most_at_once(load.calls)} at one time; {load.failed} failed",
            f"journal: {len(known)} calls, at most {max(known, default=0):.0f} ms from the packets heard",
            f"audio: {packets} packets, {lost} lost; {_gaps('gaps', load.gaps_ms)}",
            f"between texts: {_gaps('pauses', load.pauses_ms)}",
        )
    )


def _gaps(what: str, ms: Sequence[float]) -> str:
    longest = ", ".join(f"{each:.0f}" for each in ms[:5])
    return f"{len(ms)} {what} over 60 ms" + (f" (longest: {longest} ms)" if ms else "")


def _most_at_once(calls: Sequence[Call]) -> int:
    """How many calls were up at one time."""
    changes = sorted(
        change
        for one in calls
        if one.answered_at and one.ended_at
        for change in ((one.answered_at, 1), (one.ended_at, -1))
    )
    up = most = 0
    for _, change in changes:
        up += change
        most = max(most, up)
    return most


if __name__ == "__main__":
    main()
