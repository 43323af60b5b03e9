"""Campaigns during which the engine and Asterisk are killed, stopped and frozen, at random instants: `make chaos`.

Each seed is one campaign with its own kills. What the SIP peer was sent is the truth that the database must agree with;
and whoever answers must hear something, as long as there is anything left that could speak: `speechless`.
A handful of such kills, each by itself, is in test_chaos.py and in every run of the tests.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.edges.waiting import until
from tests.live.conftest import NewSite
from tests.live.sip_peer import Call, SipPeer
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


@dataclass(frozen=True, kw_only=True)
class Dumb:
    """A time in which nobody could be spoken to. Seconds since the epoch."""

    since: float
    until: float
    #: An Asterisk died, and took the calls with it that it had made.
    dead: bool = False

    def of(self, call: Call) -> float:
        """How many seconds of the call it took."""
        if self.dead and call.invited_at > self.since:
            return 0.0
        answered, ended = talk(call)
        return max(0.0, min(self.until, ended) - max(self.since, answered))


#: The first word comes within so long of an answer, on a machine with much to do; and how long people listen at least.
FIRST_WORD_S, LISTEN_S = 1.0, 1.2


def talk(call: Call) -> tuple[float, float]:
    """When an answered call began and ended."""
    assert call.answered_at is not None
    assert call.ended_at is not None
    return call.answered_at, call.ended_at


def silent(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.answered_at is not None and call.media.received == 0]


def speechless(calls: Sequence[Call], dumb: Sequence[Dumb]) -> list[Call]:
    """Those who answered, heard nothing, and should have.

    Who had less than FIRST_WORD_S of a call with something there to speak is excepted: whose Asterisk was dead or stood
    still, for it sends no RTP then; and who met an engine that stood still before the dialplan can know it, for its
    kernel takes the connection and its sign of life is not old yet. An engine's death excepts nobody.
    """
    return [
        call
        for call in silent(calls)
        if talk(call)[1] - talk(call)[0] - sum(each.of(call) for each in dumb) >= FIRST_WORD_S
    ]


async def strike(process: SiteProcess, blow: Blow) -> Dumb | None:
    """Do it, and see that the site is up again. When nobody could be spoken to; None: somebody always could."""
    asterisk = process.asterisk_pid()
    assert asterisk is not None
    since = time.time()
    match blow.what:
        case "engine killed":
            await process.loses_its_engine()
        case "engine stopped":
            process.signal(signal.SIGTERM)
            await process.ended()
            await process.start()
            await process.prints(UP)
        case "engine frozen":
            engine = process.engine_pid()
            os.kill(engine, signal.SIGSTOP)
            await asyncio.sleep(blow.for_s)
            os.kill(engine, signal.SIGCONT)
            return Dumb(since=since, until=time.time())
        case "asterisk killed":
            os.kill(asterisk, signal.SIGKILL)
            await until(lambda: process.asterisk_pid() not in (asterisk, None))
            return Dumb(since=since, until=math.inf, dead=True)
        case "asterisk frozen":
            os.kill(asterisk, signal.SIGSTOP)
            await asyncio.sleep(blow.for_s)
            os.kill(asterisk, signal.SIGCONT)
            return Dumb(since=since, until=time.time())
    return None


async def campaign_under(seed: int, new_site: NewSite, say: Callable[[str], None]) -> None:
    """One campaign with the seed's blows. Fails when the peer and the database disagree."""
    async with operator(*random.Random(seed).sample(range(LEADS), 3), listen_s=LISTEN_S) as peer:  # noqa: S311
        site = new_site(peer.port)
        async with campaign_of(site, max_attempts=2) as campaign, SiteProcess(site) as process:
            begun, dumb = time.time(), list[Dumb]()
            for blow in blows(seed):
                wanted = len(peer.calls) + blow.after_calls
                # It may be over before the last blow.
                while len(peer.calls) < wanted and await campaign.state() == "running":  # noqa: ASYNC110 - another's state
                    await asyncio.sleep(0.02)
                await asyncio.sleep(blow.after_s)
                frozen = f" for {blow.for_s:.1f} s" if "frozen" in blow.what else ""
                say(f"  {time.time() - begun:5.1f} s, {len(peer.calls)} calls: {blow.what}{frozen}")
                if (mute := await strike(process, blow)) is not None:
                    dumb.append(mute)
            await campaign.until_state("finished")
            attempts = await campaign.attempts()
            say(f"  the operator: {told(peer)}")
            say(f"  the database: {dict(Counter(row.outcome for row in attempts))} of {len(attempts)} attempts")
            for call in silent(peer.calls):
                say(f"  silence: {times(call, begun)}")
            outcomes = account(peer, attempts)
            await process.stops()
    assert [times(call, begun) for call in speechless(peer.calls, dumb)] == []
    assert outcomes["unknown"] <= BLOWS * CHANNELS
    assert outcomes["busy"] <= 3


def times(call: Call, begun: float) -> str:
    each = (at - begun for at in (call.invited_at, *talk(call)))
    return "{} invited at {:.2f} s, answered at {:.2f} s, ended at {:.2f} s".format(call.number, *each)


def told(peer: SipPeer) -> str:
    numbers = Counter(call.number for call in peer.calls)
    answered = [call for call in peer.calls if call.answered_at]
    waited_s = max((call.media.first_at - (call.answered_at or 0) for call in answered), default=0)
    return (
        f"{len(peer.calls)} calls to {len(numbers)} numbers, {len(answered)} answered, {len(silent(answered))} of them "
        f"into silence, the first word after {waited_s:.2f} s at most, "
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
