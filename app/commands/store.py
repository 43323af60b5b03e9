"""`ivr store`: the tables of the site's database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import plain_console
from app.commands.options import SiteFolder
from ivr.settings import load_site
from people.store.roles import upgrade_as_owner

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _about() -> None:
    """The site's database: make its tables, bring them up to date."""


@app.command()
def upgrade(
    owner: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Of the tables' owner in PostgreSQL: postgresql://role:password@host/name; better in the variable.",
            envvar="IVR_DATABASE_OWNER",
        ),
    ],
    site: SiteFolder = Path(),
) -> None:
    """Make the tables as their owner, or bring them up to date, and let the site's own role use them."""
    loaded = load_site(site)
    asyncio.run(upgrade_as_owner(owner, serves=loaded.database_url))
    plain_console().print("The tables are up to date.")
