"""`ivr up`: run a site until it is told to stop, and again when its engine dies."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from app.commands.options import SiteFolder
from app.service import parent


def up(site: SiteFolder = Path()) -> None:
    """Take calls and dial campaigns until Ctrl-C; calls in progress may then finish. Ctrl-C again ends them."""
    if parent.needed():
        status = parent.keep((sys.executable, "-m", "app", "up", "--site", str(site)))
    else:
        # What the engine needs is not loaded by its parent.
        from app.commands.serving import serve

        status = serve(site)
    if status:
        raise typer.Exit(status)
