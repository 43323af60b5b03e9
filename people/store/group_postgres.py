"""The journal's lines into PostgreSQL, on a connection and a loop of its thread's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.calls import JOURNAL_COLUMNS, JournalStatements
from people.store.dialect import POSTGRES_SETTINGS, row_fault, seeing_rows_of
from people.store.group_commit import Group, NotNow, Refused, of_each_tenant

#: For the server to take a connection, or to answer.
_PATIENCE_S = 10.0
#: To take leave of it; then the connection is dropped.
_GOODBYE_S = 1.0


class PostgresWriter:
    """Neither a pool that is empty nor a busy loop keeps the journal waiting."""

    def __init__(self, database: AsyncEngine) -> None:
        self._arguments = {
            **database.dialect.create_connect_args(database.url)[1],
            "timeout": _PATIENCE_S,
            "command_timeout": _PATIENCE_S,
            "server_settings": POSTGRES_SETTINGS | {"application_name": "ivr-journal"},
        }
        self._runner: asyncio.Runner | None = None
        self._connection: Any = None
        statements = JournalStatements.of("postgresql")
        self._sql: dict[str, tuple[str, Sequence[str]]] = {}
        for kind, columns in JOURNAL_COLUMNS.items():
            compiled: Any = statements.of_kind(kind).compile(dialect=database.dialect, column_keys=list(columns))
            self._sql[kind] = str(compiled), compiled.positiontup

    def write(self, group: Group) -> None:
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            self._runner.run(self._commit(group))
        except (TypeError, ValueError, OverflowError) as error:
            raise Refused(type(error).__name__) from None
        except asyncpg.PostgresError as error:
            if row_fault(error):
                raise Refused(row_fault(error)) from None
            self.close()
            raise NotNow(str(error)) from error
        except (asyncpg.InterfaceError, OSError) as error:
            self.close()
            raise NotNow(str(error) or type(error).__name__) from error

    async def _commit(self, group: Group) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(**self._arguments)
        # Whoever was told that no call will come again must not be called after a power cut either.
        synchronous = "on" if group.get("opt_outs") else "off"
        begin = f"BEGIN; SET LOCAL synchronous_commit = {synchronous}; "
        try:
            for tenant, its in of_each_tenant(group):
                # One trip for both, as a rule: a site's lines are of one tenant.
                await self._connection.execute(begin + seeing_rows_of(tenant))
                begin = ""
                for kind, rows in its.items():
                    sql, names = self._sql[kind]
                    await self._connection.executemany(sql, [[_plain(row[name]) for name in names] for row in rows])
            await self._connection.execute("COMMIT")
        except BaseException:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        runner, self._runner = self._runner, None
        connection, self._connection = self._connection, None
        if runner is None:
            return
        with runner, suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            if connection is not None:
                runner.run(connection.close(timeout=_GOODBYE_S))


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, Mapping) else value
