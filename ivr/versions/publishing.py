"""Make a version of what a site's folder holds, when it has no faults. The folder stays its authors' workplace."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from faults import AuthorError, Fault, MachineError
from ivr.settings import Site
from ivr.versions.folder import Seen, faults_in, hashes, look, unread
from ivr.versions.manifest import hash_of
from people.store.scope import Scope
from people.store.versions import (
    PIECE,
    Version,
    add_content,
    add_version,
    find_version,
    lacking_content,
)
from prompts.cache import write_whole
from prompts.files import open_file

log = structlog.get_logger(__name__)

#: So often it is begun again because files changed while they were read.
_TRIES = 3


class Changing(Exception):
    """A file is not as it was when it was looked at."""


async def publish(scope: Scope, site: Site, *, now_ms: int, known: dict[Seen, str] | None = None) -> Version:
    """The version that the site's folder holds: a new one, or the one that is of the very same files.

    A file of `known` that has not changed since is not read again. Killed at any moment, it leaves no half version.
    Raises AuthorError with every fault of the files, MachineError when they don't stop changing.
    """
    hashed = {} if known is None else known
    for _ in range(_TRIES):
        seen = await asyncio.to_thread(look, site.folder)
        files = await asyncio.to_thread(hashes, seen, hashed)
        version = await find_version(scope, hash=hash_of(files))
        if version is None:
            if faults := await asyncio.to_thread(faults_in, site.folder):
                raise AuthorError(faults)
            with suppress(Changing):
                await _add_contents(scope, {each.path: files[each.name] for each in seen})
                # What was checked is what was kept, too.
                if await asyncio.to_thread(look, site.folder) == seen:
                    version = await add_version(scope, hash_of(files), files, now_ms=now_ms)
                    log.info("version_published", version=version.number, files=len(files))
        if version is not None:
            await asyncio.to_thread(write_whole, _last(site), version.hash.encode())
            return version
    what = "The flows, texts or recordings are being changed, so nothing was published."
    raise MachineError(Fault(what=what, where=site.folder, mend="Try again when they are written."))


async def last_good(scope: Scope, site: Site) -> Version | None:
    """The version that this site published last, else the newest that any site of the tenant did."""
    version = None
    with suppress(OSError):
        version = await find_version(scope, hash=_last(site).read_text("utf-8"))
    return version or await find_version(scope)


def _last(site: Site) -> Path:
    """Where the hash of what this site published last stands."""
    return site.var / "versions" / ("last" if site.machine is None else f"last-{site.settings.tenant}")


async def _add_contents(scope: Scope, files: Mapping[Path, str]) -> None:
    """Raises Changing, AuthorError."""
    lacking = await lacking_content(scope, files.values())
    for path, hash in files.items():
        if hash in lacking:
            lacking.discard(hash)
            await add_content(scope, hash, _pieces(path, hash))


def _pieces(path: Path, hash: str) -> Iterator[bytes]:
    """The content of the file, which has this hash; else raises Changing at the end, and nothing of it is kept."""
    found = hashlib.sha256()
    try:
        with open_file(path) as file:
            # An empty file is a piece, too.
            data = file.read(PIECE)
            yield data
            while data:
                found.update(data)
                if data := file.read(PIECE):
                    yield data
    except OSError as error:
        raise AuthorError(unread(path, error)) from error
    if found.hexdigest() != hash:
        raise Changing
