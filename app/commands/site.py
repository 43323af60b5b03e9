"""`ivr init` and `ivr doctor`: make a site, and find out what keeps it from working."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.console import plain_console
from app.commands.options import SiteFolder
from faults import AuthorError, Fault, UserError
from ivr.settings import Site
from ivr.site import free_ports, init_site, parse_assignment

_COLOURS = {"ok": "green", "warn": "yellow", "FAIL": "red"}
_TRUNK, _PORTS = "The operator", "Where this machine listens"
_TRUNK_NOT_SET = "127.0.0.1"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new site's folder.")],
    trunk_host: Annotated[
        str, typer.Option(help="Address of the SIP peer that carries the calls.", rich_help_panel=_TRUNK)
    ] = _TRUNK_NOT_SET,
    trunk_port: Annotated[
        int | None, typer.Option(help="Its SIP port.", rich_help_panel=_TRUNK, show_default="5060")
    ] = None,
    trunk_user: Annotated[str | None, typer.Option(help="Name to authenticate with.", rich_help_panel=_TRUNK)] = None,
    trunk_secret: Annotated[
        str,
        typer.Option(
            help="Its password; better in the variable than typed.", envvar="IVR_TRUNK_SECRET", rich_help_panel=_TRUNK
        ),
    ] = "",
    trunk_codec: Annotated[str | None, typer.Option(help="alaw, ulaw or g722.", rich_help_panel=_TRUNK)] = None,
    caller_id: Annotated[str | None, typer.Option(help="Number shown to subscribers.", rich_help_panel=_TRUNK)] = None,
    dial_format: Annotated[
        str | None, typer.Option(help="{e164}, {digits} or {national}.", rich_help_panel=_TRUNK)
    ] = None,
    register: Annotated[bool | None, typer.Option("--register", help="Send REGISTER.", rich_help_panel=_TRUNK)] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="postgresql://role:password@host/name instead of SQLite.", envvar="IVR_DATABASE"
        ),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Short name of the retailer.")] = None,
    title: Annotated[str | None, typer.Option(help="The retailer's name in reports.")] = None,
    language: Annotated[str | None, typer.Option(help="ru, uk or en.")] = None,
    operator: Annotated[str | None, typer.Option(help="Number that callers are transferred to.")] = None,
    sip_host: Annotated[
        str | None, typer.Option(help="For SIP; 0.0.0.0: on every address.", rich_help_panel=_PORTS)
    ] = None,
    sip_port: Annotated[int | None, typer.Option(help="For SIP (UDP).", rich_help_panel=_PORTS)] = None,
    rtp: Annotated[
        str | None, typer.Option(metavar="FIRST-LAST", help="For the audio (UDP), two a call.", rich_help_panel=_PORTS)
    ] = None,
    ami_port: Annotated[
        int | None, typer.Option(help="For the manager interface, on loopback.", rich_help_panel=_PORTS)
    ] = None,
    agi_port: Annotated[int | None, typer.Option(help="For the engine, on loopback.", rich_help_panel=_PORTS)] = None,
    use_free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Ports that are free now, for a trial.", rich_help_panel=_PORTS)
    ] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting: outbound.channels=50.")
    ] = None,
) -> None:
    """Make a site: settings, generated secrets, flows and a place for texts and recordings."""
    rtp_start, rtp_end = _range(rtp)
    given: dict[str, object | None] = {
        "trunk.host": trunk_host,
        "trunk.port": trunk_port,
        "trunk.user": trunk_user,
        "trunk.codec": trunk_codec,
        "trunk.caller_id": caller_id,
        "trunk.dial_format": dial_format,
        "trunk.register": register,
        "database": database,
        "tenant": tenant,
        "title": title,
        "language": language,
        "destinations.operator": operator,
        "asterisk.sip_host": sip_host,
        "asterisk.sip_port": sip_port,
        "asterisk.rtp_start": rtp_start,
        "asterisk.rtp_end": rtp_end,
        "asterisk.ami_port": ami_port,
        "agi.port": agi_port,
    }
    chosen = free_ports() if use_free_ports else {}
    chosen |= {name: value for name, value in given.items() if value is not None}
    chosen |= dict(map(parse_assignment, assignments or ()))
    site = init_site(folder, chosen, trunk_secret=trunk_secret)
    console = plain_console(soft_wrap=True)
    _make_tables(site, console)
    console.print(f"The site is in {escape(str(site.folder))}: settings in ivr.toml, call flows in dialplans/.")
    if trunk_host == _TRUNK_NOT_SET:
        console.print(f"Calls go to {trunk_host} until you write the operator's address under \\[trunk] in ivr.toml.")
    if "destinations.operator" not in chosen:
        console.print("The flows offer an operator: write the number under \\[destinations] in ivr.toml.")
    console.print(f"Next: cd {escape(shlex.quote(str(folder)))}, then ivr doctor, then ivr up.")


def _make_tables(site: Site, console: Console) -> None:
    """The site is there even when its database is not yet."""
    # Heavy to import: ivr init --help need not wait for it.
    from people.store.upgrade import upgrade

    try:
        asyncio.run(upgrade(site.database_url))
    except UserError as error:
        for fault in error.faults:
            console.print(f"[yellow]warning:[/yellow] {escape(str(fault))}")
        console.print("When that is mended, make the tables with: ivr store upgrade.")


def doctor(site: SiteFolder = Path()) -> None:
    """Say what keeps this site from working, and how to mend it. Exit status 1 when something does."""
    # Speech and database are heavy to import: the other commands need not wait for them.
    from app.doctor import examine
    from app.findings import Level

    console = plain_console()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    findings = []
    with console.status("Looking ..."):
        for finding in examine(site):
            findings.append(finding)
            colour = _COLOURS[finding.level.value]
            mend = f"\n[dim]-> {escape(finding.mend)}[/dim]" if finding.mend else ""
            mark = f"[{colour}]{finding.level.value}[/{colour}]"
            table.add_row(mark, finding.topic, escape(finding.what) + mend)
    console.print(table)
    failures = sum(finding.level is Level.FAIL for finding in findings)
    warnings = sum(finding.level is Level.WARN for finding in findings)
    if failures:
        console.print(f"\n[red]{failures} to mend[/red] before calls can be taken, {warnings} to think about.")
        raise typer.Exit(1)
    console.print(f"\n[green]Ready for calls.[/green]{f' {warnings} to think about.' if warnings else ''}")


def _range(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal()):
        raise AuthorError(Fault(what=f"{text!r} is no range of ports.", where="--rtp", mend="Write it as 10000-12000."))
    return int(first), int(last)
