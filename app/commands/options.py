"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SiteFolder = Annotated[Path, typer.Option("--site", metavar="DIR", help="The site's folder; default: the current one.")]
