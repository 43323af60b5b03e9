"""Open the database, whose tables must be ones that this release can use. Nothing here changes them: `upgrade` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from faults import AuthorError, Fault, MachineError
from people.store.dialect import look_for, options, prepare, with_driver
from people.store.machine_tables import migration

VERSIONS = Path(__file__).parent / "migrations"

#: This release's tables: the number that its newest migration's file begins with.
NEWEST = max(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The tables that a database has."""

    #: Of the last migration.
    number: str
    #: The oldest release that may use them, by the number of its own tables.
    serves: str


class WrongTables(Exception):
    """The tables are none that this release can use."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.mend = mend


def read_revision(connection: Connection) -> Revision | None:
    """Which tables the database has; None: none, or those of a first start that was killed."""
    if inspect(connection).has_table(migration.name):
        newest = connection.execute(select(func.max(migration.c.revision), func.max(migration.c.serves))).one()
        return Revision(number=newest[0], serves=newest[1]) if newest[0] else None
    # Of a release that left it to Alembic.
    if inspect(connection).has_table("alembic_version"):
        number = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return Revision(number=number, serves=number) if number else None
    return None


def _check(connection: Connection) -> None:
    """Raises WrongTables."""
    found = read_revision(connection)
    if found is None:
        raise WrongTables("it has no tables yet", "Make them with: ivr store upgrade.")
    if found.number < NEWEST:
        what = f"its tables are those of an older release ({found.number}, and {NEWEST} are needed)"
        raise WrongTables(what, "Bring them up to date with: ivr store upgrade. What runs may go on running.")
    if found.serves > NEWEST:
        what = f"its tables are those of a newer release ({found.number}, and this one knows {NEWEST})"
        raise WrongTables(what, "A newer release has used it: install that release again, or restore an older copy.")


#: By SQLSTATE.
_POSTGRES_MENDS = {
    "28P01": "Write the role's password: database_password in secrets.toml.",
    "28000": "Let the role log in from here (pg_hba.conf, ALTER ROLE ... LOGIN), or name another in ivr.toml.",
    "3D000": "Let its administrator make it: CREATE DATABASE ... OWNER ...; or correct its name in ivr.toml.",
    "42501": "Let the tables' owner give the role its rights: GRANT, as the README shows.",
    "53300": "Raise max_connections of PostgreSQL, or end what holds its connections.",
    "57P03": "PostgreSQL is starting or stopping: try again in a moment.",
    "53100": "Free disk space on the database's machine.",
    "55P03": "Another program holds the tables locked; try again when that has ended.",
}


def _state(error: BaseException) -> str:
    return str(getattr(error.orig.__cause__, "sqlstate", "")) if isinstance(error, DBAPIError) and error.orig else ""


def refusal(error: DBAPIError | OSError | WrongTables, *, where: str = "database") -> Fault:
    """What the database did not do, as the user is told."""
    reason = str(error.orig if isinstance(error, DBAPIError) else error)
    mend = "Check that the folder exists, can be written and has free space (ivr doctor)."
    if where.startswith("postgresql"):
        mend = _POSTGRES_MENDS.get(_state(error), "Start PostgreSQL, or correct the address: database in ivr.toml.")
    if isinstance(error, WrongTables):
        mend = error.mend
    elif re.search("not a database|malformed", reason):
        mend = "Restore it from a copy; or move it away with its -wal and -shm files, and make an empty one: "
        mend += "ivr store upgrade."
    elif "locked" in reason:
        mend = "Another program writes to it; try again when that has ended."
    return Fault(what=f"The database can't be used: {reason}.", where=where, mend=mend)


def file_url(path: Path) -> str:
    """Of SQLite's database in a file."""
    # A % in the folder's name is no escape.
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string()


def make_engine(url: str | URL, *, tenant: str | None = None) -> AsyncEngine:
    """An engine on the database at `url` (`sqlite+aiosqlite:////path/ivr.sqlite3`, `postgresql://user@host/name`).

    With a `tenant` it has one connection, which sees that one's rows from its beginning. Opens nothing yet. Raises
    AuthorError for a URL that names no database.
    """
    try:
        address = with_driver(make_url(url))
        # What the database says of a fault goes to the log, and the rows hold people's numbers.
        engine = create_async_engine(address, hide_parameters=True, **options(address, tenant=tenant))
    except (SQLAlchemyError, ImportError) as error:
        what = f"The database can't be used: {str(error).rstrip('.')}."
        mend = (
            "Leave it empty for SQLite in var/, or write sqlite+aiosqlite:////path/file or postgresql://user@host/name."
        )
        raise AuthorError(Fault(what=what, where="database in ivr.toml", mend=mend)) from error
    prepare(engine)
    return engine


def same_database(one: str, other: str) -> bool:
    """Whether both addresses are of one database, with whichever driver and password."""
    first, second = (with_driver(make_url(url))._replace(password=None) for url in (one, other))
    return first == second


def unusable(error: SQLAlchemyError | OSError | WrongTables, url: str) -> MachineError:
    """The database at `url` can't be used, told without its password."""
    if isinstance(error, SQLAlchemyError) and not isinstance(error, DBAPIError):
        error = OSError(str(error))
    return MachineError(refusal(error, where=make_url(url).render_as_string(hide_password=True)))


async def open_database(url: str) -> AsyncEngine:
    """An engine on the database at `url`, which has tables for this release.

    Raises AuthorError for a URL that names no database, MachineError when it can't be opened or written: full disk,
    rights, a file that is no database, no tables, tables of an older release or of one too new.
    """
    engine = make_engine(url)
    try:
        look_for(engine)
        async with engine.connect() as connection:
            await connection.run_sync(_check)
    except (DBAPIError, OSError, WrongTables) as error:
        await engine.dispose()
        raise unusable(error, url) from error
    return engine
