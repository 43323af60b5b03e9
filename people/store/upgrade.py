"""Make the tables, or bring those of an older release up to date: one process at a time, whole or not at all.

Two releases may overlap. A migration says in `serves` which releases may go on using the tables that it leaves: one
that expands (new tables, columns that may be left out, triggers that fill them for whoever knows nothing of them)
serves those before it; one that contracts serves its own release and comes at least one release later.

PostgreSQL's policies, which hide every row from who does not say whose it asks for, contract: they are there from 0007
on, and are switched on by the first upgrade that finds no engine of an older release at work.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from sqlalchemy import Connection, exists, func, inspect, select, table, text, update
from sqlalchemy.exc import DBAPIError

from people.store.db import NEWEST, VERSIONS, WrongTables, make_engine, read_revision, unusable
from people.store.dialect import begin_upgrade, clock_ms, look_for, not_held_apart
from people.store.machine_tables import gateway, migration
from people.store.results import metadata

#: Releases up to the one with these tables look at Alembic's own table, and take nothing but their own number there.
_LAST_OF_ALEMBIC = "0002"
#: The first release that says to the database whose rows it asks for.
_FIRST_SCOPED = "0007"


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    #: None: there were no tables.
    before: str | None
    after: str
    #: Gateways whose engines are of a release before 0007: until they end, PostgreSQL does not hold tenants apart.
    waits_for: Sequence[str] = ()


async def upgrade(url: str, *, to: str = NEWEST) -> Upgraded:
    """Give the database at `url` the tables `to`; does nothing when it has them, or newer ones.

    Waits while another process is at it. A failure, or the process's death, leaves the tables as they were. Raises
    AuthorError for a URL that names no database, MachineError when the database refuses.
    """
    engine = make_engine(url)
    try:
        look_for(engine)
        async with engine.connect() as connection:
            found = await connection.run_sync(read_revision)
            if found is None or found.number < to:
                await connection.rollback()
                upgraded = await connection.run_sync(_upgrade, to)
                await connection.commit()
            else:
                upgraded = Upgraded(before=found.number, after=found.number)
            if await connection.run_sync(not_held_apart):
                await connection.rollback()
                waits_for = await connection.run_sync(_hold_apart)
                await connection.commit()
                upgraded = replace(upgraded, waits_for=waits_for)
            return upgraded
    except (DBAPIError, OSError, WrongTables) as error:
        raise unusable(error, url) from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, to: str) -> Upgraded:
    begin_upgrade(connection)
    # Another process may have been at it until now.
    found = read_revision(connection)
    before = found.number if found else None
    if before is not None and before >= to:
        return Upgraded(before=before, after=before)
    # Slow to import, and there is rarely anything to do.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    if before is None:
        _clear(connection)
    with Operations.context(MigrationContext.configure(connection)):
        for each in _migrations(to):
            if before is None or each.revision > before:
                each.upgrade()
    # Switched on, policies stay so.
    held_apart = found is not None and found.serves >= _FIRST_SCOPED
    _record(connection, to, serves=_FIRST_SCOPED if held_apart else "")
    return Upgraded(before=before, after=to)


def _hold_apart(connection: Connection) -> Sequence[str]:
    """Let the policies hold from now on; else the gateways that keep us from it."""
    begin_upgrade(connection)
    at_work = (
        gateway.c.lease_until_ms > clock_ms("postgresql"),
        gateway.c.scoped_epoch.is_distinct_from(gateway.c.epoch),
    )
    older = connection.scalars(select(gateway.c.name).where(*at_work).order_by(gateway.c.name)).all()
    if not older:
        for name in not_held_apart(connection):
            for what in ("ENABLE", "FORCE"):
                connection.execute(text(f'ALTER TABLE "{name}" {what} ROW LEVEL SECURITY'))
        newest = connection.scalar(select(func.max(migration.c.revision)))
        connection.execute(
            update(migration)
            .where(migration.c.revision == newest, migration.c.serves < _FIRST_SCOPED)
            .values(serves=_FIRST_SCOPED)
        )
        _tell_alembic(connection)
    return older


def _migrations(to: str) -> list[ModuleType]:
    names = sorted(path.stem for path in VERSIONS.glob("[0-9]*.py") if path.stem[:4] <= to)
    return [importlib.import_module(f"people.store.migrations.{name}") for name in names]


def _clear(connection: Connection) -> None:
    """Take away what a killed first start of an older release has left: some of its tables, all of them empty.

    Raises WrongTables when there is something in one of them.
    """
    names = {*metadata.tables, "alembic_version"}.intersection(inspect(connection).get_table_names())
    for name in names:
        if connection.scalar(select(exists(select(text("1")).select_from(table(name))))):
            what = "it has rows, and nothing says of which release"
            raise WrongTables(what, "Restore an older copy, or name another database in ivr.toml.")
    # Children before those that they point to.
    for child, _ in reversed(inspect(connection).get_sorted_table_and_fkc_names()):
        if child in names:
            connection.execute(text(f'DROP TABLE "{child}"'))


def _record(connection: Connection, to: str, *, serves: str) -> None:
    """`serves`: the oldest release that may use the tables for another reason than their migrations."""
    migration.create(connection, checkfirst=True)
    connection.execute(migration.delete())
    rows = [{"revision": each.revision, "serves": each.serves} for each in _migrations(to)]
    rows[-1]["serves"] = max(rows[-1]["serves"], serves)
    connection.execute(migration.insert(), rows)
    _tell_alembic(connection)


def _tell_alembic(connection: Connection) -> None:
    newest = read_revision(connection)
    assert newest is not None  # noqa: S101 - they were upgraded
    told = newest.number if newest.serves > _LAST_OF_ALEMBIC else min(newest.number, _LAST_OF_ALEMBIC)
    connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"))
    connection.execute(text("DELETE FROM alembic_version"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:told)"), {"told": told})
