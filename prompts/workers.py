"""Worker processes that make clips (prompts.worker), started when there is work and stopped when there is none."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import IO

import structlog

from prompts.worker import Job, Result

log = structlog.get_logger(__name__)

WORKER = "prompts.worker"
#: A job that takes longer is ended together with its process.
JOB_S = 60.0
#: A worker without work ends after so many seconds.
_IDLE_S = 60.0
#: At the end, what is in hand is given up after so many seconds: Ctrl-C does not wait for an engine that hangs.
_CLOSING_S = 2.0


class Workers:
    """Makes clips in as many processes as there are cores."""

    def __init__(
        self, count: int | None = None, *, job_s: float = JOB_S, command: Sequence[str] = (sys.executable, "-m", WORKER)
    ) -> None:
        self._command = tuple(command)
        self._count = count or len(os.sched_getaffinity(0))
        self._job_s = job_s
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Result]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._processes: set[_Process] = set()
        self._waiting = 0
        self._closed = False

    def submit(self, job: Job) -> Future[Result]:
        """The result to come. A crash of the engine is a result too: failure "crash"."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the workers are closed")
            self._jobs.put((job, future))
            self._waiting += 1
            if self._waiting > len(self._threads) and len(self._threads) < self._count:
                thread = threading.Thread(target=self._serve, name="prompt-worker", daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def close(self) -> None:
        """End the processes; jobs that nobody began are cancelled, those in hand have a moment to be finished."""
        with self._lock:
            self._closed = True
            threads = tuple(self._threads)
        while True:
            try:
                waiting = self._jobs.get_nowait()
            except queue.Empty:
                break
            if waiting is not None and waiting[1].cancel():
                # Who waits with as_completed hears of it only so.
                waiting[1].set_running_or_notify_cancel()
        for _ in threads:
            self._jobs.put(None)
        until_s = time.monotonic() + _CLOSING_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        with self._lock:
            for process in self._processes:
                process.kill()
        for thread in threads:
            thread.join()

    def _serve(self) -> None:
        """One thread looks after one process."""
        process: _Process | None = None
        try:
            while True:
                try:
                    item = self._jobs.get(timeout=_IDLE_S)
                except queue.Empty:
                    with self._lock:
                        if self._jobs.empty():
                            self._threads.remove(threading.current_thread())
                            return
                    continue
                if item is None:
                    return
                job, future = item
                if future.set_running_or_notify_cancel():
                    result, why = None, "the speech engine crashed or hung on it twice"
                    # Once more in a fresh process: the damage may have been done by an earlier text.
                    for _ in range(2):
                        try:
                            process = process or self._started()
                        except OSError as error:
                            why = f"no process can be started for it: {error.strerror}"
                            break
                        result = process.make(job)
                        if result is not None:
                            break
                        self._end(process)
                        process = None
                        if self._closed:
                            why = "the workers were closed"
                            break
                        log.warning("speech_worker_died", clip=job.clip, speaker=job.speaker and job.speaker.engine)
                    future.set_result(result or Result(clip=job.clip, failure="crash", why=why))
                with self._lock:
                    self._waiting -= 1
        finally:
            if process is not None:
                self._end(process)

    def _started(self) -> _Process:
        """A new process. Raises OSError when there can be none."""
        process = _Process(self._command, self._job_s)
        with self._lock:
            self._processes.add(process)
            if self._closed:
                process.kill()
        return process

    def _end(self, process: _Process) -> None:
        process.end()
        with self._lock:
            self._processes.remove(process)


class _Process:
    def __init__(self, command: Sequence[str], job_s: float) -> None:
        self._job_s = job_s
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            # Ctrl-C is for us to handle: the clip in hand is finished.
            process_group=0,
        )

    def make(self, job: Job) -> Result | None:
        """The result; None when the process died or had to be killed."""
        stdin, stdout = self._pipes()
        alarm = threading.Timer(self._job_s, self.kill)
        alarm.start()
        try:
            stdin.write(json.dumps(asdict(job)) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except OSError:
            return None
        finally:
            alarm.cancel()
        return Result(**json.loads(answer)) if answer.endswith("\n") else None

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        return self._process.stdin, self._process.stdout

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        stdin, stdout = self._pipes()
        try:
            stdin.close()
            self._process.wait(timeout=2)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        stdout.close()
