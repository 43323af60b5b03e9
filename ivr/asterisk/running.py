"""Start an Asterisk in its own folder, know when it is ready, talk to its console, stop it.

It runs in a session of its own: Ctrl-C at the terminal and the death of the engine leave its calls alone, and the next
`ivr up` adopts it. It is known by its pid file, and believed only when that process runs with our asterisk.conf.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from faults import Fault, MachineError, PeerError
from ivr.asterisk.ports import Ports, check_ports
from ivr.asterisk.program import Program

_log = structlog.get_logger(__name__)

#: A Unix socket's name is limited to this many bytes by Linux.
_SOCKET_NAME_MAX = 107

#: A call takes about eight; the usual soft limit of 1024 would end at a hundred calls.
_OPEN_FILES = 65536

#: Bytes without which Asterisk does not start.
_ROOM = 1_000_000

#: A console that has not greeted us by then hangs.
_GREETING_S = 10.0

#: How long a process may take to end when asked to.
TERM_PATIENCE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folder of one Asterisk: etc/, run/, log/, lib/."""

    folder: Path

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def lib(self) -> Path:
        return self.folder / "lib"

    @property
    def messages(self) -> Path:
        """What Asterisk logs."""
        return self.log / "messages.log"

    @property
    def console(self) -> Path:
        """What Asterisk prints before its log is open."""
        return self.log / "console.log"

    @property
    def control(self) -> Path:
        """The socket of Asterisk's console."""
        return self.run / "asterisk.ctl"

    @property
    def conf(self) -> Path:
        return self.etc / "asterisk.conf"


class Running:
    """A running Asterisk, started by us or adopted."""

    def __init__(self, home: Home, program: Program, pid: int, child: subprocess.Popen[bytes] | None) -> None:
        self.home, self.program, self.pid = home, program, pid
        self._child = child

    @property
    def adopted(self) -> bool:
        """It was already running when we came."""
        return self._child is None

    @property
    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return running_pid(self.home) == self.pid

    async def wait(self) -> None:
        """Until the process is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            if self._child is not None:
                self._child.poll()

    async def command(self, line: str, *, timeout_s: float = 10.0) -> str:
        """What Asterisk's console answers to `line`. Raises PeerError when it does not answer."""
        return await console(self.home, self.program, line, timeout_s=timeout_s)

    async def answers(self, within_s: float) -> bool:
        """Whether it moves: its console greets whoever connects. A stopped process takes the connection, no more."""
        return await answers(self.home, within_s)

    async def kill(self) -> None:
        """End it at once, calls and all."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await self._gone_within(5.0)

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """End it: calls in progress may finish for `grace_s`; nothing is left running."""
        if grace_s > 0 and self.alive:
            # New calls are refused from now on. One that does not take the command has no calls that could finish.
            with contextlib.suppress(PeerError):
                await self.command("core stop gracefully")
                await self._gone_within(grace_s)
        for number, patience_s in ((signal.SIGTERM, TERM_PATIENCE_S), (signal.SIGKILL, 5.0)):
            if self.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)
                await self._gone_within(patience_s)
        if self.alive:
            raise PeerError(Fault(what=f"Asterisk (process {self.pid}) can't be ended.", mend="Look at it by hand."))
        _log.info("asterisk_stopped", pid=self.pid, folder=str(self.home.folder))

    async def _gone_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wait(), seconds)


def running_pid(home: Home) -> int | None:
    """Process id of the Asterisk that runs in `home`; None when there is none."""
    try:
        pid = int((home.run / "asterisk.pid").read_text("ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(home.conf) in command and state not in "ZX" else None


def adopt(home: Home, program: Program) -> Running | None:
    """The Asterisk that already runs in `home`; None when there is none."""
    pid = running_pid(home)
    return None if pid is None else Running(home, program, pid, None)


async def answers(home: Home, within_s: float) -> bool:
    """Whether the console of the Asterisk in `home` greets us in time."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_unix_connection(str(home.control))
            try:
                return bool(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def console(home: Home, program: Program, line: str, *, timeout_s: float = 10.0) -> str:
    """What the console of the Asterisk in `home` answers to `line`. Raises PeerError when it does not answer."""
    process = await asyncio.create_subprocess_exec(
        *program.command,
        "-C",
        str(home.conf),
        "-rx",
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        answer, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        answer = b"no answer in time"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise PeerError(
            Fault(
                what=f"Asterisk's console does not answer {line!r}: {answer.decode('utf-8', 'replace').strip()}.",
                where=home.folder,
                mend="See whether it runs: ivr asterisk status.",
            )
        )
    return answer.decode("utf-8", "replace")


def write_configuration(home: Home, files: Mapping[str, str]) -> bool:
    """Make the folders of `home` and put `files` into etc/; whether anything differs from what was there.

    Only the owner may read it: it holds secrets. Raises MachineError when the disk refuses.
    """
    try:
        # Asterisk does not make the folders of its records itself.
        records = (home.log / "cdr-custom", home.log / "cel-custom")
        for folder in (home.etc, home.run, home.log, home.lib, *records):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        stale = [path for path in home.etc.glob("*.conf") if path.name not in files]
        for path in stale:
            path.unlink()
        return write_files(home.etc, files) or bool(stale)
    except OSError as error:
        raise _unwritable(home.folder, error) from error


def write_files(folder: Path, files: Mapping[str, str]) -> bool:
    """Put `files` into `folder`, for the owner alone; whether any was not there so already. Raises MachineError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        changed = False
        for name, text in files.items():
            path = folder / name
            if not path.exists() or path.read_text("utf-8") != text:
                new = path.with_name(f".{name}.new")
                new.touch(0o600)
                new.write_text(text, "utf-8")
                new.rename(path)
                changed = True
        return changed
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> MachineError:
    what = f"Asterisk's configuration can't be written: {error.strerror}."
    return MachineError(Fault(what=what, where=folder, mend="Check free space and rights of the folder (ivr doctor)."))


async def ensure(
    home: Home, program: Program, files: Mapping[str, str], ports: Ports, *, grace_s: float = 0.0
) -> Running:
    """A ready Asterisk in `home` with the configuration `files`.

    It is the one that runs there, if it is healthy and its configuration the same; else a fresh one, after the calls on
    the old one had `grace_s` to finish. Raises MachineError, PeerError.
    """
    present = adopt(home, program)
    changed = write_configuration(home, files)
    if present is not None and not await present.answers(_GREETING_S):
        _log.error("asterisk_hung", pid=present.pid)
        await present.kill()
    elif present is not None:
        if not changed and await _answers(present):
            _log.info("asterisk_adopted", pid=present.pid, folder=str(home.folder))
            return present
        await present.stop(grace_s=grace_s)
    return await start(home, program, ports)


async def _answers(running: Running) -> bool:
    try:
        return "fully booted" in await running.command("core waitfullybooted")
    except PeerError:
        return False


async def start(home: Home, program: Program, ports: Ports, *, ready_s: float = 30.0) -> Running:
    """Start Asterisk on the configuration in `home` and wait until it has booted.

    Raises MachineError when a port is taken, PeerError when Asterisk ends or is not ready within `ready_s`.
    """
    check_ports(ports)
    logged_before = home.messages.stat().st_size if home.messages.exists() else 0
    running = _launch(home, program)
    ready = False
    try:
        await asyncio.wait_for(_booted(running), ready_s)
        _raise_bind_failures(home, logged_before)
        ready = True
    except TimeoutError as error:
        raise _not_started(home, f"is not ready after {ready_s:g} s", logged_before) from error
    finally:
        if not ready:
            await running.stop()
    _log.info("asterisk_started", pid=running.pid, version=program.version, folder=str(home.folder))
    return running


def path_fault(home: Home) -> Fault | None:
    """What keeps Asterisk's control socket from being made in `home`."""
    if len(os.fsencode(home.control)) <= _SOCKET_NAME_MAX:
        return None
    what = f"The folder's name is too long for a Unix socket ({_SOCKET_NAME_MAX} bytes)."
    return Fault(what=what, where=home.control, mend="Use a shorter path for the site.")


def _launch(home: Home, program: Program) -> Running:
    if fault := path_fault(home):
        raise MachineError(fault)
    for stale in (home.control, home.run / "asterisk.pid"):
        stale.unlink(missing_ok=True)
    with home.console.open("wb") as console_log:
        child = subprocess.Popen(
            [*program.command, "-C", str(home.conf), "-f", "-n"],
            stdin=subprocess.DEVNULL,
            stdout=console_log,
            stderr=subprocess.STDOUT,
            cwd=home.run,
            start_new_session=True,
            # Its records and the wishes that the dialplan notes hold people's numbers.
            umask=0o077,
        )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (most, hard))
    return Running(home, program, child.pid, child)


async def _booted(running: Running) -> None:
    while True:
        if not running.alive:
            raise _not_started(running.home, "ended while it started")
        if running.home.control.exists() and await _answers(running):
            return
        await asyncio.sleep(0.05)


def _not_started(home: Home, how: str, since: int = 0) -> PeerError:
    lines = [*errors_in(home.console), *errors_in(home.messages, since)]
    what = f"Asterisk {how}" + (f": {lines[-1]}" if lines else "") + "."
    full = shutil.disk_usage(home.folder).free < _ROOM
    mend = "The disk is full: free some space." if full else "Read its log: ivr asterisk log."
    return PeerError(Fault(what=what, where=home.messages, mend=mend))


def errors_in(path: Path, since: int = 0) -> list[str]:
    """The ERROR and WARNING lines of Asterisk's log after the first `since` bytes; none when there is no file."""
    try:
        with path.open("rb") as log:
            log.seek(since)
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if re.search(r"\b(ERROR|WARNING)\b", line)]


def _raise_bind_failures(home: Home, since: int) -> None:
    for line in errors_in(home.messages, since):
        if re.search(r"[Uu]nable to bind|[Ff]ailed to bind|Address already in use|could not be started", line):
            mend = "End the program that holds the port, or choose another in ivr.toml (ivr doctor)."
            raise MachineError(Fault(what=f"Asterisk can't listen: {line}", where=home.messages, mend=mend))
