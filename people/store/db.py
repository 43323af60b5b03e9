"""Open the database and bring its tables up to date: SQLite in WAL mode, or what SQLAlchemy's asyncio speaks."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from faults import AuthorError, Fault, MachineError

_MIGRATIONS = Path(__file__).parent / "migrations"


def prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    """Set up a new connection to SQLite, of whichever driver."""
    cursor = dbapi_connection.cursor()
    # WAL lets reports read while calls are journalled; NORMAL syncs at checkpoints, so a power cut may cost the last
    # group commit but never corrupts; busy_timeout rides out a writer in another process (ivr campaign pause).
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


#: Of each connection to PostgreSQL. An intent to dial must outlive a power cut, whatever the server's default is; a
#: writer waits as long for another as SQLite's does; a transaction that was forgotten lets go of its rows.
POSTGRES_SETTINGS = {
    "application_name": "ivr",
    "synchronous_commit": "on",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
#: To take a connection.
_CONNECT_S = 10.0


_OPTIONS: Mapping[str, dict[str, Any]] = {
    "postgresql": {
        # A server that was started again is no reason for an answered call to fail.
        "pool_pre_ping": True,
        "connect_args": {"timeout": _CONNECT_S, "server_settings": POSTGRES_SETTINGS},
    }
}


#: Of a connection over the network. A machine that is gone says nothing: the kernel asks after it when nothing has come
#: for so many seconds, and gives the connection up after 30. Long queries may take their time.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)


def _prepare_postgres(connection: Any, _record: Any) -> None:
    # The driver has no setting for it.
    link = connection.driver_connection._transport.get_extra_info("socket")
    if link.family != socket.AF_UNIX:
        for option in _KEEPALIVE:
            link.setsockopt(*option)


def row_fault(error: BaseException | None) -> str:
    """What PostgreSQL has against the rows themselves, without a value of theirs; "" when that is not the fault."""
    state = getattr(error, "sqlstate", None) or ""
    # Data exception, integrity constraint violation.
    if not state.startswith(("22", "23")):
        return ""
    place = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
    return f"{type(error).__name__} ({state}){f' of {place}' if place else ''}"


def _hide_values(context: ExceptionContext) -> None:
    """PostgreSQL and its driver quote the values that they refuse, and those are people's numbers."""
    driver: Any = context.original_exception.__cause__
    if told := row_fault(driver):
        driver.detail = None
        for error in (driver, context.original_exception, context.sqlalchemy_exception):
            if error is not None:
                error.args = (told,)


#: What this release's tables are called by Alembic: the number that its newest migration's file begins with.
NEWEST = max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


class NewerTables(Exception):
    """The tables are of a release that came after this one."""


def _upgrade(connection: Connection) -> None:
    """Bring the tables up to date. Raises NewerTables."""
    revision = None
    if inspect(connection).has_table("alembic_version"):
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision == NEWEST:
        return
    # Alembic is slow to import, and there is rarely anything to do.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerTables(str(error)) from error


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


def refusal(error: DBAPIError | OSError | NewerTables, *, where: str = "database") -> Fault:
    """What the database did not do, as the user is told."""
    reason = str(error.orig if isinstance(error, DBAPIError) else error)
    mend = "Check that the folder exists, can be written and has free space (ivr doctor)."
    if where.startswith("postgresql"):
        mend = _POSTGRES_MENDS.get(_state(error), "Start PostgreSQL, or correct the address: database in ivr.toml.")
    if isinstance(error, NewerTables):
        mend = "A newer release has used it: install that release again, or restore an older copy."
    elif re.search("not a database|malformed", reason):
        mend = "Restore it from a copy; or move it away with its -wal and -shm files, and an empty one is made."
    elif "locked" in reason:
        mend = "Another program writes to it; try again when that has ended."
    return Fault(what=f"The database can't be used: {reason}.", where=where, mend=mend)


def make_engine(url: str) -> AsyncEngine:
    """An engine on the database at `url` (`sqlite+aiosqlite:////path/ivr.sqlite3`, `postgresql://user@host/name`).

    Opens nothing yet. Raises AuthorError for a URL that names no database.
    """
    try:
        address = make_url(url)
        if address.drivername in ("postgres", "postgresql"):
            address = address.set(drivername="postgresql+asyncpg")
        # What the database says of a fault goes to the log, and the rows hold people's numbers.
        engine = create_async_engine(address, hide_parameters=True, **_OPTIONS.get(address.get_backend_name(), {}))
    except (SQLAlchemyError, ImportError) as error:
        what = f"The database can't be used: {str(error).rstrip('.')}."
        mend = (
            "Leave it empty for SQLite in var/, or write sqlite+aiosqlite:////path/file or postgresql://user@host/name."
        )
        raise AuthorError(Fault(what=what, where="database in ivr.toml", mend=mend)) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", prepare_sqlite)
    else:
        event.listen(engine.sync_engine, "connect", _prepare_postgres)
        event.listen(engine.sync_engine, "handle_error", _hide_values)
    return engine


async def open_database(url: str) -> AsyncEngine:
    """An engine on the database at `url` with the newest tables.

    Raises AuthorError for a URL that names no database, MachineError when it can't be opened or written: full disk,
    rights, a file that is no database, tables of a newer release.
    """
    engine = make_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except (DBAPIError, OSError, NewerTables) as error:
        await engine.dispose()
        raise MachineError(refusal(error, where=make_url(url).render_as_string(hide_password=True))) from error
    return engine
