"""Databases for tests: a migrated SQLite file each, copied from one that was migrated once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from people.store.db import open_database, prepare_sqlite


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@lru_cache(maxsize=1)
def _migrated() -> bytes:
    async def make(path: Path) -> None:
        database = await open_database(url(path))
        await database.dispose()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.sqlite3"
        asyncio.run(make(path))
        return path.read_bytes()


@asynccontextmanager
async def a_database(folder: Path) -> AsyncIterator[AsyncEngine]:
    """An empty migrated database in `folder`."""
    path = folder / "ivr.sqlite3"
    path.write_bytes(await asyncio.to_thread(_migrated))
    database = create_async_engine(url(path))
    event.listen(database.sync_engine, "connect", prepare_sqlite)
    try:
        yield database
    finally:
        await database.dispose()
