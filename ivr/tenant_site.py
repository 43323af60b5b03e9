"""A site as another tenant of its machine has it: by the tenant's folder in the site, else by what the store has."""

from __future__ import annotations

import asyncio

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import Fault, UserError
from ivr.settings import Site, TenantSettings
from ivr.settings_files import load_tenant, tenant_folders
from people.store.scope import Scope
from people.tenants import NAME, find, settings_of


async def site_of_tenant(site: Site, database: AsyncEngine, name: str) -> Site:
    """Raises UserError when there is no such tenant, or its settings have faults."""
    if not NAME.fullmatch(name) or name == site.settings.tenant:
        what = f"{name[:80]!r} is no name for another tenant of this site."
        raise UserError(Fault(what=what, where=tenant_folders(site).get(name), mend="Choose another name."))
    if (folder := tenant_folders(site).get(name)) is not None:
        return site.of_tenant(name, await asyncio.to_thread(load_tenant, folder))
    return site.of_tenant(name, await _stored(site, Scope(database, name)))


async def _stored(site: Site, scope: Scope) -> TenantSettings:
    """As the store has them; of one that said nothing, as the site's own are. Raises UserError."""
    async with scope.begin() as connection:
        await find(connection, scope.tenant)
    kept = await settings_of(scope)
    if kept is None:
        return site.settings.of_tenant.model_copy(update={"title": "", "destinations": {}})
    try:
        return TenantSettings.model_validate(kept)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = f"The settings of the tenant {scope.tenant!r} are not understood: {'.'.join(map(str, first['loc']))}."
        mend = "Run the release that wrote them, or put its folder here."
        raise UserError(Fault(what=what, mend=mend)) from error
