"""Databases for tests: a migrated SQLite file each, copied from one that was migrated once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.db import make_engine
from people.store.upgrade import upgrade


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@lru_cache(maxsize=1)
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.sqlite3"
        asyncio.run(upgrade(url(path)))
        return path.read_bytes()


def put_tables(path: Path) -> None:
    """Make `path` an empty database with the newest tables."""
    path.write_bytes(_migrated())


@asynccontextmanager
async def a_database(folder: Path) -> AsyncIterator[AsyncEngine]:
    """The database in `folder`; an empty one with the newest tables where there is none."""
    path = folder / "ivr.sqlite3"
    if not path.exists():
        await asyncio.to_thread(put_tables, path)
    database = make_engine(url(path))
    try:
        yield database
    finally:
        await database.dispose()
