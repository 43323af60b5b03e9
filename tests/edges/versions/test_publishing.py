"""Versions in the store: each once, whole, never changed; from a site's folder to it, and back into a folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, func, select, update
from sqlalchemy.exc import DBAPIError

from faults import AuthorError, MachineError
from ivr.settings import Site
from ivr.versions.folder import look
from ivr.versions.publishing import last_good, publish
from ivr.versions.stored import folder_of
from people.store import versions
from people.store.scope import Scope
from people.store.tables import content, version
from tests.edges.versions.shop import OFFER, make_shop, say

pytestmark = pytest.mark.both_databases


async def count(scope: Scope, table: Any) -> int:
    async with scope.begin() as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0


async def numbers(scope: Scope) -> list[int]:
    return [each.number for each in await versions.list_versions(scope)]


def files_of(site: Site) -> dict[str, bytes]:
    return {each.name: each.path.read_bytes() for each in look(site.folder)}


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_the_same_is_published_once_and_comes_back_as_it_was(site: Site, scope: Scope) -> None:
    (site.folder / "prompts/texts/en.yaml").write_bytes(b"")
    (site.folder / "prompts/dictionary").mkdir()
    (site.folder / "prompts/dictionary/ru.yaml").write_text("Sony: Сони\n", "utf-8")
    first = await publish(scope, site, now_ms=1)
    assert await publish(scope, site, now_ms=2) == first
    os.utime(site.folder / OFFER)
    assert await publish(scope, site, now_ms=3) == first
    folder = await folder_of(scope, site, first)
    assert files_in(folder) == files_of(site)
    assert await folder_of(scope, site, first) == folder


async def test_a_file_of_several_pieces_is_whole(site: Site, scope: Scope, tmp_path: Path) -> None:
    data = os.urandom(2 * versions.PIECE + 5)
    pieces = (data[start : start + versions.PIECE] for start in range(0, len(data), versions.PIECE))
    await versions.add_content(scope, "of-it", pieces)
    # Again, by somebody who did not know.
    await versions.add_content(scope, "of-it", [b"other"])
    assert b"".join([piece async for piece in versions.read_content(scope, "of-it")]) == data
    assert [piece async for piece in versions.read_content(Scope(scope.database, "another"), "of-it")] == []
    assert await versions.lacking_content(scope, ["of-it", "none"]) == {"none"}
    assert await versions.lacking_content(Scope(scope.database, "another"), ["of-it"]) == {"of-it"}


async def test_versions_share_what_they_have_in_common(site: Site, scope: Scope) -> None:
    first = await publish(scope, site, now_ms=1)
    kept = await count(scope, content)
    say(site, "Телевизор ещё дешевле.")
    second = await publish(scope, site, now_ms=2)
    assert second.number > first.number
    assert await count(scope, content) == kept + 1
    one, two = await folder_of(scope, site, first), await folder_of(scope, site, second)
    assert (one / OFFER).read_bytes() != (two / OFFER).read_bytes() == (site.folder / OFFER).read_bytes()
    assert (one / "dialplans/promo.yaml").stat().st_ino == (two / "dialplans/promo.yaml").stat().st_ino
    # What is as it was has its number again.
    say(site, "Телевизор дешевле.")
    assert await publish(scope, site, now_ms=3) == first
    assert await last_good(scope, site) == first


async def test_what_has_faults_is_not_published(site: Site, scope: Scope) -> None:
    assert await last_good(scope, site) is None
    good = await publish(scope, site, now_ms=1)
    (site.folder / "dialplans/hotline.yaml").write_text("flow: hotline\nkind: nothing\n", "utf-8")
    (site.folder / OFFER).write_text("promo: {offer: ''}\n", "utf-8")
    with pytest.raises(AuthorError, match="has no words"):
        await publish(scope, site, now_ms=2)
    assert await numbers(scope) == [good.number]
    assert await last_good(scope, site) == good


async def test_nothing_of_a_version_can_be_changed(site: Site, scope: Scope) -> None:
    published = await publish(scope, site, now_ms=1)
    for change in (
        update(version).values(files={}),
        update(version).values(published_at_ms=2),
        update(content).values(data=b"other"),
    ):
        with pytest.raises(DBAPIError, match="never changes"):
            async with scope.begin() as connection:
                await connection.execute(change)
    assert await versions.find_version(scope, id=published.number) == published


async def test_two_who_publish_at_once(site: Site, scope: Scope, tmp_path: Path) -> None:
    other = make_shop(tmp_path / "other")
    same = await asyncio.gather(*(publish(scope, one, now_ms=1) for one in (site, other, site, other)))
    assert len({each.number for each in same}) == 1
    say(site, "Один.")
    say(other, "Два.")
    one, two = await asyncio.gather(publish(scope, site, now_ms=2), publish(scope, other, now_ms=2))
    assert one.number != two.number
    assert await numbers(scope) == sorted({same[0].number, one.number, two.number})
    assert (await last_good(scope, site), await last_good(scope, other)) == (one, two)
    for each in (one, two):
        assert files_in(await folder_of(scope, site, each)).keys() == each.files.keys()


@contextlib.contextmanager
def dying_at(statement: int) -> Iterator[list[str]]:
    """The so many-th statement that writes is the last: nothing of its transaction is kept."""
    written: list[str] = []

    def look(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("INSERT"):
            written.append(sql)
            if len(written) == statement:
                raise OSError(28, "the process is killed here")

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield written
    finally:
        event.remove(Engine, "before_cursor_execute", look)


async def test_a_death_at_any_moment_leaves_no_half_version(site: Site, scope: Scope) -> None:
    with dying_at(0) as written:
        last = await publish(scope, site, now_ms=1)
    assert len(written) > len(last.files)
    for statement in (1, len(written) // 2, len(written)):
        async with scope.begin() as connection:
            for table in (content, version):
                await connection.execute(delete(table))
        with dying_at(statement), pytest.raises(OSError, match="killed"):
            await publish(scope, site, now_ms=1)
        assert await numbers(scope) == []
        again = await publish(scope, site, now_ms=2)
        assert await versions.lacking_content(scope, again.files.values()) == set()


async def test_files_that_change_while_they_are_read_are_not_published(
    site: Site, scope: Scope, tmp_path: Path
) -> None:
    edits = iter(range(1000))

    def edit(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("INSERT"):
            say(site, f"Правка {next(edits)}.")

    event.listen(Engine, "before_cursor_execute", edit)
    try:
        with pytest.raises(MachineError, match="are being changed"):
            await publish(scope, site, now_ms=1)
    finally:
        event.remove(Engine, "before_cursor_execute", edit)
    assert await numbers(scope) == []
    assert await publish(scope, site, now_ms=1)


async def test_a_version_that_the_store_has_not_all_of_is_no_folder(site: Site, scope: Scope) -> None:
    published = await publish(scope, site, now_ms=1)
    async with scope.begin() as connection:
        await connection.execute(delete(content).where(content.c.hash == published.files[OFFER]))
    for _ in range(2):
        with pytest.raises(MachineError, match="the database has not all of it"):
            await folder_of(scope, site, published)
