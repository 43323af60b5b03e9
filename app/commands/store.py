"""`ivr store`: the tables of the site's database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from app.commands.console import plain_console
from app.commands.database import on_database, on_scope
from app.commands.options import SiteFolder
from ivr.settings_files import load_site
from people.store import upgrade as store
from people.store.roles import upgrade_as_owner
from people.store.scope import Scope
from reports.kept import refresh

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _about() -> None:
    """The site's database: make its tables, bring them up to date."""


@app.command()
def upgrade(
    site: SiteFolder = Path(),
    owner: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Of the tables' owner in PostgreSQL: postgresql://role:password@host/name; better in the variable.",
            envvar="IVR_DATABASE_OWNER",
        ),
    ] = "",
) -> None:
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


async def _registered(_scope: Scope) -> None:
    """The site's tenant has its row when this is asked for."""
