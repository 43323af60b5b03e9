"""Where the databases differ, and nowhere else: SQLite, which is the site's own file, and PostgreSQL."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    String,
    Table,
    event,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

#: Another process's upgrade of many millions of rows may take so long.
_UPGRADE_MS = 600_000
#: The advisory lock that upgrades of one database take in turn. Any number that no other program takes.
_UPGRADE_LOCK = 0x1F7_5C4E_3A
#: A report on SQLite has so much memory; 2 MB otherwise.
_ROOMY = "PRAGMA cache_size=-65536"
#: The one that whoever brings results up to date takes.
_TURN_LOCK = 0x1F7_5C4E_3B
#: A writer waits so long for another, in another process.
BUSY_MS = 10_000
#: A change of tables waits so long for those who read them, with everybody else waiting behind it.
_TABLES_WAIT = "10s"

#: Of each connection to PostgreSQL. An intent to dial must outlive a power cut, whatever the server's default is; a
#: writer waits as long for another as SQLite's does; a transaction that was forgotten, as of a process that stands
#: still, lets go of its rows before those who wait for them give up.
POSTGRES_SETTINGS = {
    "application_name": "ivr",
    "synchronous_commit": "on",
    "lock_timeout": f"{BUSY_MS}ms",
    "idle_in_transaction_session_timeout": "8s",
}
#: The setting by which policies know whose rows a transaction sees (people.store.scope).
_WHOSE = "ivr.tenant"
#: To take a connection.
_CONNECT_S = 10.0


#: Of a connection over the network. A machine that is gone says nothing: the kernel asks after it when nothing has come
#: for so many seconds, and gives the connection up after 30. Long queries may take their time.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)


def is_embedded(url: str) -> bool:
    """Whether the database at `url` is a file that the site has for itself."""
    return make_url(url).get_backend_name() == "sqlite"


def sqlite_file(engine: AsyncEngine) -> str | None:
    """The file of an engine on SQLite, or ":memory:"; None: it is on PostgreSQL."""
    return (engine.url.database or ":memory:") if engine.dialect.name == "sqlite" else None


def look_for(engine: AsyncEngine) -> None:
    """Raise OSError when there can be no file for an engine on SQLite.

    Its asyncio driver would answer that from a thread, to a loop that may have ended by then.
    """
    file = sqlite_file(engine)
    if file is not None:
        try:
            sqlite3.connect(file).close()
        except sqlite3.Error as error:
            raise OSError(str(error)) from error


def upsert(table: Table, dialect: str) -> Any:
    """An insert into `table` that knows ON CONFLICT. `dialect` is the database's name: sqlite or postgresql."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    # Slow to import, and seldom in use.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def insert_arrays(table: Table, names: Sequence[str], *, beside: bool) -> Any:
    """For PostgreSQL: an insert of many rows at once, its parameters c0, c1 … an array for each of the columns `names`.

    JSON comes as text. COPY would be as quick, and knows neither ON CONFLICT nor row security. `beside`: rows that are
    there already are passed over.
    """
    from sqlalchemy.dialects import postgresql

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    quote = dialect.identifier_preparer.quote
    arrays, values = [], []
    for place, name in enumerate(names):
        kind = table.c[name].type
        # A cast to a shorter type would cut what is too long for it.
        told = "TEXT" if isinstance(kind, String | JSON) else kind.compile(dialect)
        arrays.append(f"CAST(:c{place} AS {told}[])")
        values.append(f"CAST(c{place} AS {kind.compile(dialect)})" if isinstance(kind, JSON) else f"c{place}")
    columns, aliases = ", ".join(map(quote, names)), ", ".join(f"c{place}" for place in range(len(names)))
    rows = f"SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) AS given ({aliases})"  # noqa: S608
    conflict = " ON CONFLICT DO NOTHING" if beside else ""
    return text(f"INSERT INTO {quote(table.name)} ({columns}) {rows}{conflict}")


def json_keys(dialect: str, column: ColumnElement[Any]) -> ColumnElement[str]:
    """The names in a JSON object, a row each."""
    if dialect == "sqlite":
        return func.json_each(column).table_valued("key", joins_implicitly=True).c.key
    return func.json_object_keys(column)


def json_value(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[str]:
    """What stands under `name` in a JSON object, as text; NULL: nothing does."""
    if dialect == "sqlite":
        # Its paths find no name that is written with escapes, as Cyrillic is.
        each = func.json_each(column).table_valued("key", "value", joins_implicitly=True)
        return select(each.c.value).where(each.c.key == name).correlate(column.table).scalar_subquery()
    return func.json_extract_path_text(column, name)


def with_driver(url: URL) -> URL:
    """`url` with the driver that the engine uses, where it names none."""
    return url.set(drivername="postgresql+asyncpg") if url.drivername in ("postgres", "postgresql") else url


def options(url: URL, *, tenant: str | None = None) -> dict[str, Any]:
    """What an engine for `url` is made with; with a `tenant`, one connection that sees its rows and nobody else's."""
    if url.get_backend_name() != "postgresql":
        return {}
    settings = POSTGRES_SETTINGS if tenant is None else POSTGRES_SETTINGS | {_WHOSE: tenant}
    return {
        # A server that was started again is no reason for an answered call to fail.
        "pool_pre_ping": True,
        "connect_args": {"timeout": _CONNECT_S, "server_settings": settings},
        **({} if tenant is None else {"pool_size": 1, "max_overflow": 0}),
    }


def clock_ms(dialect: str) -> ColumnElement[int]:
    """The database's own clock at the moment at which a statement comes to it: UTC, ms since 1970.

    SQLite's is that of the machine, in thousandths of a second.
    """
    if dialect == "sqlite":
        now = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    else:
        # now() is when the transaction began, which may have waited for a lock since.
        now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    return literal_column(now, BigInteger)


def prepare(engine: AsyncEngine) -> None:
    """Set up every connection that `engine` will make."""
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", prepare_sqlite)
    else:
        event.listen(engine.sync_engine, "connect", _prepare_postgres)
        event.listen(engine.sync_engine, "handle_error", _hide_values)


def prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    """Set up a new connection to SQLite, of whichever driver."""
    cursor = dbapi_connection.cursor()
    # WAL lets reports read while calls are journalled; NORMAL syncs at checkpoints, so a power cut may cost the last
    # group commit but never corrupts; busy_timeout rides out a writer in another process (ivr campaign pause), and
    # comes first, for the change to WAL meets other first starts.
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


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


async def begin_snapshot(connection: AsyncConnection, *, patient: bool = False) -> None:
    """Let every later query of this transaction see the same moment, while calls go on being written.

    `patient`: it may stand still for long between two of them.
    """
    if connection.dialect.name == "sqlite":
        # A few calls out of millions lie far apart.
        await connection.exec_driver_sql(_ROOMY)
        # Python's driver begins a transaction only before a write, so each query would see another moment.
        await connection.exec_driver_sql("BEGIN")
    else:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        if patient:
            await connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


async def begin_alone(connection: AsyncConnection, tables: Iterable[str]) -> None:
    """Begin a transaction that sees one moment, may take its time, and lets nobody else write `tables` meanwhile."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(_ROOMY)
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        await begin_snapshot(connection, patient=True)
        await connection.exec_driver_sql(f"LOCK TABLE {', '.join(tables)} IN SHARE MODE")


async def see_rows_of(connection: AsyncConnection, whose: str) -> None:
    """Let the transaction, which begins with it at the latest, see the rows of this tenant; on SQLite it sees all."""
    if connection.dialect.name != "sqlite":
        await connection.exec_driver_sql(f"SELECT set_config('{_WHOSE}', $1, true)", (whose,))


def seeing_rows_of(whose: str) -> str:
    """PostgreSQL's statement for the same, where one that takes no parameters saves a trip to the server."""
    # A backslash is no escape between standard quotes.
    quoted = whose.replace("'", "''")
    return f"SET LOCAL {_WHOSE} = '{quoted}'"


async def begin_in_turn(connection: AsyncConnection) -> None:
    """Begin a transaction that may write, as soon as no other is in one that was begun so."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        await connection.execute(select(func.pg_advisory_xact_lock(_TURN_LOCK)))


async def sync_commits(connection: AsyncConnection) -> None:
    """Let what this connection commits outlive a power cut. It must not be in a transaction."""
    info = connection.sync_connection.info if connection.sync_connection else {}
    # PostgreSQL syncs every commit.
    if connection.dialect.name == "sqlite" and not info.get("commits_are_synced"):
        await connection.execute(text("PRAGMA synchronous=FULL"))
        await connection.commit()
        info["commits_are_synced"] = True


def begin_upgrade(connection: Connection) -> None:
    """Begin a transaction that may change tables, as soon as no other process is in one. Its end lets the next one in.

    On SQLite nothing looks after foreign keys in it: tables are made anew under their old names.
    """
    if connection.dialect.name == "sqlite":
        for statement in (f"PRAGMA busy_timeout={_UPGRADE_MS}", "PRAGMA foreign_keys=OFF", "BEGIN IMMEDIATE"):
            connection.exec_driver_sql(statement)
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_TABLES_WAIT}'")
        # The owner's rights end at the policies, too.
        connection.exec_driver_sql(f"SET LOCAL {_WHOSE} = '*'")


def not_held_apart(connection: Connection) -> Sequence[str]:
    """Tables whose policy is not switched on, though we may; none on SQLite, which has no policies."""
    if connection.dialect.name == "sqlite":
        return ()
    off = text(
        "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid WHERE p.polname = 'of_tenant'"
        " AND c.relnamespace = current_schema()::regnamespace AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
        " AND pg_has_role(c.relowner, 'USAGE') ORDER BY c.relname"
    )
    return connection.scalars(off).all()


async def begin_loading(connection: AsyncConnection) -> None:
    """Begin to fill a new database, of which nothing is kept if that fails: rows come as they were."""
    if connection.dialect.name == "sqlite":
        for pragma in ("foreign_keys=OFF", "synchronous=OFF"):
            await connection.exec_driver_sql(f"PRAGMA {pragma}")
        await connection.commit()


async def highest_ids(connection: AsyncConnection) -> dict[str, int]:
    """The highest id that each table with ids has given, whether its row is still there or not."""
    if connection.dialect.name == "sqlite":
        there = text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")
        if await connection.scalar(there) is None:
            # Releases before 0003 gave ids again.
            return {}
        found = await connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
        return {name: seq for name, seq in found if seq}
    found = await connection.execute(
        text("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()")
    )
    return {name.removesuffix("_id_seq"): value for name, value in found if value}


async def never_below(connection: AsyncConnection, highest: Mapping[str, int]) -> None:
    """Let ids go on above those of `highest`, by table, in this transaction: none comes back."""
    there = await highest_ids(connection)
    for name, value in highest.items():
        # An id takes 32 bits on PostgreSQL; whatever gave a larger one is none of ours.
        if not there.get(name, 0) < value < 2**31:
            continue
        if connection.dialect.name == "sqlite":
            await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            row = {"name": name, "value": value}
            await connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :value)"), row)
        else:
            # The service may draw ids, not set them.
            draw = text("SELECT max(nextval(pg_get_serial_sequence(:name, 'id'))) FROM generate_series(1, :many)")
            await connection.execute(draw, {"name": name, "many": value - there.get(name, 0)})


async def end_loading(connection: AsyncConnection) -> None:
    """Bring all that was loaded into the database's file, where it has one. It must not be in a transaction."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        await connection.commit()
