"""Make the tables, or bring those of an older release up to date: one process at a time, whole or not at all.

Two releases may overlap. A migration says in `serves` which releases may go on using the tables that it leaves: one
that expands (new tables, columns that may be left out, triggers that fill them for whoever knows nothing of them)
serves those before it; one that contracts serves its own release and comes at least one release later.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import Connection, exists, inspect, select, table, text
from sqlalchemy.exc import DBAPIError

from people.store.db import NEWEST, VERSIONS, Revision, WrongTables, make_engine, read_revision, unusable
from people.store.dialect import begin_upgrade, look_for
from people.store.results import metadata
from people.store.tables import migration

#: Releases up to the one with these tables look at Alembic's own table, and take nothing but their own number there.
_LAST_OF_ALEMBIC = "0002"


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    #: None: there were no tables.
    before: str | None
    after: str


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
            if found is not None and found.number >= to:
                return Upgraded(before=found.number, after=found.number)
            await connection.rollback()
            upgraded = await connection.run_sync(_upgrade, to)
            await connection.commit()
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
    _record(connection, to)
    return Upgraded(before=before, after=to)


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


def _record(connection: Connection, to: str) -> None:
    migration.create(connection, checkfirst=True)
    connection.execute(migration.delete())
    rows = [{"revision": each.revision, "serves": each.serves} for each in _migrations(to)]
    connection.execute(migration.insert(), rows)
    newest = Revision(number=rows[-1]["revision"], serves=max(row["serves"] for row in rows))
    told = newest.number if newest.serves > _LAST_OF_ALEMBIC else min(newest.number, _LAST_OF_ALEMBIC)
    connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"))
    connection.execute(text("DELETE FROM alembic_version"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:told)"), {"told": told})
