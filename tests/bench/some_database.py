"""Databases for benchmarks of the store, opened as a site opens its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from people.store import postgres
from people.store.db import open_database
from people.store.roles import set_up
from people.store.scope import Scope
from people.store.upgrade import upgrade
from people.tenants import register
from tests.databases import Kind

_PASSWORD = "of the benchmark"


@asynccontextmanager
async def a_database(kind: Kind, folder: Path) -> AsyncIterator[AsyncEngine]:
    """One with the tenant `shop` and nothing else; SQLite's lies in `folder`.

    PostgreSQL's is opened by the role that owns nothing.
    """
    if kind == "sqlite":
        url = f"sqlite+aiosqlite:///{folder / 'ivr.sqlite3'}"
        await upgrade(url)
        async with _opened(url) as engine:
            yield engine
        return
    with postgres.running(postgres.find()) as cluster:
        url = await set_up(cluster.url(), database="shop", password=_PASSWORD)
        async with _opened(url) as engine:
            yield engine


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = await open_database(url)
    await register(Scope(engine, "shop"), now_ms=1)
    yield engine
    await engine.dispose()
