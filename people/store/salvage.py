"""What a database that is about to be replaced still knows: who wants no calls, and who was dialled.

It may be of an older release, or damaged: what can be read is read, of tables that the first release had already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.dialect import highest_ids
from people.store.ownership import read_epochs
from people.store.scope import EveryTenant, Job

_OPT_OUTS = "SELECT tenant, phone, since_ms, source, call_id FROM do_not_call"
_ATTEMPTS = """
SELECT a.id, a.lead_id, c.phone, a.planned_at_ms, a.dialled_at_ms, a.answered_at_ms, a.ended_at_ms
FROM attempt a JOIN lead l ON l.id = a.lead_id LEFT JOIN contact c ON c.id = l.contact_id
WHERE a.planned_at_ms >= :since_ms
"""


@dataclass(kw_only=True)
class Salvage:
    opt_outs: list[Row[Any]] = field(default_factory=list)
    #: id, lead_id, phone, planned_at_ms, dialled_at_ms, answered_at_ms, ended_at_ms
    attempts: list[Row[Any]] = field(default_factory=list)
    #: The highest id given, by table.
    highest: Mapping[str, int] = field(default_factory=dict)
    #: Of each gateway that had an owner.
    epochs: Mapping[str, int] = field(default_factory=dict)
    #: What could not be read to its end, and why.
    unread: list[str] = field(default_factory=list)


async def salvage(database: AsyncEngine, *, since_ms: int) -> Salvage:
    """What is still known; of attempts, those planned from `since_ms` on. Never raises for what can't be read."""
    found = Salvage(epochs=await read_epochs(database))
    await _read(database, "the do-not-call list", _OPT_OUTS, {}, found.opt_outs, found.unread)
    await _read(database, "the attempts", _ATTEMPTS, {"since_ms": since_ms}, found.attempts, found.unread)
    try:
        async with EveryTenant(database, Job.COPIES).begin() as connection:
            found.highest = await highest_ids(connection)
    except (SQLAlchemyError, OSError) as error:
        found.unread.append(f"the ids ({_words(error)})")
    return found


async def _read(
    database: AsyncEngine, name: str, query: str, values: Mapping[str, int], into: list[Row[Any]], unread: list[str]
) -> None:
    try:
        async with (
            EveryTenant(database, Job.COPIES).begin() as connection,
            connection.stream(text(query), values) as rows,
        ):
            async for row in rows:
                into.append(row)
    except (SQLAlchemyError, OSError) as error:
        unread.append(f"{name} ({_words(error)})")


def _words(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)
