"""The order in which a site ends: with parts that write down what is asked of them, some of which fail or hang."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.service import ending
from app.service.ending import Parts, end
from tests.edges.waiting import PATIENCE_S

HOUR_S = 3600
IN_ORDER = [
    "stop_claiming",
    "refuse_callers",
    "give_back",
    "calls_ended",
    "close_calls",
    "settle",
    "close",
    "hand_back",
    "aclose",
    "close_journal",
    "stop",
]


class Part:
    """Every part at once. `fails` and `hangs` name what goes wrong."""

    def __init__(self, *, calls_s: float = 0.0, fails: str = "", hangs: str = "") -> None:
        self.asked: list[str] = []
        self.graces: list[float] = []
        self._calls_s, self._fails, self._hangs = calls_s, fails, hangs

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if what == self._fails:
            raise OSError("the disk is full")

    async def _do(self, what: str) -> None:
        self._note(what)
        if what == self._hangs:
            await asyncio.Event().wait()

    def stop_claiming(self) -> None:
        self._note("stop_claiming")

    def refuse_callers(self) -> None:
        self._note("refuse_callers")

    async def give_back(self) -> None:
        await self._do("give_back")

    async def calls_ended(self, within_s: float) -> None:
        if within_s == ending.SETTLE_S:
            return await self._do("settle")
        if "calls_ended" not in self.asked:
            self._note("calls_ended")
        return await asyncio.sleep(min(within_s, self._calls_s))

    async def close_calls(self) -> None:
        await self._do("close_calls")

    async def close(self) -> None:
        await self._do("close")

    async def hand_back(self) -> None:
        await self._do("hand_back")

    async def aclose(self) -> None:
        await self._do("aclose")

    async def close_journal(self) -> None:
        await self._do("close_journal")

    async def stop(self, grace_s: float) -> None:
        self.graces.append(grace_s)
        self._note("stop")
        if self._hangs == "stop":
            await asyncio.sleep(grace_s)


def of(part: Part) -> Parts:
    return Parts(dialling=part, answering=part, gateway=part, link=part, asterisk=part)


async def test_everything_ends_in_its_order() -> None:
    part = Part()
    await end(of(part), within_s=30, now=asyncio.Event())
    assert part.asked == IN_ORDER
    # Callers of the fallback have what is left of the time.
    assert 29 < part.graces[0] <= 30


@pytest.mark.parametrize("what", [each for each in IN_ORDER if each != "refuse_callers"])
async def test_a_step_that_fails_keeps_none_from_being_taken(what: str) -> None:
    part = Part(fails=what)
    await end(of(part), within_s=0, now=asyncio.Event())
    taken = [each for each in IN_ORDER if each in part.asked]
    skipped = {"stop_claiming": {"refuse_callers"}, "settle": {"close"}}.get(what, set())
    assert taken == [each for each in IN_ORDER if each not in skipped]


@pytest.mark.parametrize(
    "what", ["give_back", "close_calls", "settle", "close", "hand_back", "aclose", "close_journal"]
)
async def test_a_step_that_hangs_keeps_none_from_being_taken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIVE_BACK_S", "SETTLE_S", "CLOSE_S"):
        monkeypatch.setattr(ending, name, 0.05)
    part = Part(hangs=what)
    await end(of(part), within_s=0, now=asyncio.Event())
    assert part.asked[-1] == "stop"


async def test_calls_that_last_too_long_are_told_goodbye() -> None:
    part, began = Part(calls_s=HOUR_S), time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        await end(of(part), within_s=0.2, now=asyncio.Event())
    assert time.monotonic() - began >= 0.2
    assert part.asked == IN_ORDER
    assert part.graces == [0]


async def test_told_to_hurry_it_waits_for_no_call() -> None:
    part, now = Part(calls_s=HOUR_S), asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, now.set)
    async with asyncio.timeout(PATIENCE_S):
        await end(of(part), within_s=HOUR_S, now=now)
    assert part.asked == IN_ORDER
    assert part.graces == [0]


async def test_told_to_hurry_asterisk_waits_for_no_call_either() -> None:
    part, now = Part(hangs="stop"), asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, now.set)
    async with asyncio.timeout(PATIENCE_S):
        await end(of(part), within_s=HOUR_S, now=now)
    assert len(part.graces) == 2
    assert part.graces[-1] == 0


async def test_a_site_that_was_never_up_has_little_to_end() -> None:
    part = Part()
    await end(Parts(answering=part), within_s=0, now=asyncio.Event())
    assert part.asked == ["refuse_callers", "calls_ended", "close_calls", "close_journal"]
