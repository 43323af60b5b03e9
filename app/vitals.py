"""Whether what a site runs is well: engine, Asterisk, manager interface, journal. It looks from outside, briefly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ivr.asterisk import conf, running
from ivr.settings import Site
from outbound import trunks
from outbound.restored import Compared, last_restored, paused_by_restoring
from people.store.db import open_database
from people.store.losses import Missing, missing_of_tenant
from people.store.scope import Scope

_ANSWER_S = 5.0


class Answer(Enum):
    GOOD = "good"
    #: A process is there, but does not move.
    HANGS = "hangs"
    AWAY = "away"


def engine_state(site: Site, *, now_s: float | None = None) -> Answer:
    """Of the engine, by the file that it renews and the port that it holds."""
    try:
        renewed_s = (site.var / conf.ALIVE).stat().st_mtime
    except OSError:
        return Answer.AWAY
    age_s = (time.time() if now_s is None else now_s) - renewed_s
    if age_s <= conf.stale_after_s(site):
        return Answer.GOOD
    agi = site.settings.agi
    # A killed engine leaves its file, a stopped one still holds its port.
    with contextlib.suppress(OSError), socket.create_connection((agi.host, agi.port), timeout=_ANSWER_S):
        return Answer.HANGS
    return Answer.AWAY


def asterisk_answers(site: Site) -> Answer:
    """Of the site's own Asterisk, by its process and its console."""
    home = conf.site_home(site)
    if running.running_pid(home) is None:
        return Answer.AWAY
    return Answer.GOOD if asyncio.run(running.answers(home, _ANSWER_S)) else Answer.HANGS


def ami_answers(site: Site) -> str:
    """ "" when the manager takes our login; else what is wrong."""
    settings = site.settings.asterisk
    secret = site.secrets.ami_secret.get_secret_value()
    login = f"Action: Login\r\nUsername: {settings.ami_user}\r\nSecret: {secret}\r\nEvents: off\r\n\r\n"
    try:
        with socket.create_connection((settings.ami_host, settings.ami_port), timeout=_ANSWER_S) as link:
            link.sendall(login.encode())
            said, until_s = b"", time.monotonic() + _ANSWER_S
            while b"\r\n\r\n" not in said and len(said) < 10_000:
                link.settimeout(max(0.01, until_s - time.monotonic()))
                data = link.recv(4096)
                if not data:
                    break
                said += data
            link.sendall(b"Action: Logoff\r\n\r\n")
    except TimeoutError:
        return f"no answer within {_ANSWER_S:g} s"
    except OSError as error:
        return str(error.strerror or error)
    if b"Response: Success" in said:
        return ""
    return "the login is refused" if b"Response: Error" in said else "what answers is no Asterisk"


async def missing(site: Site) -> Missing:
    """What the journal could not keep. Raises UserError or DBAPIError when the database can't be read."""
    database = await open_database(site.database_url)
    try:
        return await missing_of_tenant(Scope(database, site.settings.tenant))
    finally:
        await database.dispose()


async def put_back(site: Site) -> tuple[Compared | None, list[str]]:
    """Of the copy that the database was put back from, if any, and campaigns that wait since. Raises as `missing`."""
    database = await open_database(site.database_url)
    try:
        return await last_restored(database), await paused_by_restoring(Scope(database, site.settings.tenant))
    finally:
        await database.dispose()


async def kept_trunks(site: Site) -> list[trunks.Listed]:
    """All trunks of the site's gateway. Raises as `missing`."""
    database = await open_database(site.database_url)
    try:
        return await trunks.listed(database, site)
    finally:
        await database.dispose()


@dataclass(frozen=True, kw_only=True)
class JournalFile:
    """Lines of the journal that are not in the database."""

    path: Path
    lines: int
    what: str
    mend: str
    #: They will not come into it by themselves.
    lost: bool


#: Slots of equal size for opt-outs that the database has not taken; an empty one begins with a zero byte.
RESERVE, _SLOT_BYTES = "opt-outs.reserve", 512
_WAIT = ("lines of calls wait for the database", "They are read back when the engine runs: ivr up.", False)
#: File in var/ -> what its lines are, how to mend it, whether they come into the database by themselves.
_FILES = {
    "journal.jsonl": _WAIT,
    "journal.ahead-1.jsonl": _WAIT,
    "journal.ahead-2.jsonl": _WAIT,
    "journal.rejected.jsonl": (
        "lines of calls were refused by the database",
        "Read the file; an opt-out in it is added by: ivr campaign do-not-call add. Then move the file away.",
        True,
    ),
}


#: An engine that is well leaves lines ahead of the database for a second.
_AHEAD_S = 3.0


def journal_files(site: Site) -> Iterator[JournalFile]:
    """Each file that has lines."""
    for name, (what, mend, lost) in _FILES.items():
        path = site.var / name
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if ".ahead-" in name and time.time() - os.fstat(file.fileno()).st_mtime < _AHEAD_S:
                continue
            if lines := sum(1 for line in file if line.strip()):
                yield JournalFile(path=path, lines=lines, what=what, mend=mend, lost=lost)
    if opt_outs := _in_reserve(site.var / RESERVE):
        what = "people who want no more calls wait for the do-not-call list; nobody is dialled meanwhile"
        mend = "They are put on it when the engine runs: ivr up."
        yield JournalFile(path=site.var / RESERVE, lines=opt_outs, what=what, mend=mend, lost=False)
    wishes = len(list(site.spool.glob("*.json"))) if site.spool.is_dir() else 0
    if wishes:
        what, mend = "wishes to be called back wait to be picked up", "They are picked up when the engine runs: ivr up."
        yield JournalFile(path=site.spool, lines=wishes, what=what, mend=mend, lost=False)


def _in_reserve(path: Path) -> int:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    return sum(data[start] != 0 for start in range(0, len(data), _SLOT_BYTES))
