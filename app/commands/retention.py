"""`ivr retention`: what is kept no longer. Parses and prints; app.retention does it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from app.commands.console import put
from app.commands.database import on_scope, tenant_site
from app.commands.options import SiteFolder, TenantName
from app.retention import Due, look, remove
from outbound.clock import Clock
from people.store.scope import Scope


def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Remove it now; ivr up does so each night.")] = False,
    site: SiteFolder = Path(),
    tenant: TenantName = "",
) -> None:
    """Show what the rules under [retention] in ivr.toml would remove, or remove it. Without rules all is kept.

    Kept for ever are the do-not-call list, attempts and figures. Calls and people of a campaign go when it is over.
    """
    loaded = tenant_site(site, tenant)
    clock = Clock()

    async def work(scope: Scope) -> list[Due]:
        if apply:
            return [each async for each in remove(scope, loaded, clock=clock)]
        return await look(scope, loaded, now_ms=clock.now_ms())

    for line in _lines(on_scope(loaded, work), ZoneInfo(loaded.settings.timezone), applied=apply):
        put(line)


def _lines(found: Iterable[Due], zone: ZoneInfo, *, applied: bool) -> Iterable[str]:
    lines = [
        f"{due.what:<20}{due.count:>10}  of before {datetime.fromtimestamp(due.rule.before_ms / 1000, zone):%Y-%m-%d}"
        for due in found
    ]
    if not lines:
        return ["All is kept: no rule is set under [retention] in ivr.toml."]
    return ["Removed:" if applied else "To be removed by ivr retention --apply, or at night:", *lines]
