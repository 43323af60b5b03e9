"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SiteFolder = Annotated[Path, typer.Option("--site", metavar="DIR", help="The site's folder; default: the current one.")]
TenantName = Annotated[
    str, typer.Option("--tenant", metavar="NAME", envvar="IVR_TENANT", help="Whose; default: the site's own tenant.")
]
