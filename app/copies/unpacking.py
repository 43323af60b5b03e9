"""Unpack a copy beside the site: its database whole, its files each in its place, none outside of the folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.copies import backup
from app.copies.archive import pieces
from faults import AuthorError, Fault
from people.store.copying import Loader, Part
from people.store.db import NEWEST, file_url, make_engine, unusable
from people.store.dialect import begin_loading
from people.store.upgrade import upgrade

#: Pieces that are files, and lie where their names say.
_FILES = (backup.FILES, backup.SPOOL, backup.AUDIO)


@dataclass(kw_only=True)
class Unpacked:
    #: Holds all that is unpacked.
    folder: Path
    #: Of the copy's release, until it is brought up to date.
    database: Path
    taken_at_ms: int
    #: The highest id given, by table.
    highest: Mapping[str, int]
    #: Lines of the journal that waited for the database.
    journal: bytes = b""

    @property
    def site(self) -> Path:
        return self.folder / backup.FILES

    @property
    def spool(self) -> Path:
        return self.folder / backup.SPOOL

    @property
    def audio(self) -> Path:
        return self.folder / backup.AUDIO


async def unpack(archive: Path, folder: Path, *, key: bytes | None, told: Callable[[str], None]) -> Unpacked:
    """The whole of `archive` in `folder`, which is empty. Raises AuthorError when it is not whole, and OSError."""
    found = pieces(archive, key)
    name, data = next(found, ("", b""))
    unpacked = _begun(archive, folder, name, data)
    url = file_url(unpacked.database)
    await upgrade(url, to=json.loads(data)["revision"])
    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            await begin_loading(connection)
            loader = await Loader.of(connection)
            await connection.commit()
            for name, data in found:
                told(name.rpartition("/")[0])
                await _put(unpacked, connection, loader, name, data)
            await loader.end()
            await connection.commit()
    except ValueError as error:
        raise _not_ours(archive, str(error)) from error
    except SQLAlchemyError as error:
        raise unusable(OSError(str(getattr(error, "orig", None) or error)), url) from error
    finally:
        found.close()
        await engine.dispose()
    return unpacked


def _begun(archive: Path, folder: Path, name: str, data: bytes) -> Unpacked:
    try:
        about = json.loads(data)
        revision, taken_at_ms, highest = str(about["revision"]), int(about["taken_at_ms"]), dict(about["highest"])
    except (ValueError, KeyError, TypeError) as error:
        raise _not_ours(archive, f"it begins with {name!r}") from error
    if revision > NEWEST:
        what = f"A newer release has taken this copy: its tables are {revision}, and this one knows {NEWEST}."
        raise AuthorError(Fault(what=what, where=archive, mend="Install that release, and restore with it."))
    return Unpacked(folder=folder, database=folder / "database.sqlite3", taken_at_ms=taken_at_ms, highest=highest)


async def _put(unpacked: Unpacked, connection: AsyncConnection, loader: Loader, name: str, data: bytes) -> None:
    """Raises ValueError for a piece that has no place."""
    kind, *inner = PurePosixPath(name).parts
    if kind == backup.TABLES and len(inner) == 2:
        await loader.add(Part(inner[0], data))
        await connection.commit()
    elif name == backup.JOURNAL:
        unpacked.journal = data
    elif kind in _FILES and inner and ".." not in inner and not name.startswith("/"):
        path = unpacked.folder.joinpath(kind, *inner)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600 if inner[-1] == backup.SECRETS else 0o644)
        path.write_bytes(data)
    else:
        raise ValueError(f"it holds {name!r}")


def _not_ours(archive: Path, what: str) -> AuthorError:
    mend = "Restore with the release that took it, or take another copy."
    return AuthorError(Fault(what=f"This copy is not understood: {what}.", where=archive, mend=mend))
