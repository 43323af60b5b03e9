"""Copy a site while it runs: everything that can't be made again, as it is at one moment, into one archive.

copy.json        of which release and moment; the highest ids given
journal.jsonl    lines that wait for the database, and spool/: wishes that wait to be picked up
tables/NAME/N    rows, as people.store.copying has them
site/            ivr.toml, dialplans/, prompts/, tenants/; secrets.toml when that is asked for
audio/           what is made of the texts, under its hash
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.copies.archive import Archive, writing
from faults import AuthorError, Fault
from ivr.journal.copying import lines_in_files
from ivr.settings import Site
from people.store.copying import dump
from people.store.db import WrongTables, make_engine, read_revision, unusable
from people.store.dialect import highest_ids
from people.store.scope import EveryTenant, Job

#: What of a site's folder is copied.
SETTINGS, SECRETS = "ivr.toml", "secrets.toml"
FOLDERS = ("dialplans", "prompts", "tenants")
ABOUT, JOURNAL, TABLES, FILES, SPOOL, AUDIO = "copy.json", "journal.jsonl", "tables", "site", "spool", "audio"
SUFFIX = ".ivrcopy"


@dataclass(frozen=True, kw_only=True)
class Taken:
    path: Path
    #: Of the archive.
    size: int
    #: Settings, flows, texts, recordings.
    files: int
    #: Files of made audio.
    audio: int


async def take(
    site: Site,
    to: Path,
    *,
    now_ms: int,
    key: bytes | None = None,
    secrets: bool = False,
    audio: bool = True,
    told: Callable[[str], None] = lambda _: None,
) -> Taken:
    """A copy of `site` at `to`: a new file, or a folder that gets one named after tenant and moment (UTC).

    Raises AuthorError when the file is there already, MachineError for the database and the disk; then there is none.
    """
    to = _named(to, site.settings.tenant, now_ms)
    counts: Counter[str] = Counter()
    with writing(to, key) as archive:
        # Before the database: a line that waits goes from its file to the database, never back.
        lines = lines_in_files(site.var)
        wishes = list(_files(site.spool))
        await add_database(archive, site.database_url, now_ms=now_ms, told=told)
        archive.add(JOURNAL, lines)
        for name, data in wishes:
            archive.add(f"{SPOOL}/{name}", data)
        told("files")
        for name, data in _site_files(site.folder, secrets=secrets):
            archive.add(f"{FILES}/{name}", data)
            counts["files"] += 1
        if audio:
            told("audio")
            for name, data in _files(site.audio):
                archive.add(f"{AUDIO}/{name}", data)
                counts["audio"] += 1
    return Taken(path=to, size=to.stat().st_size, files=counts["files"], audio=counts["audio"])


def _named(to: Path, tenant: str, now_ms: int) -> Path:
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return to / f"{tenant}-{moment}{SUFFIX}" if to.is_dir() else to


async def add_database(
    archive: Archive, url: str, *, now_ms: int, told: Callable[[str], None] = lambda _: None
) -> None:
    """Every row of the database at `url`, of whichever release its tables are. Raises MachineError."""
    database = make_engine(url)
    parts: Counter[str] = Counter()
    try:
        async with EveryTenant(database, Job.COPIES).snapshot() as connection:
            found = await connection.run_sync(read_revision)
            if found is None:
                raise WrongTables("it has no tables yet", "Make them with: ivr store upgrade.")
            about = {"revision": found.number, "taken_at_ms": now_ms, "highest": await highest_ids(connection)}
            archive.add(ABOUT, json.dumps(about).encode())
            async for part in dump(connection):
                told(part.table)
                archive.add(f"{TABLES}/{part.table}/{parts[part.table]:06}", part.data)
                parts[part.table] += 1
    except (DBAPIError, WrongTables) as error:
        raise unusable(error, url) from error
    finally:
        await database.dispose()


def _site_files(folder: Path, *, secrets: bool) -> Iterator[tuple[str, bytes]]:
    for name in (SETTINGS, SECRETS) if secrets else (SETTINGS,):
        yield name, _read(folder / name)
    for name in FOLDERS:
        yield from ((f"{name}/{inner}", data) for inner, data in _files(folder / name))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name within `folder` and content of every regular file, links followed; what goes away meanwhile is left out."""
    seen = set[str]()
    for path, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(path)
        # A link may lead to a folder above itself.
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        # Hidden files are halves of what is being written.
        for name in sorted(name for name in names if not name.startswith(".")):
            file = Path(path, name)
            try:
                if file.is_file():
                    yield str(file.relative_to(folder)), _read(file)
            except FileNotFoundError:
                continue


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        fault = Fault(what=f"The file can't be read: {error.strerror}.", where=path, mend="Check its rights.")
        raise AuthorError(fault) from error
