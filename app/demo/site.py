"""The site of the demo: made anew each time, on ports that are free, its trunk leading to the simulated operator."""

from __future__ import annotations

import shutil
from pathlib import Path

from faults import AuthorError, Fault
from ivr.settings import Site
from ivr.site import free_ports, init_site

_MARK = ".ivr-demo"


def make_site(folder: Path, *, database: str = "") -> Site:
    """A new site in `folder`, in place of an earlier demo's, with SQLite or the database at `database`.

    Raises AuthorError when something else is there.
    """
    if (folder / _MARK).exists():
        shutil.rmtree(folder)
    elif folder.exists():
        mend = "Name another folder: ivr demo DIR."
        raise AuthorError(Fault(what="The folder exists and is no earlier demo.", where=folder, mend=mend))
    folder.mkdir(parents=True)
    chosen = free_ports() | {
        "title": "Бытовая техника",
        "trunk.host": "127.0.0.1",
        "trunk.port": int(str(free_ports()["asterisk.sip_port"])),
        "trunk.caller_id": "+74950000000",
        "asterisk.sip_host": "127.0.0.1",
        "destinations.operator": "+79160000020",
        "outbound.channels": 30,
        "outbound.calls_per_second": 4.0,
        "outbound.ring_s": 8,
        "outbound.max_attempts": 2,
        "outbound.retry_after_s": 5,
    }
    if database:
        chosen["database"] = database
    site = init_site(folder, chosen)
    (folder / _MARK).touch()
    return site
