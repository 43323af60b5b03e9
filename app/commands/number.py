"""`ivr number`: which dialled number a tenant's flow answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.console import plain_console
from app.commands.database import on_scope, tenant_site
from app.commands.options import SiteFolder, TenantName
from people import hotline_numbers

app = typer.Typer(no_args_is_help=True)

Number = Annotated[str, typer.Argument(help='As people write it, or an extension; "*": every number that has no row.')]

_console = plain_console(soft_wrap=True)


@app.callback()
def _about() -> None:
    """Dialled numbers: which flow of which tenant answers each."""


@app.command("list")
def list_(site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """List the tenant's numbers with their flows, and whether they stand in its settings or were added here."""
    table = Table("number", "flow", "source", box=None, pad_edge=False)
    for each in on_scope(tenant_site(site, tenant), hotline_numbers.list_numbers):
        table.add_row(escape(each.number), escape(each.flow), each.source)
    _console.print(table)


@app.command()
def add(
    number: Number,
    flow: Annotated[str, typer.Argument(help="The flow that answers it.")],
    site: SiteFolder = Path(),
    tenant: TenantName = "",
) -> None:
    """Let a flow of the tenant answer a number, new or changed. Engines take it within some seconds."""
    loaded = tenant_site(site, tenant)
    region = loaded.settings.region
    added = on_scope(loaded, lambda scope: hotline_numbers.add_number(scope, number, flow, region=region))
    _console.print(f"{escape(added.number)} is answered by {escape(added.flow)} of {loaded.settings.tenant}.")


@app.command()
def remove(number: Number, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Let a number that was added lead nowhere: who dials it hears that it is not in service."""
    loaded = tenant_site(site, tenant)
    region = loaded.settings.region
    normal = on_scope(loaded, lambda scope: hotline_numbers.remove_number(scope, number, region=region))
    _console.print(f"{escape(normal)} leads nowhere now.")
