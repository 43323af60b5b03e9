"""Worker processes: what crashes or hangs costs one text, never the engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prompts.engines.choice import Speaker
from prompts.worker import Job
from prompts.workers import Workers
from tests.edges.waiting import PATIENCE_S

#: A worker that does as its text says, in the real protocol.
OBEDIENT = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    if job["text"] == "crash":
        os.abort()
    if job["text"] == "hang":
        time.sleep(1000)
    print(json.dumps({"clip": job["clip"], "samples": os.getpid()}), flush=True)
"""


def job(text: str, folder: str = "", clip: str = "0" * 32) -> Job:
    who = Speaker(engine="rhvoice", language="ru", voice="irina")
    return Job(clip=clip, folder=folder, text=text, speaker=who, level_lufs=-21, tail_ms=100)


@pytest.fixture
def workers() -> Iterator[Workers]:
    # What hangs is ended soon; the others start in a few milliseconds, so that a busy machine does not make them late.
    started = Workers(2, job_s=1.5, command=[sys.executable, "-I", "-S", "-c", OBEDIENT])
    yield started
    started.close()


def test_a_crash_is_a_result_and_the_others_go_on(workers: Workers) -> None:
    texts = ["a", "crash", "b", "c", "hang", "d"]
    results = [future.result() for future in [workers.submit(job(text)) for text in texts]]
    assert [result.failure for result in results] == [None, "crash", None, None, "crash", None]


def test_a_worker_that_cannot_be_started_is_a_result_too() -> None:
    workers = Workers(1, command=["/nowhere/python"])
    results = [workers.submit(job(text)).result(timeout=PATIENCE_S) for text in ("a", "b")]
    workers.close()
    assert [result.failure for result in results] == ["crash", "crash"]
    assert "No such file" in results[0].why


def test_closing_ends_the_processes_and_cancels_what_waits() -> None:
    workers = Workers(1, command=[sys.executable, "-c", OBEDIENT])
    pid = workers.submit(job("a")).result().samples
    waiting = [workers.submit(job("a")) for _ in range(500)]
    workers.close()
    assert all(future.done() for future in waiting)
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(RuntimeError):
        workers.submit(job("a"))


def test_closing_does_not_wait_for_an_engine_that_hangs() -> None:
    # Waiting for it would take longer than a test may.
    workers = Workers(1, job_s=3600, command=[sys.executable, "-c", OBEDIENT])
    pid = workers.submit(job("a")).result().samples
    hanging = workers.submit(job("hang"))
    while not hanging.running():
        time.sleep(0.001)
    workers.close()
    assert hanging.result().why == "the workers were closed"
    assert not Path(f"/proc/{pid}").exists()


_PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.unit.prompts.test_workers import OBEDIENT, Workers, job
workers = Workers(1, command=[sys.executable, "-c", OBEDIENT])
print(workers.submit(job("a")).result().samples, flush=True)
workers.submit(job("a")).result()
import threading; threading.Event().wait()
"""


def test_workers_do_not_outlive_an_engine_that_is_killed() -> None:
    root = str(Path(__file__).parents[3])
    with subprocess.Popen([sys.executable, "-c", _PARENT, root], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        os.kill(engine.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the worker lives on"
        time.sleep(0.01)


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("text", "failure"), [("Добрый день", None), ("…", "text"), ("", "text"), ("<speak>&\x00\ud800", "text")]
)
def test_the_real_worker_survives_any_text(
    tmp_path: Path, shared_workers: Workers, text: str, failure: str | None
) -> None:
    odd = shared_workers.submit(job(text, str(tmp_path))).result()
    after = shared_workers.submit(job("Добрый день", str(tmp_path), "1" * 32)).result()
    assert (odd.failure in {failure, "crash"}, after.failure) == (True, None)
    assert (tmp_path / "11" / f"{'1' * 32}.alaw").stat().st_size == after.samples
