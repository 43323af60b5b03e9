"""CPU per answered call: Asterisk with our engine, journal and all, against the same menu in the plain dialplan.

A call is: answer, a menu, one key in the middle of it, one further prompt, hang up. Two Asterisks of the same build and
configuration answer at the same time, so that a busy machine costs both alike: one has the engine, the other the plain
dialplan and no engine at all. What counts is the ratio of each round, with what the engine does while idle.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.running_site import asterisk_running, cpu_ms, engine_running, make_site, render
from tests.live.sip_peer import Call, Key, Plan, SipPeer

#: Calls per round and their rate, for each side.
ROUNDS, CALLS, PER_SECOND = 6, 60, 8.0
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
    """One of the two ways to answer, and the processes that it takes."""

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
            site, floor = (make_site(Path(folder) / name, peer.port) for name in ("site", "floor"))
            menu, more = await render(site)
            dialplan = PLAIN_DIALPLAN.format(number=NUMBER, menu=menu.path, more=more.path)
            plain = _Side(
                asterisk=await stack.enter_async_context(asterisk_running(floor, dialplan)),
                engine=None,
                address=("127.0.0.1", floor.settings.asterisk.sip_port),
            )
            ours = _Side(
                asterisk=await stack.enter_async_context(asterisk_running(site)),
                engine=await stack.enter_async_context(engine_running(site)),
                address=("127.0.0.1", site.settings.asterisk.sip_port),
            )
            expected_ms = KEY_AFTER_S * 1000 + more.length_ms
            await _round(peer, (plain, ours), 10)
            ratios = []
            for _ in range(ROUNDS):
                before = plain.spent_ms(), ours.spent_ms()
                _check(await _round(peer, (plain, ours), CALLS), expected_ms)
                (floor_ms, _), (asterisk_ms, engine_ms) = (
                    [(now - then) / CALLS for now, then in zip(side.spent_ms(), at_first, strict=True)]
                    for side, at_first in zip((plain, ours), before, strict=True)
                )
                ratios.append((asterisk_ms + engine_ms) / floor_ms)
                print(
                    f"plain dialplan {floor_ms:6.2f} ms a call; with the engine {asterisk_ms + engine_ms:6.2f} ms "
                    f"(Asterisk {asterisk_ms:.2f}, engine {engine_ms:.2f}): ratio {ratios[-1]:.3f}",
                    flush=True,
                )
            print(f"ratio: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


async def _round(peer: SipPeer, sides: Sequence[_Side], calls: int) -> list[Call]:
    """So many calls to each of `sides`, in turn."""
    plan = Plan(keys=(Key("1", at_s=KEY_AFTER_S),))
    placed = []
    for n in range(calls):
        for side in sides:
            placed.append(peer.dial(side.address, NUMBER, caller=f"+7916{n:07d}", plan=plan))
            await asyncio.sleep(1 / PER_SECOND / len(sides))
    async with asyncio.timeout(60):
        for call in placed:
            await call.ended.wait()
    return placed


def _check(calls: Sequence[Call], expected_ms: float) -> None:
    """Both kinds of call must have done the same work; on a busy machine the peer may press its key late."""
    wrong = [call.heard_ms for call in calls if not expected_ms - 400 < call.heard_ms < expected_ms + 800]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(calls)} calls heard {wrong[:5]} ms, not about {expected_ms:.0f}")
    # The two sides take turns.
    plain, ours = (statistics.mean(call.heard_ms for call in calls[side::2]) for side in (0, 1))
    if abs(ours / plain - 1) > 0.02:
        raise RuntimeError(f"a call heard {plain:.0f} ms from the plain dialplan, but {ours:.0f} ms from the engine")


if __name__ == "__main__":
    main()
