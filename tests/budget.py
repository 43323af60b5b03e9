"""What one test may take: its kind's seconds, or those of `@pytest.mark.budget(seconds)`. One that takes longer fails.

A pytest plugin. Seconds are those of two idle cores: while a test was ready to run and others ran, no time passes for
it; a machine that is slow, or busy with other work, is measured and allowed more.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kinds import kind_of

#: What the fixed work takes on an idle core of the machine that the budgets were made for.
_WORK_S = 0.0105

_queued_s = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "budget(seconds): what this test may take, where its kind's is not enough")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    before_s = queued_s()
    try:
        return (yield)
    finally:
        item.stash[_queued_s] = queued_s() - before_s


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if (
        report.when == "call"
        and report.passed
        and (told := overtime(allowed_s(item), report.duration - item.stash[_queued_s]))
    ):
        report.outcome = "failed"
        report.longrepr = told
    return report


def allowed_s(item: pytest.Item) -> float:
    mark = item.get_closest_marker("budget")
    return kind_of(item).seconds if mark is None else float(mark.args[0])


def overtime(allowed: float, took: float) -> str:
    """What to tell of a test that took too long; "" when it did not, or the machine is to blame."""
    if took <= allowed or took <= allowed * (times := slowness_now()):
        return ""
    return (
        f"It took {took:.1f} s of {allowed:g} s, on a machine that is {times:.1f} times as slow as it should be. "
        "Make it quicker, or allow it more: @pytest.mark.budget(seconds)."
    )


def queued_s() -> float:
    """How long this thread has waited for a core until now."""
    return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9


def slowness_now() -> float:
    """How many times as long as on two idle cores things may take at this moment."""
    return slowness(worked_s=_work_s(), load=os.getloadavg()[0], cores=len(os.sched_getaffinity(0)))


def slowness(*, worked_s: float, load: float, cores: int) -> float:
    """By what the fixed work took and how many processes (`load`) share the cores; never below 1."""
    return max(1.0, worked_s / _WORK_S) * max(1.0, load / cores)


def _work_s() -> float:
    """What a piece of fixed work takes here and now, the best of three."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        for _ in range(200):
            hashlib.blake2s(bytes(4096)).digest()
            sum(range(2000))
        took.append(time.perf_counter() - begun)
    return min(took)
