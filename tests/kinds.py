"""How each test runs: one kind a test, from its folder unless it names one itself. The Makefile selects by kind.

A pytest plugin. Owns the table of kinds; what a kind's tests may take is judged in tests/budget.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pytest

_TESTS = Path(__file__).parent


#: The parts of a run in their order: tests that work; those that wait more than they work; one by one.
Part = Literal["together", "waiting", "alone"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the tests of a kind need of the machine."""

    meaning: str
    #: What one test may take.
    seconds: float
    #: None: it is not run by `make test`.
    part: Part | None


KINDS = {
    "pure": Kind(meaning="computes, in this process and its own folder", seconds=5, part="together"),
    "reading": Kind(meaning="reads numbers, dates and names aloud, in letters", seconds=5, part="together"),
    "store": Kind(meaning="has a database of its own", seconds=15, part="together"),
    "speech": Kind(meaning="makes speech", seconds=20, part="together"),
    "edges": Kind(meaning="meets fakes on loopback, or starts processes of ours", seconds=15, part="together"),
    "browser": Kind(meaning="looks at pages in a real browser", seconds=15, part="waiting"),
    "live": Kind(meaning="starts a real Asterisk, and mostly waits", seconds=60, part="waiting"),
    "timed": Kind(meaning="measures time or load", seconds=60, part="alone"),
    "chaos": Kind(meaning="kills what runs, again and again: make chaos", seconds=math.inf, part=None),
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

#: All tests that don't run together are in these folders, so that their parts of a run need collect no others.
APART = ("browser", "live")


def pytest_configure(config: pytest.Config) -> None:
    for name, kind in KINDS.items():
        config.addinivalue_line("markers", f"{name}: {kind.meaning}")


# Before pytest's own choice by -m.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not _named(item) and (kind := _of_folder(item.path.parent)):
            item.add_marker(kind)
    if wrong := [f"{item.nodeid}: {_named(item)}" for item in items if len(_named(item)) != 1]:
        lines = "\n".join(wrong)
        raise pytest.UsageError(f"A test has one kind of {', '.join(KINDS)}; these have none, or several:\n{lines}")
    apart = [item for item in items if _TESTS in item.path.parents and kind_of(item).part != "together"]
    if strays := [item.nodeid for item in apart if not any(_TESTS / name in item.path.parents for name in APART)]:
        raise pytest.UsageError(f"Only tests in {', '.join(APART)} are run apart; these are not there: {strays}")


def kind_of(item: pytest.Item) -> Kind:
    (name,) = _named(item)
    return KINDS[name]


def _named(item: pytest.Item) -> list[str]:
    return sorted({mark.name for mark in item.iter_markers()} & KINDS.keys())


@lru_cache
def _of_folder(path: Path) -> str:
    """The kind that the folder gives its tests; "" for none."""
    fitting = [folder for folder in FOLDERS if _TESTS / folder in (path, *path.parents)]
    return FOLDERS[max(fitting, key=len)] if fitting else ""
