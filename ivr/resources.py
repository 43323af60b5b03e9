"""Where the files that ship with the engine are: shipped flows and Asterisk templates."""

from __future__ import annotations

import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def resource_dir(name: str) -> Path:
    """The shipped folder `name` ("dialplans" or "asterisk-conf"): beside the package, else under the prefix."""
    for folder in (_CHECKOUT / name, Path(sys.prefix) / "share" / "ivr" / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"The shipped folder {name!r} is missing; install the engine again.")
