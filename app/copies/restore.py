"""Put a copy back, into an empty folder or over a site that is down. Nothing of the site changes before all is ready.

What was there is moved aside, never deleted; the journal's files stay, and what they hold is read back at the next
start. Opt-outs and attempts that the present database knows go into the one that replaces it. It starts paused
(outbound.restored).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.copies import backup
from app.copies.archive import sync_folder, writing
from app.copies.down import down
from app.copies.unpacking import Unpacked, unpack
from faults import AuthorError, Fault, MachineError, UserError
from ivr.journal.copying import put_back
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.site import write_secrets
from outbound.gateway.records import Seen
from outbound.restored import Dialled, account, mark_restored
from people.store.copying import Loader, dump, empty
from people.store.db import file_url, make_engine, same_database, unusable
from people.store.dialect import end_loading, highest_ids, is_embedded, never_below, upsert
from people.store.ownership import fence_out_all
from people.store.salvage import Salvage, salvage
from people.store.scope import EveryTenant, Job
from people.store.tables import do_not_call, tenant
from people.store.upgrade import upgrade

#: Attempts of the present database are looked for from so long before the copy on: the clock may have been set since.
_CLOCK_MS = 86_400_000
_ROWS = 500
_STAGING = ".restoring-"


@dataclass(frozen=True, kw_only=True)
class Restored:
    folder: Path
    taken_at_ms: int
    #: Where what was there lies now; None: there was nothing.
    aside: Path | None
    #: Opt-outs that the copy did not have.
    opt_outs: int
    #: What of the present database could not be read, and why.
    unread: tuple[str, ...]
    #: secrets.toml is new: the operator's password must be written into it.
    new_secrets: bool


async def put_copy_back(
    archive: Path,
    folder: Path,
    *,
    now_ms: int,
    key: bytes | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Restored:
    """The site in `folder` as it was when the copy was taken.

    Raises AuthorError for an archive that is none, is cut or changed, or has another key, and for a folder that is
    neither empty nor a site's; MachineError for a site that runs, the database and the disk.
    """
    folder = _checked(folder)
    var = folder / "var"
    try:
        var.mkdir(parents=True, exist_ok=True, mode=0o700)
        with down(var), _staging(var) as staged:
            unpacked = await unpack(archive, staged, key=key, told=told)
            present, (future, new_secrets) = _present_url(folder), _future(folder, unpacked)
            target = future.database_url
            if present is None or not same_database(present, target):
                await _check_empty(target)
            told("what the present database knows")
            known = Salvage() if present is None else await _salvage(present, unpacked.taken_at_ms)
            added = await _ready(unpacked, known, now_ms=now_ms)
            told("the site")
            aside = _Aside(var, now_ms)
            _put_files(unpacked, folder, aside)
            if is_embedded(target):
                replaced = _put_database(unpacked, _file(target), aside)
                # Who was put on the list of the one that was replaced while it was.
                late = Salvage() if replaced is None else await _salvage(file_url(replaced), now_ms)
                added += await _write_opt_outs(target, late)
            else:
                await _replace_rows(unpacked, target, aside, now_ms=now_ms)
            sync_folder(folder)
    except OSError as error:
        what = f"The site can't be written: {error.strerror or error}."
        raise MachineError(Fault(what=what, where=folder, mend="Check the folder's rights and free space.")) from error
    return Restored(
        folder=folder,
        taken_at_ms=unpacked.taken_at_ms,
        aside=aside.folder if aside.folder.exists() else None,
        opt_outs=added,
        unread=tuple(known.unread),
        new_secrets=new_secrets,
    )


# ------------------------------------------------------------ what is there


def _checked(folder: Path) -> Path:
    folder = folder.resolve()
    ours = (backup.SETTINGS, backup.SECRETS, "var")
    if folder.exists() and any(folder.iterdir()) and not any((folder / name).exists() for name in ours):
        what = "The folder is neither empty nor a site's."
        raise AuthorError(Fault(what=what, where=folder, mend="Name a new folder, or a site that is down: --site DIR."))
    return folder


@contextlib.contextmanager
def _staging(var: Path) -> Iterator[Path]:
    """A folder to unpack into, readable by its owner alone; what a restoring that was killed has left is taken away."""
    for left in var.glob(f"{_STAGING}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=var) as name:
        yield Path(name)


def _present_url(folder: Path) -> str | None:
    """Of the database of the site as it is; None: it has none."""
    own = folder / "var" / "ivr.sqlite3"
    with contextlib.suppress(UserError):
        url = load_site(folder).database_url
        if not is_embedded(url):
            return url
        own = _file(url)
    return file_url(own) if own.exists() else None


def _future(folder: Path, unpacked: Unpacked) -> tuple[Site, bool]:
    """The site as it will be, and whether its secrets are new: the copy's, or else those that lie there."""
    private, present = unpacked.site / backup.SECRETS, folder / backup.SECRETS
    new = not private.exists() and not present.exists()
    if new:
        write_secrets(unpacked.site)
    elif not private.exists():
        # Readable by its owner alone.
        private.touch(0o600)
        private.write_bytes(present.read_bytes())
    return load_site(unpacked.site).model_copy(update={"folder": folder}), new


def _file(url: str) -> Path:
    return Path(make_url(url).database or "")


async def _check_empty(url: str) -> None:
    """Raise MachineError when there is something in a database that is not the present site's own."""
    if is_embedded(url):
        there = _file(url).exists()
    else:
        await upgrade(url)
        engine = make_engine(url)
        try:
            async with EveryTenant(engine, Job.COPIES).begin() as connection:
                # A tenant alone has nothing to lose.
                there = any([part.table != tenant.name async for part in dump(connection)])
        except SQLAlchemyError as error:
            raise unusable(error, url) from error
        finally:
            await engine.dispose()
    if there:
        what = "The copy's settings name a database that holds something and is not this site's."
        where = make_url(url).render_as_string(hide_password=True)
        raise MachineError(Fault(what=what, where=where, mend="Restore over the site that it belongs to, or empty it."))


# ------------------------------------------------------------ what it will be


async def _salvage(url: str, taken_at_ms: int) -> Salvage:
    engine = make_engine(url)
    try:
        return await salvage(engine, since_ms=taken_at_ms - _CLOCK_MS)
    finally:
        await engine.dispose()


async def _ready(unpacked: Unpacked, known: Salvage, *, now_ms: int) -> int:
    """Finish the database that was unpacked; how many opt-outs it gets that it did not have."""
    url = file_url(unpacked.database)
    await upgrade(url)
    engine = make_engine(url)
    try:
        async with EveryTenant(engine, Job.COPIES).begin() as connection:
            await never_below(connection, unpacked.highest)
            await never_below(connection, known.highest)
            await fence_out_all(connection, known.epochs)
            await mark_restored(connection, taken_at_ms=unpacked.taken_at_ms, now_ms=now_ms)
            added = await _add_opt_outs(connection, known)
            dialled = [Dialled(row.id, row.lead_id, _seen(row), phone=row.phone) for row in known.attempts]
            await account(connection, dialled, since_ms=unpacked.taken_at_ms)
        async with engine.connect() as connection:
            await end_loading(connection)
    except SQLAlchemyError as error:
        raise unusable(error, url) from error
    finally:
        await engine.dispose()
    return added


def _seen(row: Any) -> Seen:
    began_ms = row.dialled_at_ms or row.planned_at_ms
    return Seen(started_at_ms=began_ms, answered_at_ms=row.answered_at_ms, ended_at_ms=row.ended_at_ms)


async def _write_opt_outs(url: str, known: Salvage) -> int:
    engine = make_engine(url)
    try:
        async with EveryTenant(engine, Job.COPIES).begin() as connection:
            return await _add_opt_outs(connection, known)
    except SQLAlchemyError as error:
        raise unusable(error, url) from error
    finally:
        await engine.dispose()


async def _add_opt_outs(connection: AsyncConnection, known: Salvage) -> int:
    added = 0
    statement = upsert(do_not_call, connection.dialect.name).on_conflict_do_nothing().returning(do_not_call.c.phone)
    for start in range(0, len(known.opt_outs), _ROWS):
        rows = [dict(row._mapping) for row in known.opt_outs[start : start + _ROWS]]
        added += len((await connection.execute(statement, rows)).all())
    return added


# ------------------------------------------------------------ into its place


class _Aside:
    """Where what is replaced goes."""

    def __init__(self, var: Path, now_ms: int) -> None:
        moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        self.folder = var / f"before-restore-{moment}"

    def path(self, name: str) -> Path:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return self.folder / name

    def move(self, path: Path) -> None:
        if path.exists() or path.is_symlink():
            path.rename(self.path(path.name))


def _put_files(unpacked: Unpacked, folder: Path, aside: _Aside) -> None:
    for name in (backup.SETTINGS, backup.SECRETS, *backup.FOLDERS):
        new = unpacked.site / name
        if new.exists():
            aside.move(folder / name)
            new.rename(folder / name)
    for ours, theirs in ((unpacked.spool, folder / "var" / "spool"), (unpacked.audio, folder / "var" / "audio")):
        # What is there is newer, or the very same.
        for path in sorted(ours.rglob("*")) if ours.exists() else ():
            to = theirs / path.relative_to(ours)
            if path.is_file() and not to.exists():
                to.parent.mkdir(parents=True, exist_ok=True)
                path.rename(to)
    put_back(folder / "var", unpacked.journal)


def _put_database(unpacked: Unpacked, path: Path, aside: _Aside) -> Path | None:
    """The last step, and one: before it the site has its present database, and after it the copy's.

    Where the present one is then; None: there was none.
    """
    kept = None
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        # Under both names, so that there is a database at every instant.
        kept = aside.path(path.name)
        try:
            os.link(path, kept)
        except OSError:
            shutil.copyfile(path, kept)
        # Left by one that is damaged: what is whole was read, and its last reader has taken them away.
        for suffix in ("-wal", "-shm"):
            aside.move(path.with_name(path.name + suffix))
    staged = path.with_name(f".{path.name}.restored")
    shutil.move(unpacked.database, staged)
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    staged.replace(path)
    sync_folder(path.parent)
    return kept


async def _replace_rows(unpacked: Unpacked, url: str, aside: _Aside, *, now_ms: int) -> None:
    """Of a database that is no file: in one transaction, when a copy of its present rows lies aside."""
    await upgrade(url)
    theirs, ours = make_engine(url), make_engine(file_url(unpacked.database))
    try:
        with writing(aside.path(f"database{backup.SUFFIX}"), None) as archive:
            await backup.add_database(archive, url, now_ms=now_ms)
            archive.add(f"{backup.FILES}/{backup.SETTINGS}", aside.path(backup.SETTINGS).read_bytes())
        async with (
            EveryTenant(theirs, Job.COPIES).begin() as target,
            EveryTenant(ours, Job.COPIES).snapshot() as source,
        ):
            # Whoever is put on the list at this very moment stays on it.
            await empty(target, but=(do_not_call.name,))
            loader = await Loader.of(target, beside=(do_not_call.name,))
            async for part in dump(source):
                await loader.add(part)
            await loader.end()
            await never_below(target, await highest_ids(source))
    except SQLAlchemyError as error:
        raise unusable(error, url) from error
    finally:
        await theirs.dispose()
        await ours.dispose()
