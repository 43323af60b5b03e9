"""`ivr store`: the tables of the site's database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.commands.console import plain_console
from app.commands.database import on_database, on_scope
from app.commands.options import SiteFolder
from faults import AuthorError, Fault
from ivr.settings_files import load_site
from ivr.site import toml
from people.store import upgrade as store
from people.store.roles import upgrade_as_owner
from people.store.scope import Scope
from reports.kept import refresh

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _about() -> None:
    """The site's database: make its tables, bring them up to date, change over to another."""


Owner = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="Of the tables' owner in PostgreSQL: postgresql://role:password@host/name; better in the variable.",
        envvar="IVR_DATABASE_OWNER",
    ),
]


@app.command()
def upgrade(site: SiteFolder = Path(), owner: Owner = "") -> None:
    """Make the tables, or bring those of an older release up to date; what runs may go on running meanwhile."""
    console = plain_console()
    loaded = load_site(site)
    url = loaded.database_url
    with console.status("Upgrading ..."):
        done = asyncio.run(upgrade_as_owner(owner, serves=url) if owner else store.upgrade(url))
        # Reports are right without, only slower.
        with suppress(DBAPIError):
            on_database(loaded, refresh)
        on_scope(loaded, _registered)
    if done.waits_for:
        console.print(
            f"PostgreSQL does not hold tenants apart yet: engines of an older release are at work"
            f" ({', '.join(done.waits_for)}). Run this again when they have ended."
        )
    if done.before is None:
        console.print(f"The tables are made ({done.after}).")
    elif done.before == done.after:
        console.print(f"The tables are up to date ({done.after}).")
    else:
        console.print(f"The tables are brought up to date ({done.before} to {done.after}).")


@app.command()
def copy(
    context: typer.Context,
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="postgresql://role@host/name; its password in the variable, or as database_password in secrets.toml.",
            envvar="IVR_DATABASE",
        ),
    ],
    site: SiteFolder = Path(),
    owner: Owner = "",
) -> None:
    """Carry all that the site's database holds over into another, and prove that both are equal; the site is down.

    Campaigns then go on from the other database alone. When it is broken off, do it again: it goes on where it was.
    """
    from app.copies.change_over import change_over, settings_for

    console = plain_console(soft_wrap=True)
    loaded = load_site(site)
    given = context.get_parameter_source("to")
    typed = given is not None and given.name == "COMMANDLINE"
    address = _with_password(to, loaded.secrets.database_password.get_secret_value(), typed=typed)
    with console.status("Copying ...") as status:
        done = asyncio.run(
            change_over(loaded, address, owner=owner, told=lambda what: status.update(f"Copying {escape(what)} ..."))
        )
    table = Table("table", box=None, pad_edge=False)
    for header in ("rows here", "rows there"):
        table.add_column(header, justify="right")
    table.add_column("content of both")
    for each in done.tables:
        table.add_row(each.table, f"{each.source.rows:,}", f"{each.target.rows:,}", each.target.digest[:16])
    console.print(table)
    console.print(f"Equal: {len(done.tables)} tables, and the reports of {done.reports} campaigns, counted anew there.")
    database, password = settings_for(loaded, address)
    console.print(f"Now write into ivr.toml: database = {escape(toml(database))}")
    if password != loaded.secrets.database_password.get_secret_value():
        console.print("and the role's password into secrets.toml: database_password.")
    console.print("Then: ivr doctor, ivr up. Campaigns in the database that was copied are not dialled any more.")


def _with_password(to: str, password: str, *, typed: bool) -> str:
    """The address with its password. Raises AuthorError for one that is none, or tells its password to everybody."""
    try:
        url = make_url(to)
    except (ArgumentError, ValueError):
        what, mend = "This is no address of a database.", "Write it as postgresql://role@host/name."
        raise AuthorError(Fault(what=what, where="--to", mend=mend)) from None
    if url.password is not None and typed:
        what = "A password that is typed can be seen by everybody on this machine."
        mend = "Give the address in the variable IVR_DATABASE, or the password in secrets.toml: database_password."
        raise AuthorError(Fault(what=what, where="--to", mend=mend))
    if url.password is None and password and url.get_backend_name() != "sqlite":
        url = url.set(password=password)
    return url.render_as_string(hide_password=False)


async def _registered(_scope: Scope) -> None:
    """The site's tenant has its row when this is asked for."""
