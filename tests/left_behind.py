"""What tests leave behind: a process that outlives the run fails it, and so does a file in the temporary folder.

A pytest plugin. Processes are known by a variable that they inherit from the one that ran the tests.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.whole_run import fail

_VARIABLE = "IVR_TESTS"
#: How long a process that was told to end may take to be gone.
_PATIENCE_S = 3.0

_left = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    os.environ[_VARIABLE] = str(os.getpid())
    config.stash[_left] = []


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The temporary folder of this process and those that it starts; nothing may be in it at the end."""
    folder = tmp_path_factory.mktemp("tmp", numbered=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield
    request.config.stash[_left] += [f"the file {path}" for path in folder.iterdir()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker has found, on its way to the process that tells it."""
    node.config.stash[_left] += getattr(node, "workeroutput", {}).get("left", [])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    left = session.config.stash[_left]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = left + running()
        return
    # Workers, if there are any, have looked for what they started.
    if not session.config.pluginmanager.hasplugin("dsession"):
        left += running()
    if left:
        fail(session, "Left behind: " + "; ".join(left))


def pytest_unconfigure() -> None:
    # pytest's own folder of folders is empty when nothing failed.
    for folder in Path(tempfile.gettempdir()).glob("pytest-of-*"):
        with contextlib.suppress(OSError):
            (folder / "pytest-current").unlink(missing_ok=True)
            folder.rmdir()


def running(mark: str = "", *, patience_s: float = _PATIENCE_S) -> list[str]:
    """The processes that this one, or another whose id is `mark`, has started and that don't end."""
    deadline = time.monotonic() + patience_s
    wanted = f"{_VARIABLE}={mark or os.getpid()}".encode()
    while found := list(_marked(wanted)):
        if time.monotonic() > deadline:
            return found
        time.sleep(0.05)
    return []


def _marked(wanted: bytes) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        # It may end at any moment, or be another user's.
        with contextlib.suppress(OSError):
            if int(process.name) != os.getpid() and wanted in (process / "environ").read_bytes().split(b"\0"):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                yield f"process {process.name}: {command}"
