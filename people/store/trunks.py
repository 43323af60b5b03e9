"""The rows of trunks: read, put, taken away. What is in them is ivr.settings.Trunk's to check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.dialect import upsert
from people.store.machine_tables import trunk

Source = Literal["file", "command"]

#: Of every gateway.
EVERY = ""


@dataclass(frozen=True, kw_only=True)
class TrunkRow:
    #: EVERY: all that have none of their own of this name.
    gateway: str
    name: str
    source: Source
    settings: Mapping[str, Any]


async def trunk_rows(connection: AsyncConnection) -> Sequence[TrunkRow]:
    """Of all gateways, by gateway and name."""
    rows = select(trunk).order_by(trunk.c.gateway, trunk.c.name)
    return [
        TrunkRow(gateway=row.gateway, name=row.name, source=row.source, settings=row.settings)
        for row in await connection.execute(rows)
    ]


async def put_trunk(connection: AsyncConnection, row: TrunkRow, *, now_ms: int) -> None:
    """Write the row, new or instead of the one that is there."""
    values = {"source": row.source, "settings": dict(row.settings), "changed_at_ms": now_ms}
    new = upsert(trunk, connection.dialect.name).values(gateway=row.gateway, name=row.name, **values)
    await connection.execute(new.on_conflict_do_update(index_elements=[trunk.c.gateway, trunk.c.name], set_=values))


async def take_trunk_away(connection: AsyncConnection, row: TrunkRow) -> None:
    await connection.execute(delete(trunk).where(trunk.c.gateway == row.gateway, trunk.c.name == row.name))
