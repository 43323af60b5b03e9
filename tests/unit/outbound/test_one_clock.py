"""outbound.clock is the only reader of time in outbound, so that a whole campaign can run on another clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import outbound

_ROOT = Path(outbound.__file__).parent
_MODULES = sorted(path for path in _ROOT.rglob("*.py") if path.name != "clock.py")
#: What reads time or waits for it, wherever it is found.
_READERS = {"sleep", "timeout", "timeout_at", "wait_for", "time", "call_later", "call_at", "utcnow", "today", "now"}
_OF_OUR_CLOCK = ("clock", "_clock")


def readers(tree: ast.AST) -> Iterator[str]:
    """Each place that imports time, or calls what reads it on anything but a Clock."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(each.name in ("time", "datetime", "sched") for each in node.names):
            yield f"line {node.lineno}: import"
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime", "sched", "asyncio"):
            yield f"line {node.lineno}: from {node.module} import"
        if isinstance(node, ast.Attribute) and node.attr in _READERS:
            of = node.value
            name = of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""
            if name not in _OF_OUR_CLOCK:
                yield f"line {node.lineno}: {name}.{node.attr}"
        if isinstance(node, ast.keyword) and node.arg == "timeout" and not isinstance(node.value, ast.Constant):
            yield f"line {node.value.lineno}: timeout=…"


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_nothing_else_reads_time(path: Path) -> None:
    assert list(readers(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "from asyncio import sleep",
        "import datetime",
        "asyncio.sleep(1)",
        "asyncio.timeout(1)",
        "asyncio.wait_for(x, 1)",
        "asyncio.get_running_loop().time()",
        "self.loop.call_later(1, x)",
        "asyncio.wait(x, timeout=seconds)",
        "datetime.now()",
    ],
)
def test_a_reader_is_found(line: str) -> None:
    assert list(readers(ast.parse(line))) != []
