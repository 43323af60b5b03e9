"""How each test runs: one kind a test, from its folder unless it names one itself. The Makefile selects by kind.

A pytest plugin. Owns the table of kinds; what a kind's tests may take is judged in tests/budget.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the tests of a kind need of the machine."""

    meaning: str
    #: What one test may take.
    seconds: float
    #: Many at one time do each other no harm.
    together: bool = False


KINDS = {
    "pure": Kind(meaning="computes, in this process and its own folder", seconds=5, together=True),
    "reading": Kind(meaning="reads numbers, dates and names aloud, in letters", seconds=5, together=True),
    "store": Kind(meaning="has a database of its own", seconds=15, together=True),
    "speech": Kind(meaning="makes speech", seconds=20, together=True),
    "edges": Kind(meaning="meets fakes on loopback, or starts processes of ours", seconds=15, together=True),
    "browser": Kind(meaning="looks at pages in a real browser", seconds=15),
    "live": Kind(meaning="starts a real Asterisk, or measures time: by itself on the machine", seconds=60),
    "chaos": Kind(meaning="kills what runs, again and again: make chaos", seconds=math.inf),
}

#: The kind of a folder's tests; the longest name that fits counts.
FOLDERS = {
    "unit": "pure",
    "unit/prompts": "speech",
    "unit/reading": "reading",
    "unit/reports": "store",
    "golden": "pure",
    "edges": "edges",
    "browser": "browser",
    "live": "live",
}


def pytest_configure(config: pytest.Config) -> None:
    for name, kind in KINDS.items():
        config.addinivalue_line("markers", f"{name}: {kind.meaning}")


# Before pytest's own choice by -m.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not _named(item) and (kind := _of_folder(item.path)):
            item.add_marker(kind)
    if wrong := [f"{item.nodeid}: {_named(item)}" for item in items if len(_named(item)) != 1]:
        lines = "\n".join(wrong)
        raise pytest.UsageError(f"A test has one kind of {', '.join(KINDS)}; these have none, or several:\n{lines}")


def kind_of(item: pytest.Item) -> Kind:
    (name,) = _named(item)
    return KINDS[name]


def expression(*, together: bool) -> str:
    """What `pytest -m` takes for the tests that run together, or for those that run by themselves."""
    return " or ".join(name for name, kind in KINDS.items() if kind.together == together and name != "chaos")


def _named(item: pytest.Item) -> list[str]:
    return sorted({mark.name for mark in item.iter_markers()} & KINDS.keys())


def _of_folder(path: Path, folders: Iterable[str] = FOLDERS) -> str:
    """The kind that the test's folder gives it; "" for none."""
    fitting = [folder for folder in folders if _TESTS / folder in path.parents]
    return FOLDERS[max(fitting, key=len)] if fitting else ""
