"""`ivr gateway`: the Asterisks with their engines that dial for one database."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.console import plain_console
from app.commands.database import on_database
from app.commands.options import SiteFolder
from ivr.settings_files import load_site
from outbound import gateways
from people.store import ownership

app = typer.Typer(no_args_is_help=True)

_console = plain_console(soft_wrap=True)


@app.callback()
def _about() -> None:
    """Engines that share a database: who dials, and what to do about a machine that is gone."""


@app.command("list")
def list_(site: SiteFolder = Path()) -> None:
    """List the gateways of the site's database: who owns each, since when, and its attempts in flight."""
    loaded = load_site(site)
    zone = ZoneInfo(loaded.settings.timezone)

    def moment(at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S") if at_ms else ""

    table = Table("name", "state", "engine", "since", "until", box=None, pad_edge=False)
    table.add_column("in flight", justify="right")
    for each in on_database(loaded, ownership.gateways):
        state = "owned" if each.held else "silent" if each.lease_until_ms else "free"
        engine = f"{each.process.host} {each.process.pid}" if each.since_ms else ""
        since, until = moment(each.since_ms), moment(each.lease_until_ms)
        table.add_row(escape(each.name), state, escape(engine), since, until, str(each.open))
    _console.print(table)


@app.command()
def retire(name: str, site: SiteFolder = Path()) -> None:
    """Give up a gateway whose machine never comes back: its attempts in flight are unknown, and dialled no more."""
    settled = on_database(load_site(site), lambda engine: gateways.retire(engine, name))
    _console.print(f"{escape(name)} is retired; {settled} attempts are unknown now.")
