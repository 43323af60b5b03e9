"""The site's database for the length of one command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Site
from people.store.db import open_database

_T = TypeVar("_T")


def on_database(site: Site, work: Callable[[AsyncEngine], Awaitable[_T]]) -> _T:
    """What `work` makes of the site's database. Raises MachineError when it can't be opened, and what `work` raises."""

    async def opened() -> _T:
        engine = await open_database(site.database_url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(opened())
