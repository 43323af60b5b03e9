"""The suite's own rules: one kind a test, parts of a run that fail together, budgets, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests import budget, kinds
from tests.kinds import KINDS
from tests.left_behind import running
from tests.whole_run import Part, judge

pytestmark = pytest.mark.edges

ROOT = Path(__file__).parents[2]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """A folder for tests that run by the suite's rules, in a process of their own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    pytester.makeconftest('pytest_plugins = ("tests.kinds", "tests.budget", "tests.whole_run", "tests.left_behind")\n')
    pytester.makeini("[pytest]\naddopts = --strict-markers\n")
    yield pytester


def test_makefile_runs_every_kind_in_its_part() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    chosen = {part: set(names.split(" or ")) for part, names in re.findall(r"^([A-Z]+) := ([a-z ]+)$", text, re.M)}
    assert f"APART := {' '.join(f'tests/{name}' for name in kinds.APART)}\n" in text
    parts = get_args(kinds.Part)
    assert chosen == {part.upper(): {name for name, kind in KINDS.items() if kind.part == part} for part in parts}
    run = re.findall(r'-m "\$\(([A-Z]+)\)" --part ([0-9]/[0-9])', text)
    assert run == [(part.upper(), f"{n}/{len(parts)}") for n, part in enumerate(parts, 1)]


@pytest.mark.parametrize("marks", ["", "@pytest.mark.pure\n@pytest.mark.live\n"], ids=["none", "two"])
def test_a_test_without_one_kind_is_no_test(suite: pytest.Pytester, marks: str) -> None:
    suite.makepyfile(f"import pytest\n@pytest.mark.pure\ndef test_one(): pass\n{marks}def test_other(): pass\n")
    result = suite.runpytest_subprocess("-m", "pure")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_other: *"])
    assert "test_one" not in result.stderr.str()


def test_a_file_names_its_kind_and_a_folder_has_a_conftest(
    suite: pytest.Pytester, request: pytest.FixtureRequest
) -> None:
    (mark,) = [mark.name for mark in request.node.iter_markers() if mark.name in KINDS]
    assert mark == "edges", "this file says so itself; its folder says pure"
    # Folders with rules of their own beside those of the suite.
    for name in ("one", "other"):
        suite.mkdir(name).joinpath("conftest.py").write_text("import pytest\n")
        suite.path.joinpath(name, f"test_{name}.py").write_text("import pytest\n@pytest.mark.pure\ndef test(): pass\n")
    suite.runpytest_subprocess("one", "other").assert_outcomes(passed=2)


def test_a_test_that_takes_longer_than_it_may_fails(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import time, pytest
        pytestmark = pytest.mark.pure
        @pytest.mark.budget(0.001)
        def test_slow(): time.sleep(0.5)
        @pytest.mark.budget(400)
        def test_allowed(): time.sleep(0.5)
        """)
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*It took 0.* s of 0.001 s*"])


def test_no_time_passes_for_who_waits_for_a_core() -> None:
    cores = os.sched_getaffinity(0)
    # The other one inherits that it may use no core but this.
    os.sched_setaffinity(0, {min(cores)})
    try:
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            began_s, worked_s, before_s = time.monotonic(), time.thread_time(), budget.queued_s()
            while (queued_s := budget.queued_s() - before_s) < 0.05:
                pass
            passed_s, worked_s = time.monotonic() - began_s, time.thread_time() - worked_s
            other.kill()
    finally:
        os.sched_setaffinity(0, cores)
    assert passed_s >= worked_s + queued_s - 0.01


def test_a_slow_or_busy_machine_is_allowed_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert budget.slowness(worked_s=0.001, load=0.5, cores=2) == 1
    assert budget.slowness(worked_s=0.001, load=6, cores=2) == 3
    assert budget.slowness(worked_s=0.0315, load=0, cores=2) == pytest.approx(3)
    monkeypatch.setattr(budget, "slowness_now", lambda: 3.0)
    assert budget.overtime(5, 14.9) == ""
    assert "15.1 s of 5 s" in budget.overtime(5, 15.1)


def test_a_part_that_failed_fails_the_last(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest
        @pytest.mark.pure
        def test_wrong(): assert False
        @pytest.mark.live
        def test_right(): pass
        """)
    first = suite.runpytest_subprocess("-m", "pure", "--part", "1/2")
    first.assert_outcomes(failed=1)
    last = suite.runpytest_subprocess("-m", "live", "--part", "2/2")
    last.assert_outcomes(passed=1, errors=1)
    assert last.ret == pytest.ExitCode.TESTS_FAILED
    last.stdout.fnmatch_lines(["1 of 2: 1 failed in * s", "2 of 2: 1 passed in * s", "together: *"])
    # The closing line is the last, as of any run of pytest.
    assert re.search(r"1 passed, .*1 error in ", last.outlines[-1])


def test_parts_are_judged_together() -> None:
    good = Part(counts={"passed": 3}, seconds=300, fair_s=200)
    assert judge({"1": good, "2": good}, 2, 400) == []
    assert ["took 400 s" in wrong for wrong in judge({"1": good, "2": good}, 2, 399)] == [True]
    assert judge({"1": good, "2": good}, 2, 0) == []
    assert judge({"2": good}, 2, 400) == ["Part 1 did not come to its end."]
    bad = Part(counts={"passed": 3, "error": 1}, seconds=1, fair_s=1)
    assert judge({"1": bad, "2": good}, 2, 400) == ["Part 1 failed: 3 passed, 1 error in 1 s."]
    # What is wrong with itself its own closing line says.
    assert judge({"1": good, "2": bad}, 2, 400) == []


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "workers"])
def test_what_is_left_behind_fails_the_run(suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
    suite.makepyfile("""
        import pathlib, subprocess, sys, tempfile, pytest
        pytestmark = pytest.mark.pure
        def test_process():
            started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            pathlib.Path("pid").write_text(str(started.pid))
        def test_file():
            pathlib.Path(tempfile.gettempdir(), "forgotten").touch()
        """)
    result = suite.runpytest_subprocess(*workers)
    os.kill(int((suite.path / "pid").read_text()), signal.SIGKILL)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*Left behind: *forgotten*time.sleep(600)*"])


def test_a_process_is_left_while_it_runs() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (found,) = [line for line in running(patience_s=0) if f"process {process.pid}:" in line]
        process.communicate(b"\n")
    assert found.endswith("-c input()")
    assert f"process {process.pid}:" not in str(running(patience_s=0))


#: Asyncio is told to wait for so many seconds.
_OWN_BOUND = re.compile(r"\basyncio\.(?:timeout\(|wait_for\(.*, )\d")


def test_no_test_waits_by_a_bound_of_its_own() -> None:
    """A busy machine breaks it. What ends a hang is PATIENCE_S of tests/edges/waiting.py."""
    for told in ("timeout(3)", "wait_for(x(), 0.5)"):
        assert _OWN_BOUND.search("asyncio." + told)
    found = {path: _OWN_BOUND.findall(path.read_text("utf-8")) for path in (ROOT / "tests").rglob("*.py")}
    # The rules of time in outbound/ name what they forbid.
    assert [path.name for path, bounds in found.items() if bounds] == ["test_one_clock.py"]
