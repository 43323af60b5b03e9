"""The process `ivr up` that starts the engine, as its child, and starts it again when it dies.

Under systemd there is none: systemd does the same. The parent's end, of whatever kind, is the engine's too. How an
engine died is told on standard error, and in the log of the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import structlog

from app.service.supervision import BACKOFF, Backoff

log = structlog.get_logger(__name__)

#: Exit status of an engine that has ended in order because a part of it died.
START_AGAIN = 75
_STOPPED = 130
#: Tell the engine who its parent is, and how the engine before it ended.
_PARENT, _BEFORE = "IVR_PARENT", "IVR_ENGINE_BEFORE"
_STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_HANDED_ON = _STOPPING | {signal.SIGTSTP}
_PR_SET_PDEATHSIG = 1


def needed() -> bool:
    """Whether this process is to be the parent: it is no engine, and there is no systemd that starts it again."""
    return _PARENT not in os.environ and "NOTIFY_SOCKET" not in os.environ


def keep(command: Sequence[str], backoff: Backoff = BACKOFF) -> int:
    """Run the engine until it ends by itself, or is told to; its exit status, 128 and the signal when it was killed.

    Signals are handed on to it: it has a process group of its own, so that Ctrl-C comes to it once.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDED_ON | {signal.SIGCHLD})
    environment = {**os.environ, _PARENT: str(os.getpid())}
    deaths = 0
    while True:
        began_s = time.monotonic()
        engine = subprocess.Popen(command, env=environment, process_group=0)
        told = _until_ended(engine)
        status = engine.returncode
        if told or 0 <= status != START_AGAIN:
            return status if status >= 0 else 128 - status
        deaths = backoff.deaths(deaths, ran_s=time.monotonic() - began_s)
        wait_s = backoff.wait_s(deaths)
        how = "lost a part" if status > 0 else f"was ended by {signal.Signals(-status).name}"
        environment[_BEFORE] = how
        # Whoever reads it may be gone.
        with contextlib.suppress(OSError):
            print(
                f"ivr: The engine (process {engine.pid}) {how}; it is started again in {wait_s:g} s.", file=sys.stderr
            )
        if signal.sigtimedwait(_STOPPING, wait_s) is not None:
            return _STOPPED


def _until_ended(engine: subprocess.Popen[bytes]) -> bool:
    """Hand signals on until the engine has ended; whether it was told to end."""
    told = False
    while engine.poll() is None:
        number = signal.sigwait(_HANDED_ON | {signal.SIGCHLD})
        if number is not signal.SIGCHLD:
            told = told or number in _STOPPING
            engine.send_signal(number)
    return told


def hear() -> None:
    """In the engine, when it has its handlers: take what came meanwhile, and from now on die with the parent."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON | {signal.SIGCHLD})
    if parent := os.environ.pop(_PARENT, None):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            os.kill(os.getpid(), signal.SIGKILL)
    if before := os.environ.pop(_BEFORE, None):
        log.error("engine_started_again", before=before)
