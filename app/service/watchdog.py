"""End an engine that hangs, so that the calls it holds go to the fallback. A process of its own, the engine's child.

    python -I -S watchdog.py PID SECONDS LOG

The engine's loop writes to its standard input about every second; when nothing came for SECONDS, process PID is killed.
Its own clock decides: when it did not run itself (a suspended or paused machine, or one that is overloaded), the engine
is given the whole time anew. Only the standard library is imported, and nothing of ours.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import select
import signal
import sys
import time

_LOOK_EVERY_S = 1.0
#: When looking took so much longer, nobody ran on this machine.
_LATE_S = 1.0


def watch(pid: int, after_s: float) -> bool:
    """Whether the engine was killed; False when it ended by itself."""
    try:
        engine = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    heard_at = looked_at = time.monotonic()
    while True:
        beat, _, _ = select.select([0], [], [], _LOOK_EVERY_S)
        now = time.monotonic()
        if now - looked_at > _LOOK_EVERY_S + _LATE_S:
            heard_at = now
        looked_at = now
        if beat:
            if not os.read(0, 65536):
                return False
            heard_at = now
        elif now - heard_at > after_s:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(engine, signal.SIGKILL)
            return True


def main(pid: int, after_s: float, log: str) -> None:
    if not watch(pid, after_s):
        return
    said = f"The engine (process {pid}) did not move for {after_s:g} s and was ended; Asterisk looks after its callers."
    now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
    line = {"event": "engine_hung", "level": "error", "pid": pid, "after_s": after_s, "timestamp": now}
    # The log first: whoever reads standard error may be gone.
    with contextlib.suppress(OSError), open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - no more imports
        file.write(json.dumps(line) + "\n")
    with contextlib.suppress(OSError):
        os.write(2, f"ivr: {said}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
