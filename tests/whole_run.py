"""The run as a whole: parts that run one after the other, what they may take together, what makes the run fail.

A pytest plugin. `make test` runs in parts (--part 1/3, and so on); the last one shows them all and judges them. A part
that failed fails the last one, too, so that its closing line is true of all.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from tests.budget import slowness_now

#: What all parts may take together, in seconds of two idle cores.
WHOLE_S = 720.0
#: The variable with another budget, for a machine that is no measure; 0: none.
VARIABLE = "IVR_TEST_BUDGET_S"

#: How often the machine is measured.
_MEASURE_S = 5.0
_CACHE = "ivr/parts"
_COUNTED = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")


@dataclass(frozen=True, kw_only=True)
class Part:
    """How a part of the run ended."""

    counts: dict[str, int]
    seconds: float
    #: As on two idle cores.
    fair_s: float

    @property
    def good(self) -> bool:
        return not {"failed", "error"} & self.counts.keys()

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items()) or "nothing ran"
        return f"{counts} in {self.seconds:.0f} s"


def judge(parts: dict[str, Part], count: int, budget_s: float) -> list[str]:
    """What is wrong with the run of `count` parts."""
    wrong = [
        f"Part {name} failed: {parts[name]}." if name in parts else f"Part {name} did not come to its end."
        for name in map(str, range(1, count + 1))
        if name not in parts or (not parts[name].good and name != str(count))
    ]
    fair_s = sum(part.fair_s for part in parts.values())
    if 0 < budget_s < fair_s:
        wrong.append(
            f"All parts took {fair_s:.0f} s (as on two idle cores) of {budget_s:.0f} s: "
            f"see the slowest durations. {VARIABLE} is another budget."
        )
    return wrong


# pytest keeps plugins in sets.
@dataclass(eq=False)
class Run:
    """This process's part."""

    number: int
    count: int
    begun: float = field(default_factory=time.monotonic)
    measured: float = 0.0
    slow: list[float] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if self.number == 1 and session.config.cache:
            session.config.cache.set(_CACHE, {})

    def pytest_runtest_logreport(self) -> None:
        if time.monotonic() - self.measured > _MEASURE_S:
            self.measured = time.monotonic()
            self.slow.append(slowness_now())

    # After others have said what is wrong, before the terminal's summary.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        seconds = time.monotonic() - self.begun
        fair_s = seconds * len(self.slow) / sum(self.slow) if self.slow else seconds
        part = Part(counts=_counts(session.config), seconds=seconds, fair_s=fair_s)
        cache = session.config.cache
        stored = cache.get(_CACHE, {}) if cache else {}
        stored = {name: one for name, one in stored.items() if int(name) < self.number}
        stored[str(self.number)] = asdict(part)
        if cache:
            cache.set(_CACHE, stored)
        self.parts = {name: Part(**one) for name, one in stored.items()}
        if self.number == self.count:
            for wrong in judge(self.parts, self.count, float(os.environ.get(VARIABLE, WHOLE_S))):
                fail(session, wrong)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.count == 1:
            return
        terminalreporter.section("parts of the run")
        for name, part in self.parts.items():
            terminalreporter.line(f"{name} of {self.count}: {part}")
        if self.number == self.count:
            seconds = sum(part.seconds for part in self.parts.values())
            fair_s = sum(part.fair_s for part in self.parts.values())
            terminalreporter.line(f"together: {seconds:.0f} s, as on two idle cores {fair_s:.0f} s of {WHOLE_S:.0f} s")


def fail(session: pytest.Session, what: str) -> None:
    """Make the run fail although every test may have passed: an error in its closing line and status."""
    where = "the whole run"
    report = pytest.TestReport(
        nodeid=where, location=(where, None, where), keywords={}, outcome="failed", longrepr=what, when="teardown"
    )
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.stats.setdefault("error", []).append(report)
    session.testsfailed += 1
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", default="1/1", help="which part of a run this is, such as 1/3")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    found = re.fullmatch(r"([1-9])/([1-9])", config.getoption("--part"))
    if found is None:
        raise pytest.UsageError("--part is a part of so many, such as 1/2.")
    config.pluginmanager.register(Run(number=int(found[1]), count=int(found[2])))


def _counts(config: pytest.Config) -> dict[str, int]:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return {name: count for name in _COUNTED if (count := len(reporter.stats.get(name, ())))}
