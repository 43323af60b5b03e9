"""Campaigns during which the engine and Asterisk are killed, stopped and frozen, at random instants: `make chaos`.

Each seed is one campaign with its own kills. What the SIP peer was sent is the truth that the database must agree with.
A handful of such kills, each by itself, is in test_chaos.py and in every run of the tests.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.edges.waiting import until
from tests.live.conftest import NewSite
from tests.live.sip_peer import SipPeer
from tests.live.site_process import UP, SiteProcess
from tests.live.test_chaos import CHANNELS, LEADS, account, campaign_of, operator

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(0)]


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What is done to a running site, and when."""

    what: str
    #: When so many more calls have come to the operator,
    after_calls: int
    #: and then so long after.
    after_s: float
    #: How long what is frozen stays so.
    for_s: float


#: The most that one campaign suffers.
BLOWS = 3
WHAT = ("engine killed", "engine frozen", "engine stopped", "asterisk killed", "asterisk frozen")


def blows(seed: int) -> list[Blow]:
    """The same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [
        Blow(
            what=chance.choice(WHAT),
            after_calls=chance.randint(1, LEADS // (BLOWS + 1)),
            after_s=chance.uniform(0, 0.6),
            for_s=chance.uniform(0.2, 4),
        )
        for _ in range(chance.randint(1, BLOWS))
    ]


async def strike(process: SiteProcess, blow: Blow) -> None:
    """Do it, and see that the site is up again."""
    asterisk = process.asterisk_pid()
    assert asterisk is not None
    match blow.what:
        case "engine killed" | "engine stopped":
            process.signal(signal.SIGKILL if blow.what == "engine killed" else signal.SIGTERM)
            await process.ended(within_s=60)
            await process.start()
            await process.prints(UP)
        case "engine frozen":
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(blow.for_s)
            process.signal(signal.SIGCONT)
        case "asterisk killed":
            os.kill(asterisk, signal.SIGKILL)
            await until(lambda: process.asterisk_pid() not in (asterisk, None), within_s=60)
        case "asterisk frozen":
            os.kill(asterisk, signal.SIGSTOP)
            await asyncio.sleep(blow.for_s)
            os.kill(asterisk, signal.SIGCONT)


async def campaign_under(seed: int, new_site: NewSite, say: Callable[[str], None]) -> None:
    """One campaign with the seed's blows. Fails when the peer and the database disagree."""
    async with operator(*random.Random(seed).sample(range(LEADS), 3)) as peer:  # noqa: S311
        site = new_site(peer.port)
        async with campaign_of(site, max_attempts=2) as campaign, SiteProcess(site) as process:
            begun = time.monotonic()
            for blow in blows(seed):
                wanted = len(peer.calls) + blow.after_calls
                # It may be over before the last blow.
                while len(peer.calls) < wanted and await campaign.state() == "running":  # noqa: ASYNC110 - another's state
                    await asyncio.sleep(0.02)
                await asyncio.sleep(blow.after_s)
                frozen = f" for {blow.for_s:.1f} s" if "frozen" in blow.what else ""
                say(f"  {time.monotonic() - begun:5.1f} s, {len(peer.calls)} calls: {blow.what}{frozen}")
                await strike(process, blow)
            await campaign.until_state("finished", within_s=120)
            attempts = await campaign.attempts()
            say(f"  the operator: {told(peer)}")
            say(f"  the database: {dict(Counter(row.outcome for row in attempts))} of {len(attempts)} attempts")
            outcomes = account(peer, attempts)
            await process.stops()
    assert outcomes["unknown"] <= BLOWS * CHANNELS
    assert outcomes["busy"] <= 3


def told(peer: SipPeer) -> str:
    numbers = Counter(call.number for call in peer.calls)
    answered = [call for call in peer.calls if call.answered_at]
    silent = sum(call.media.received == 0 for call in answered)
    return (
        f"{len(peer.calls)} calls to {len(numbers)} numbers, {len(answered)} answered, {silent} of them into silence, "
        f"the most to one number {max(numbers.values())}"
    )


async def test_campaigns_whose_engine_and_asterisk_are_killed_again_and_again(
    new_site: NewSite, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds, seed = (request.config.getoption(name) for name in ("--chaos-seconds", "--chaos-seed"))
    ends, bad = time.monotonic() + seconds, {}

    def say(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    while True:
        say(f"\nseed {seed}")
        try:
            await campaign_under(seed, new_site, say)
        except (AssertionError, TimeoutError, OSError) as error:
            bad[seed] = f"{type(error).__name__}: {error}"
            say(f"  WRONG: {bad[seed]}\n  again: make chaos SEED={seed} SECONDS=0")
        else:
            say("  they agree")
        seed += 1
        if time.monotonic() > ends:
            break
    assert bad == {}
