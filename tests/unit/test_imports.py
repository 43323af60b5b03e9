"""Imports go one way (ARCHITECTURE.md); pure folders import nothing of the edges."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Each may import itself and what stands behind it; app composes, and nothing imports app.
ORDER = ("app", "reports", "outbound", "ivr", "people", "prompts", "debroot", "faults")

#: Folders whose modules do no I/O: what they must not import.
PURE = ("ivr/flow", "outbound/plan", "prompts/reading")
EDGES = {"asyncio", "socket", "subprocess", "sqlalchemy", "aiohttp", "panoramisk", "uvloop", "time", "random"}


def sources() -> Iterator[Path]:
    for name in ORDER:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imported(path: Path) -> set[str]:
    """Every module that the file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: write imports in full"
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    relative = path.relative_to(ROOT)
    allowed = set(ORDER[ORDER.index(relative.parts[0].removesuffix(".py")) :])
    ours = {name.split(".")[0] for name in imported(path)} & set(ORDER)
    assert ours <= allowed, f"{relative} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("folder", PURE)
def test_pure_folders_do_no_io(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        edges = {name.split(".")[0] for name in imported(path)} & EDGES
        assert not edges, f"{path.relative_to(ROOT)} imports {sorted(edges)}"
