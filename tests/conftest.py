"""What every test has: the plugins of the suite, golden files, a log as it is by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

pytest_plugins = ("tests.kinds", "tests.budget", "tests.whole_run", "tests.left_behind", "tests.databases", "pytester")

# A busy machine is no failure, and a run finds what the run before it found.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

_LOGGERS_ARE_LOOKED_UP = {"cache_logger_on_first_use": False}

#: Compares a text with the file that holds what it should be.
Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-golden", action="store_true", help="write the golden files anew; read the diff")
    parser.addoption("--chaos-seconds", type=float, default=600, help="make chaos: begin campaigns for so long")
    parser.addoption("--chaos-seed", type=int, default=1, help="make chaos: the first campaign's seed")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Fails when the text is not what the file says; with --refresh-golden the file is made to say it."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--refresh-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8"), f"{path.name} differs; if that is right: pytest --refresh-golden"

    return compare


@pytest.fixture(autouse=True)
def default_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test ran in this process has set up its own log: the next test does not inherit it."""
    configure = structlog.configure
    # A logger that is kept from its first use on would stay with that log.
    monkeypatch.setattr(structlog, "configure", lambda **chosen: configure(**chosen | _LOGGERS_ARE_LOOKED_UP))
    yield
    structlog.reset_defaults()
