"""CPU per answered call: Asterisk with our engine, journal and all, against the same menu in the plain dialplan.

Both are answered by the same Asterisk in the same run, in turn; the ratio of each pair of rounds is what counts. A call
is: answer, a menu, one key in the middle of it, one further prompt, hang up.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from tests.bench.running_site import asterisk_running, cpu_ms, engine_running, make_site, render
from tests.live.sip_peer import Call, Key, Plan, SipPeer

ROUNDS, CALLS, PER_SECOND = 5, 60, 10.0
KEY_AFTER_S = 1.5
#: Which number leads where.
ENGINE, PLAIN = "100", "200"

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
            site = make_site(Path(folder) / "site", peer.port)
            menu, more = await render(site)
            expected = KEY_AFTER_S * 1000 + more.length_ms
            dialplan = PLAIN_DIALPLAN.format(number=PLAIN, menu=menu.path, more=more.path)
            async with asterisk_running(site, dialplan) as asterisk, engine_running(site) as engine:
                address = ("127.0.0.1", site.settings.asterisk.sip_port)
                for number in (ENGINE, PLAIN):
                    await _round(peer, address, number, calls=10)
                ratios = []
                for turn in range(ROUNDS):
                    spent = {}
                    # In turns, so that a machine that grows busier favours neither.
                    for number in (PLAIN, ENGINE) if turn % 2 else (ENGINE, PLAIN):
                        before = [cpu_ms(asterisk), cpu_ms(engine)]
                        calls = await _round(peer, address, number, calls=CALLS)
                        _check(calls, expected)
                        spent[number] = [cpu_ms(asterisk) - before[0], cpu_ms(engine) - before[1]]
                    plain, ours = sum(spent[PLAIN]), sum(spent[ENGINE])
                    ratios.append(ours / plain)
                    print(
                        f"plain dialplan {plain / CALLS:6.2f} ms a call; with the engine {ours / CALLS:6.2f} ms "
                        f"(Asterisk {spent[ENGINE][0] / CALLS:.2f}, engine {spent[ENGINE][1] / CALLS:.2f}): "
                        f"ratio {ratios[-1]:.3f}",
                        flush=True,
                    )
                print(f"ratio: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


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


if __name__ == "__main__":
    main()
