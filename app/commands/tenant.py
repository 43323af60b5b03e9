"""`ivr tenant`: the retailers whose rows the site's database holds apart."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.console import plain_console, put_json
from app.commands.database import on_database, on_scope
from app.commands.options import SiteFolder
from ivr.settings import TENANT_FILE
from ivr.settings_files import load_site
from ivr.site import init_tenant
from outbound import closing
from outbound.clock import Clock
from people import tenants
from people.store.scope import Scope
from people.tenants import Tenant

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The tenant's short name.")]

_console = plain_console(soft_wrap=True)


@app.callback()
def _about() -> None:
    """Retailers that share a database: add, list, limit and close them."""


@app.command()
def add(
    name: Name,
    title: Annotated[str, typer.Option(help="The retailer's name as people read it.")] = "",
    folder: Annotated[
        bool, typer.Option("--folder", help="Make tenants/NAME in the site: settings, flows, texts to begin from.")
    ] = False,
    site: SiteFolder = Path(),
) -> None:
    """Add a retailer, or open one again that was closed. A site's own is there by itself."""
    loaded = load_site(site)
    added = on_database(loaded, lambda engine: tenants.add(engine, name, title=title, now_ms=Clock().now_ms()))
    _console.print(f"{_told(added)} is open.")
    if folder:
        made = init_tenant(loaded, name, title=title)
        _console.print(f"Its folder is {escape(str(made))}: write its numbers into {TENANT_FILE}.", soft_wrap=True)
    else:
        _console.print(
            "It is served when a number leads to it (ivr number add), or a campaign of it runs; a site of its own"
            f" has in ivr.toml: tenant = {json.dumps(name)}"
        )


@app.command("list")
def list_(
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False, site: SiteFolder = Path()
) -> None:
    """List the retailers of the site's database, with their limits."""
    loaded = load_site(site)

    async def work(scope: Scope) -> list[Tenant]:
        return await tenants.tenants(scope.database)

    found = on_scope(loaded, work)
    if json_:
        put_json(json.dumps([_plain(each) for each in found], ensure_ascii=False, indent=2) + "\n")
        return
    zone = ZoneInfo(loaded.settings.timezone)

    def moment(at_ms: int | None) -> str:
        return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")

    table = Table("name", "title", "since", "closed", box=None, pad_edge=False)
    for header in ("channels", "calls/s"):
        table.add_column(header, justify="right")
    for each in found:
        rate = each.limits.calls_per_second
        limits = (str(each.limits.channels or ""), "" if rate is None else f"{rate:g}")
        table.add_row(each.name, escape(each.title), moment(each.created_at_ms), moment(each.closed_at_ms), *limits)
    _console.print(table)


@app.command()
def limits(
    name: Name,
    channels: Annotated[
        int | None, typer.Option(min=0, help="Calls at one time, of all its campaigns; 0: no limit of its own.")
    ] = None,
    cps: Annotated[
        float | None, typer.Option(min=0, help="Calls started per second, of all its campaigns; 0: no limit.")
    ] = None,
    site: SiteFolder = Path(),
) -> None:
    """Show a retailer's limits, or set those that are given. They hold on all gateways together, at once."""
    found = on_database(
        load_site(site), lambda engine: tenants.set_limits(engine, name, channels=channels, calls_per_second=cps)
    )
    own = found.limits
    parts = [
        "as many channels as the trunk has" if own.channels is None else f"{own.channels} channels",
        "the trunk's pace" if own.calls_per_second is None else f"{own.calls_per_second:g} calls/s",
    ]
    _console.print(f"{_told(found)}: {', '.join(parts)}")


@app.command()
def close(name: Name, site: SiteFolder = Path()) -> None:
    """Stop a retailer's campaigns for good and dial nobody for it. Nothing is deleted; whoever calls is answered."""
    stopped = on_database(load_site(site), lambda engine: closing.close(engine, name, now_ms=Clock().now_ms()))
    what = f" Stopped: {', '.join(map(escape, stopped))}." if stopped else ""
    _console.print(f"{escape(name)} is closed.{what} Its reports can still be read.")


def _told(tenant: Tenant) -> str:
    return escape(f"{tenant.name} ({tenant.title})" if tenant.title else tenant.name)


def _plain(tenant: Tenant) -> dict[str, object]:
    """Times are UTC ms; null: no limit of its own, or open."""
    plain = asdict(tenant)
    return {**{name: value for name, value in plain.items() if name != "limits"}, **plain["limits"]}
