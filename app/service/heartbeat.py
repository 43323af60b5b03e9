"""Show that the engine's loop moves: to the dialplan (a file), to the watchdog (a pipe), to systemd."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from app.service.systemd import Systemd
from outbound.clock import Clock

log = structlog.get_logger(__name__)

BEAT_EVERY_S = 1.0
_PROGRAM = Path(__file__).with_name("watchdog.py")


class Watchdog:
    """The process that ends an engine which stood still for `after_s`; started with the first beat, again when gone."""

    def __init__(self, log_file: Path, *, after_s: float) -> None:
        self._log_file, self._after_s = log_file, after_s
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def beat(self) -> None:
        """Say that we are alive. Raises OSError when no process can be started."""
        if self._process is not None and self._process.poll() is not None:
            log.error("watchdog_died", status=self._process.returncode)
            self.stop()
        if self._process is None:
            self._start()
        # A full pipe: it is the watchdog that stands still.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pipe, b".")

    def stop(self) -> None:
        """From now on nobody is ended."""
        process, self._process = self._process, None
        if process is not None:
            os.close(self._pipe)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
            process.kill()
            process.wait()

    def _start(self) -> None:
        theirs, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._process = subprocess.Popen(
                # -S: it starts in a few milliseconds and holds little memory.
                (sys.executable, "-I", "-S", str(_PROGRAM), str(os.getpid()), str(self._after_s), str(self._log_file)),
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                cwd="/",
                # Ctrl-C and a closed terminal are the engine's to handle.
                start_new_session=True,
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)


class Heartbeat:
    """`run` it beside the service; `stop_calls` when no call may come any more, `stop` at the very end."""

    def __init__(self, alive: Path, watchdog: Watchdog, systemd: Systemd, status: Callable[[], str]) -> None:
        self._alive, self._watchdog, self._systemd, self._status = alive, watchdog, systemd, status
        self._clock = Clock()

    async def run(self) -> None:
        """Beat until cancelled. What can't be told now is told with the next beat."""
        while True:
            try:
                self._touch()
                self._watchdog.beat()
            except OSError as error:
                log.error("heartbeat_untold", what=str(error))
            self._systemd.tell(WATCHDOG=1, STATUS=self._status())
            await self._clock.sleep(self._clock.to_beat_s(BEAT_EVERY_S))

    def _touch(self) -> None:
        try:
            os.utime(self._alive)
        except FileNotFoundError:
            self._alive.parent.mkdir(parents=True, exist_ok=True)
            self._alive.touch()

    def stop(self) -> None:
        """The engine ends: the dialplan, which finds no file, asks its port, which nobody holds."""
        self._watchdog.stop()
        with contextlib.suppress(OSError):
            self._alive.unlink()
