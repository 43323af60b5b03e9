"""CPU per answered call: Asterisk with our engine, journal and all, against two floors.

A call is: answer, a menu, one key in the middle of it, one further prompt, hang up. Three Asterisks of the same build
and configuration answer at the same time, so that a busy machine costs all alike: one has the plain dialplan and no
engine at all, one a bare socket loop in the engine's place (tests/bench/bare_loop.py), one the engine. What counts are
the ratios of each round, with what the engine does while idle: whole call to plain dialplan, engine to bare loop.

A round ends when its last call has, and no call comes in its last five seconds: with so many calls in it that those are
a small part of it, what an engine does while nobody calls is counted as on a hotline that people call all day.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from ivr.settings import Site
from tests.bench.running_site import (
    asterisk_running,
    bare_loop_running,
    cpu_ms,
    engine_running,
    make_site,
    render,
)
from tests.edges.waiting import PATIENCE_S
from tests.live.sip_peer import Call, Key, Plan, SipPeer

#: Calls per round and their rate, for each side.
ROUNDS, CALLS, PER_SECOND = 5, 180, 8.0
KEY_AFTER_S = 1.5
NUMBER = "100"

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


@dataclass(frozen=True)
class _Side:
    """One of the ways to answer, and the processes that it takes."""

    asterisk: int
    engine: int | None
    #: Where it takes calls.
    address: tuple[str, int]

    def spent_ms(self) -> tuple[float, float]:
        """CPU so far: Asterisk's and the engine's."""
        return cpu_ms(self.asterisk), 0.0 if self.engine is None else cpu_ms(self.engine)


def main() -> None:
    """Measure and print."""
    uvloop.run(_measure())


async def _measure() -> None:
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        async with SipPeer() as peer, AsyncExitStack() as stack:
            site, bare_site, floor = (make_site(Path(folder) / name, peer.port) for name in ("site", "bare", "floor"))
            menu, more = await render(site)
            dialplan = PLAIN_DIALPLAN.format(number=NUMBER, menu=menu.path, more=more.path)
            plain = await _side(stack, floor, asterisk_running(floor, dialplan))
            loop = bare_loop_running(bare_site, menu, more)
            bare = await _side(stack, bare_site, asterisk_running(bare_site), loop)
            ours = await _side(stack, site, asterisk_running(site), engine_running(site))
            sides = (plain, bare, ours)
            expected_ms = KEY_AFTER_S * 1000 + more.length_ms
            await _round(peer, sides, 10)
            wholes, bare_wholes, engines = list[float](), list[float](), list[float]()
            for _ in range(ROUNDS):
                before = [side.spent_ms() for side in sides]
                _check(await _round(peer, sides, CALLS), expected_ms)
                (floor_ms, _), (bare_asterisk_ms, loop_ms), (asterisk_ms, engine_ms) = (
                    [(now - then) / CALLS for now, then in zip(side.spent_ms(), at_first, strict=True)]
                    for side, at_first in zip(sides, before, strict=True)
                )
                wholes.append((asterisk_ms + engine_ms) / floor_ms)
                bare_wholes.append((bare_asterisk_ms + loop_ms) / floor_ms)
                engines.append(engine_ms / loop_ms)
                print(
                    f"ms a call: plain dialplan {floor_ms:6.2f}; bare loop {bare_asterisk_ms:.2f} + {loop_ms:.2f} "
                    f"({bare_wholes[-1]:.3f}); engine {asterisk_ms:.2f} + {engine_ms:.2f}: "
                    f"whole call {wholes[-1]:.3f} of the plain dialplan, engine {engines[-1]:.2f} of the bare loop",
                    flush=True,
                )
            for name, ratios in (
                ("whole call / plain dialplan", wholes),
                ("bare loop's call / plain dialplan", bare_wholes),
                ("engine / bare loop", engines),
            ):
                print(f"{name}: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


async def _side(
    stack: AsyncExitStack,
    site: Site,
    asterisk: AbstractAsyncContextManager[int],
    engine: AbstractAsyncContextManager[int] | None = None,
) -> _Side:
    return _Side(
        asterisk=await stack.enter_async_context(asterisk),
        engine=None if engine is None else await stack.enter_async_context(engine),
        address=("127.0.0.1", site.settings.asterisk.sip_port),
    )


async def _round(peer: SipPeer, sides: Sequence[_Side], calls: int) -> list[Call]:
    """So many calls to each of `sides`, in turn."""
    plan = Plan(keys=(Key("1", at_s=KEY_AFTER_S),))
    placed = []
    for n in range(calls):
        for side in sides:
            placed.append(peer.dial(side.address, NUMBER, caller=f"+7916{n:07d}", plan=plan))
            await asyncio.sleep(1 / PER_SECOND / len(sides))
    async with asyncio.timeout(PATIENCE_S):
        for call in placed:
            await call.ended.wait()
    return placed


def _check(calls: Sequence[Call], expected_ms: float) -> None:
    """All kinds of call must have done the same work; on a busy machine the peer may press a key late, now and then."""
    wrong = [call.heard_ms for call in calls if not expected_ms - 400 < call.heard_ms < expected_ms + 800]
    if len(wrong) > len(calls) // 100:
        raise RuntimeError(f"{len(wrong)} of {len(calls)} calls heard {wrong[:5]} ms, not about {expected_ms:.0f}")
    # The sides take turns.
    plain, bare, ours = (statistics.mean(call.heard_ms for call in calls[side::3]) for side in range(3))
    if max(abs(ours / plain - 1), abs(bare / plain - 1)) > 0.02:
        raise RuntimeError(
            f"a call heard {plain:.0f} ms, {bare:.0f} ms from the bare loop, {ours:.0f} ms from the engine"
        )


if __name__ == "__main__":
    main()
