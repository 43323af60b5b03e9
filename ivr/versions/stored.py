"""A version as a folder like a site's, so that all that reads a site's folder reads it: var/versions/HASH.

What several versions have in common lies on the disk once, in var/versions/content.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from faults import Fault, MachineError, UserError
from ivr.settings import Site
from ivr.versions.manifest import stays_inside
from people.store.scope import Scope
from people.store.versions import Version, find_version, read_content
from prompts.cache import write_whole


async def find(scope: Scope, id: int) -> Version:
    """The version of that number. Raises UserError when there is none."""
    version = await find_version(scope, id=id)
    if version is None:
        mend = "See those that there are with: ivr flow versions."
        raise UserError(Fault(what=f"There is no version {id}.", mend=mend))
    return version


async def folder_of(scope: Scope, site: Site, version: Version) -> Path:
    """The folder of a version, made of the store unless it is there.

    Raises MachineError when the store has not all of it or the disk is full.
    """
    home = site.var / "versions"
    if unsafe := [name for name in version.files if not stays_inside(name)]:
        raise _broken(version, f"a file of it has the name {unsafe[0]!r}")
    for hash in await asyncio.to_thread(_lacking, home, version):
        pieces = [data async for data in read_content(scope, hash)]
        await asyncio.to_thread(_keep, home, version, hash, b"".join(pieces))
    return await asyncio.to_thread(_put_together, home, version)


def _lacking(home: Path, version: Version) -> set[str]:
    """Hashes of what has to be fetched."""
    if (home / version.hash).exists():
        return set()
    return {hash for hash in version.files.values() if not (home / "content" / hash).exists()}


def _keep(home: Path, version: Version, hash: str, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != hash:
        raise _broken(version, "the database has not all of it")
    write_whole(home / "content" / hash, data)


def _put_together(home: Path, version: Version) -> Path:
    """Give each content its name in the version's folder, which is there as a whole or not at all."""
    folder = home / version.hash
    if folder.exists():
        return folder
    try:
        with tempfile.TemporaryDirectory(prefix=".", dir=home, ignore_cleanup_errors=True) as beside:
            made = Path(beside, "version")
            for name, hash in version.files.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                _link(home / "content" / hash, made / name)
            try:
                made.rename(folder)
            except OSError:
                # Whoever else has made it meanwhile made the same.
                if not folder.exists():
                    raise
    except OSError as error:
        what = f"The version can't be written: {error.strerror or error}."
        raise MachineError(Fault(what=what, where=home, mend="Check the folder's rights and free space.")) from error
    return folder


def _link(content: Path, to: Path) -> None:
    try:
        os.link(content, to)
    except OSError:
        # A file system without links.
        shutil.copyfile(content, to)


def _broken(version: Version, why: str) -> MachineError:
    mend = "Restore the database from a copy, or make the campaign again."
    return MachineError(Fault(what=f"Version {version.number} can't be used: {why}.", mend=mend))
