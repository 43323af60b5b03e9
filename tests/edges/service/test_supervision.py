"""Side tasks that die: each is started again, none takes another with it, and one that is given up is told."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.service.supervision import Backoff, Supervision
from tests.edges.waiting import PATIENCE_S, until

QUICK = Backoff(first_s=0.001, most_s=0.002)


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff()
    assert [backoff.wait_s(deaths) for deaths in (1, 2, 3, 4, 5, 6, 1_000_000)] == [1, 2, 4, 8, 15, 15, 15]


def test_deaths_are_forgotten_after_a_minute_of_health() -> None:
    backoff = Backoff()
    assert backoff.deaths(7, ran_s=59) == 8
    assert backoff.deaths(7, ran_s=60) == 1


async def test_one_that_dies_is_started_again_and_harms_no_other() -> None:
    runs: Counter[str] = Counter()

    async def dies() -> None:
        runs["dies"] += 1
        raise OSError("fork: no more processes")

    async def ends() -> None:
        runs["ends"] += 1

    async def lives() -> None:
        runs["lives"] += 1
        await asyncio.Event().wait()

    supervision = Supervision(QUICK)
    for task in (dies, ends, lives):
        supervision.keep(task.__name__, task)
    await until(lambda: runs["dies"] >= 5 and runs["ends"] >= 5)
    assert runs["lives"] == 1
    assert not supervision.failed.done()
    await supervision.stop()
    before = runs.copy()
    await asyncio.sleep(0.02)
    assert runs == before


async def test_one_that_dies_too_often_fails_the_service() -> None:
    runs = 0

    async def dies() -> None:
        nonlocal runs
        runs += 1
        raise ValueError("a rule of another release")

    supervision = Supervision(QUICK)
    supervision.keep("campaigns", dies, deaths=3)
    async with asyncio.timeout(PATIENCE_S):
        assert await supervision.failed == "campaigns: ValueError: a rule of another release"
    assert runs == 3
    await supervision.stop()


async def test_a_task_with_an_end_is_tried_until_it_comes_to_it() -> None:
    runs = 0

    async def third_time() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise OSError("no room")

    supervision = Supervision(QUICK)
    supervision.until_done("fallback", third_time)
    await supervision.ended("fallback", within_s=PATIENCE_S)
    assert runs == 3


@pytest.mark.parametrize("error", [None, RuntimeError("closed")])
async def test_a_released_task_is_not_started_again(error: Exception | None) -> None:
    runs, over = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        await over.wait()
        if error is not None:
            raise error

    supervision = Supervision(QUICK)
    supervision.keep("campaigns", work, deaths=1)
    await until(lambda: runs)
    supervision.release("campaigns")
    over.set()
    await supervision.ended("campaigns", within_s=PATIENCE_S)
    assert runs == 1
    assert not supervision.failed.done()
