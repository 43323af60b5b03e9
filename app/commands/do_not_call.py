"""`ivr campaign do-not-call …`: who is never called."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from app.commands.console import plain_console, put
from app.commands.database import on_scope, tenant_site
from app.commands.options import SiteFolder, TenantName
from outbound.clock import Clock
from people import do_not_call
from people.store.scope import Scope

app = typer.Typer(no_args_is_help=True)

#: Lines that are no numbers are shown up to so many.
_MOST_SHOWN = 20

_console = plain_console(soft_wrap=True)


@app.command()
def add(
    numbers: Annotated[list[str], typer.Argument(help="Phone numbers as people write them.")],
    site: SiteFolder = Path(),
    tenant: TenantName = "",
) -> None:
    """Never dial these numbers again, in any campaign."""
    loaded = tenant_site(site, tenant)
    region = loaded.settings.region
    added = on_scope(
        loaded,
        lambda scope: do_not_call.add_written(scope, numbers, region=region, now_ms=Clock().now_ms()),
    )
    _console.print(f"{added.added} added, {added.there} were on the list already.")


@app.command()
def remove(number: str, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Allow calls to a number again: only when its owner asks for it."""
    loaded = tenant_site(site, tenant)
    region = loaded.settings.region
    phone = on_scope(loaded, lambda scope: do_not_call.remove_written(scope, number, region=region))
    _console.print(f"{phone} may be called again.")


@app.command("list")
def list_(site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Print the list, the newest first: number, since when, and how it came there."""
    loaded = tenant_site(site, tenant)
    zone = ZoneInfo(loaded.settings.timezone)

    async def put_all(scope: Scope) -> None:
        page = await do_not_call.entries(scope)
        while page:
            for entry in page:
                since = datetime.fromtimestamp(entry.since_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
                put(f"{entry.phone}  {since}  {entry.source}")
            page = await do_not_call.entries(scope, after=page[-1])

    on_scope(loaded, put_all)


@app.command("import")
def import_(file: Path, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Add the number that begins each line of a file."""
    loaded = tenant_site(site, tenant)
    region = loaded.settings.region
    imported = on_scope(
        loaded,
        lambda scope: do_not_call.import_file(scope, file, region=region, now_ms=Clock().now_ms()),
    )
    _console.print(f"{imported.added} added.")
    for why, many in sorted(Counter(why for _, why in imported.refused).items()):
        _console.print(f"  left out, {why}: {many}")
    for line, why in imported.refused[:_MOST_SHOWN]:
        _console.print(f"  {escape(str(file))}:{line}: {why}")
    if (more := len(imported.refused) - _MOST_SHOWN) > 0:
        _console.print(f"  and {more} more lines that are no numbers")
