"""The site's database for the length of one command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.tenant_site import site_of_tenant
from outbound.clock import Clock
from people.store.db import open_database
from people.store.scope import Scope
from people.tenants import register

_T = TypeVar("_T")


def tenant_site(folder: Path, tenant: str) -> Site:
    """The site in `folder` as that tenant has it; "": the site's own. Raises UserError, for an unknown name, too."""
    site = load_site(folder)
    if tenant in ("", site.settings.tenant):
        return site
    return on_database(site, lambda engine: site_of_tenant(site, engine, tenant))


def on_scope(site: Site, work: Callable[[Scope], Awaitable[_T]]) -> _T:
    """What `work` makes of the rows of the site's tenant. Raises as `on_database`."""

    async def scoped(engine: AsyncEngine) -> _T:
        scope = Scope(engine, site.settings.tenant)
        await register(scope, now_ms=Clock().now_ms())
        return await work(scope)

    return on_database(site, scoped)


def on_database(site: Site, work: Callable[[AsyncEngine], Awaitable[_T]]) -> _T:
    """What `work` makes of the site's database. Raises MachineError when it can't be opened, and what `work` raises."""

    async def opened() -> _T:
        engine = await open_database(site.database_url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(opened())
