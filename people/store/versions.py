"""Versions of what callers hear, and the content that they name. Both are written once: nothing here changes a row."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, text

from people.store.dialect import upsert
from people.store.scope import Scope
from people.store.tables import content, version

#: Bytes of a piece of content: what is in memory at one time, whatever the file's size.
PIECE = 1024 * 1024
#: Of a tenant's campaigns.
RUNNING_VERSIONS = (
    "SELECT DISTINCT version FROM campaign WHERE tenant = :tenant AND state = 'running' AND version IS NOT NULL"
)
#: Hashes asked for in one query; SQLite takes 32,766 parameters at most.
_CHUNK = 1000


@dataclass(frozen=True, kw_only=True)
class Version:
    """Flows, texts, dictionaries and recordings as they were at one moment."""

    number: int
    #: Of `files` as a whole.
    hash: str
    #: Name of each file, with / between its parts -> hash of its content.
    files: Mapping[str, str]
    published_at_ms: int


async def find_version(scope: Scope, *, id: int | None = None, hash: str | None = None) -> Version | None:
    """The tenant's version of this number, or of this hash; without both the newest. None: there is none."""
    which: list[ColumnElement[bool]] = [version.c.tenant == scope.tenant]
    if id is not None:
        which.append(version.c.id == id)
    if hash is not None:
        which.append(version.c.hash == hash)
    async with scope.begin() as connection:
        row = (await connection.execute(select(version).where(*which).order_by(version.c.id.desc()).limit(1))).first()
    return None if row is None else _version(row)


async def list_versions(scope: Scope) -> list[Version]:
    """The oldest first."""
    async with scope.begin() as connection:
        rows = await connection.execute(select(version).where(version.c.tenant == scope.tenant).order_by(version.c.id))
        return [_version(row) for row in rows]


def _version(row: Any) -> Version:
    return Version(number=row.id, hash=row.hash, files=row.files, published_at_ms=row.published_at_ms)


async def running_versions(scope: Scope) -> frozenset[int]:
    """Those of the tenant's running campaigns."""
    async with scope.begin() as connection:
        return frozenset(await connection.scalars(text(RUNNING_VERSIONS), {"tenant": scope.tenant}))


async def lacking_content(scope: Scope, hashes: Collection[str]) -> set[str]:
    """Those of `hashes` that the tenant has no content of."""
    asked, there = sorted(set(hashes)), set[str]()
    async with scope.begin() as connection:
        for start in range(0, len(asked), _CHUNK):
            known = (content.c.tenant == scope.tenant, content.c.hash.in_(asked[start : start + _CHUNK]))
            there.update(await connection.scalars(select(content.c.hash).where(*known, content.c.piece == 0)))
    return set(asked) - there


async def add_content(scope: Scope, hash: str, pieces: Iterable[bytes]) -> None:
    """Keep the content of one file, in one transaction; where somebody has done so already nothing changes."""
    statement = upsert(content, scope.database.dialect.name).on_conflict_do_nothing()
    async with scope.begin() as connection:
        for number, data in enumerate(pieces):
            await connection.execute(statement, {"tenant": scope.tenant, "hash": hash, "piece": number, "data": data})


async def read_content(scope: Scope, hash: str) -> AsyncIterator[bytes]:
    """The pieces of one file, an empty one's too; none when there is no such content."""
    whose = (content.c.tenant == scope.tenant, content.c.hash == hash)
    # One at a time: a driver holds as many rows as it likes.
    async with scope.begin() as connection:
        for number in itertools.count():
            piece = select(content.c.data).where(*whose, content.c.piece == number)
            if (data := await connection.scalar(piece)) is None:
                return
            yield data


async def add_version(scope: Scope, hash: str, files: Mapping[str, str], *, now_ms: int) -> Version:
    """The version of `files`, whose content is there: a new one, unless somebody has published the very same."""
    row = {"tenant": scope.tenant, "hash": hash, "files": dict(files), "published_at_ms": now_ms}
    async with scope.begin() as connection:
        await connection.execute(upsert(version, scope.database.dialect.name).on_conflict_do_nothing(), row)
    found = await find_version(scope, hash=hash)
    assert found is not None  # noqa: S101 - it was written, by us or before us
    return found
