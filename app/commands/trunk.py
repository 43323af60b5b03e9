"""`ivr trunk`: the SIP peers that carry the calls of the site's gateway."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.console import plain_console, put_json
from app.commands.database import on_database
from app.commands.options import SiteFolder
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.site import parse_assignment
from outbound import trunks
from outbound.clock import Clock
from outbound.trunks import Listed
from people.store.trunks import EVERY

app = typer.Typer(no_args_is_help=True)

_console = plain_console(soft_wrap=True)

Name = Annotated[str, typer.Argument(help="The trunk's name.")]
Assignments = Annotated[
    list[str], typer.Option("--set", help="A setting as under [trunk] in ivr.toml: transport=tls. May be repeated.")
]
EveryGateway = Annotated[bool, typer.Option(help="For every engine of the database, not for this one alone.")]


@app.callback()
def _about() -> None:
    """SIP peers that carry the calls: list, add, change and remove them while the site runs."""


@app.command("list")
def list_(
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False, site: SiteFolder = Path()
) -> None:
    """List the trunks of the site's gateway: where each leads, what it carries, and what keeps it from being used."""
    loaded = load_site(site)
    found = on_database(loaded, lambda engine: trunks.listed(engine, loaded))
    if json_:
        put_json(json.dumps([_plain(each) for each in found], ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("name", "of", "leads to", "numbers", "tenants", "state", box=None, pad_edge=False)
    for header in ("position", "channels", "calls/s"):
        table.add_column(header, justify="right")
    for each in found:
        if (how := each.how) is None:
            table.add_row(each.row.name, each.row.source, "", "", "", "[red]not understood[/red]")
            continue
        leads = f"{how.transport} {how.host}:{how.port}{', encrypted' if how.encrypted else ''}"
        state = "[red]not used[/red]" if each.faults else "used" if how.enabled else "disabled"
        table.add_row(
            *(each.row.name, each.row.source + (", every gateway" if each.row.gateway == EVERY else "")),
            *(escape(leads), " ".join(how.prefixes) or "all", escape(" ".join(how.tenants)) or "all", state),
            *(str(how.position), str(how.channels), f"{how.calls_per_second:g}"),
        )
    _console.print(table)
    for each in found:
        for fault in each.faults:
            _console.print(escape(f"{each.row.name}: {fault}"))


@app.command()
def add(
    name: Name,
    host: Annotated[str, typer.Option(help="Address of the operator or the exchange.")],
    set_: Assignments = [],  # noqa: B006 - typer's way
    every_gateway: EveryGateway = False,
    site: SiteFolder = Path(),
) -> None:
    """Add a trunk. Calls go by it some seconds later; a password for it is written into secrets.toml."""
    loaded = load_site(site)
    settings = {"host": host, **_settings(set_)}
    _tell(
        loaded,
        on_database(
            loaded,
            lambda engine: trunks.add(
                engine, loaded, name, settings, every_gateway=every_gateway, now_ms=Clock().now_ms()
            ),
        ),
    )


@app.command()
def change(name: Name, set_: Assignments, site: SiteFolder = Path()) -> None:
    """Change settings of a trunk. Calls in progress go on as they began."""
    _change(load_site(site), name, _settings(set_))


@app.command()
def enable(name: Name, site: SiteFolder = Path()) -> None:
    """Let calls go by a trunk again."""
    _change(load_site(site), name, {"enabled": True})


@app.command()
def disable(name: Name, site: SiteFolder = Path()) -> None:
    """Let no new call go by a trunk; those in progress go on."""
    _change(load_site(site), name, {"enabled": False})


@app.command()
def remove(name: Name, site: SiteFolder = Path()) -> None:
    """Take a trunk away. Calls in progress go on; what went by it keeps its name."""
    loaded = load_site(site)
    on_database(loaded, lambda engine: trunks.remove(engine, loaded, name))
    _console.print(f"{escape(name)} is gone; no new call goes by it.")


def _change(site: Site, name: str, settings: dict[str, Any]) -> None:
    _tell(site, on_database(site, lambda engine: trunks.change(engine, site, name, settings, now_ms=Clock().now_ms())))


def _settings(assignments: Sequence[str]) -> dict[str, Any]:
    return dict(map(parse_assignment, assignments))


def _tell(site: Site, one: Listed) -> None:
    state = "is used some seconds from now where ivr up runs" if one.how and one.how.enabled else "is disabled"
    _console.print(f"{escape(one.row.name)} {'waits for its password' if one.faults else state}.")
    for fault in one.faults:
        _console.print(escape(str(fault)))


def _plain(one: Listed) -> dict[str, object]:
    return {
        "name": one.row.name,
        "source": one.row.source,
        "gateway": one.row.gateway or None,
        "settings": one.row.settings,
        "faults": [str(fault) for fault in one.faults],
    }
