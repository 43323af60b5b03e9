"""Bring what is kept of results up to date: take marked leads out of the sums, count them anew, add them again.

A result is counted from its lead's rows and never from what has changed, so that lines of the journal may come twice,
late and in any order. Whoever dials and journals only marks (people.store.results), and waits for nobody.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, case, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateTable, DropTable

from outbound.clock import Clock
from outbound.trouble import Trouble
from people.store.dialect import begin_in_turn, upsert
from people.store.direct import Glance
from people.store.results import attempt_tally, pressed, pressed_tally, result, stale, tally, uncountable
from people.store.scope import EveryTenant, Job
from reports import recount
from reports.recount import CELL, PRESSED

#: Marks that are worked off in one transaction: others may write again after a moment.
_CHUNK = 20_000

#: A report counts what was marked since, which is little.
_EVERY_S = 5.0

#: The marks that are being worked off.
_taken = Table(
    "taken",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", String(64), nullable=False),
    Column("campaign_id", Integer, nullable=False),
    Column("lead_id", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outcome", String(16)),
    Column("dialled_at_ms", BigInteger),
    prefixes=["TEMPORARY"],
)
_MARK = [column.name for column in _taken.c]


async def keep_fresh(engine: AsyncEngine, clock: Clock) -> None:
    """Work off the marks as they come, for ever; while the database takes nothing, they wait."""
    trouble = Trouble(event="figures_wait", clock=clock)
    with closing(Glance(engine, "SELECT 1 FROM stale LIMIT 1")) as marks:
        while True:
            try:
                if marks.at_once() != []:
                    await refresh(engine)
                trouble.over()
            except (SQLAlchemyError, OSError) as error:
                trouble.met(error)
            await clock.sleep(clock.to_beat_s(_EVERY_S))


async def refresh(engine: AsyncEngine) -> None:
    """Work off all marks that there are. Raises DBAPIError when the database can't be written now."""
    while await _refresh_some(engine) == _CHUNK:
        pass


async def _refresh_some(engine: AsyncEngine) -> int:
    """How many marks were worked off, in one transaction."""
    everybody = EveryTenant(engine, Job.FIGURES)
    async with everybody.begin() as connection:
        if not (await connection.execute(select(stale.c.id).limit(1))).all():
            return 0
    async with everybody.begin() as connection:
        await begin_in_turn(connection)
        await connection.execute(CreateTable(_taken))
        oldest = select(*(stale.c[name] for name in _MARK)).order_by(stale.c.campaign_id, stale.c.lead_id).limit(_CHUNK)
        taken = await connection.execute(insert(_taken).from_select(_MARK, oldest))
        await connection.execute(delete(stale).where(stale.c.id.in_(select(_taken.c.id))))
        await _add_attempts(connection)
        await connection.execute(delete(_taken).where(_taken.c.lead_id.in_(uncountable())))
        await _add(connection, -1)
        for table, counted in ((result, recount.results), (pressed, recount.presses)):
            await connection.execute(delete(table).where(table.c.lead_id.in_(_ids), table.c.campaign_id.in_(_its)))
            rows = counted(recount.among(_ids)).subquery()
            names = [column.name for column in table.c]
            await connection.execute(insert(table).from_select(names, select(*(rows.c[name] for name in names))))
        await _add(connection, 1)
        await connection.execute(DropTable(_taken))
        return taken.rowcount


_ids = select(_taken.c.lead_id)
_its = select(_taken.c.campaign_id)


async def _add(connection: AsyncConnection, sign: int) -> None:
    """Add the marked leads as they are kept to the sums of their campaigns, or with -1 take them out."""
    for kept, into, same, sums in (
        (result, tally, CELL, {"leads": func.count(), "longest_ms": func.coalesce(func.max(result.c.length_ms), 0)}),
        (pressed, pressed_tally, PRESSED, {"times": func.sum(pressed.c.times), "leads": func.count()}),
    ):
        signed = {name: value if name == "longest_ms" else sign * value for name, value in sums.items()}
        whose = (kept.c.campaign_id, kept.c.tenant)
        columns = [value.label(name) for name, value in signed.items()]
        group = recount.cells if into is tally else recount.same_presses
        rows = group(kept, *columns).add_columns(*whose).group_by(*whose)
        rows = rows.where(kept.c.lead_id.in_(_ids), kept.c.campaign_id.in_(_its))
        await _upsert(connection, into, rows, [*same, *sums, "campaign_id", "tenant"])
        await connection.execute(delete(into).where(into.c.leads == 0, into.c.campaign_id.in_(_its)))


async def _add_attempts(connection: AsyncConnection) -> None:
    rows = (
        select(
            func.coalesce(_taken.c.outcome, ""),
            func.coalesce(recount.slot_of(_taken.c.dialled_at_ms), -1).label("slot"),
            func.sum(_taken.c.attempts),
            func.min(_taken.c.dialled_at_ms),
            func.max(_taken.c.dialled_at_ms),
            _taken.c.campaign_id,
            _taken.c.tenant,
        )
        .where(_taken.c.attempts != 0)
        .group_by(_taken.c.campaign_id, _taken.c.tenant, _taken.c.outcome, "slot")
    )
    names = ["outcome", "slot", "attempts", "first_ms", "last_ms", "campaign_id", "tenant"]
    await _upsert(connection, attempt_tally, rows, names)


async def _upsert(connection: AsyncConnection, table: Table, rows: Any, names: list[str]) -> None:
    """Add `rows` to those of the same key: counts as sums, the least of `first_ms`, the greatest of the other times."""
    new = upsert(table, connection.dialect.name).from_select(names, rows)

    def together(name: str) -> Any:
        was, more = table.c[name], new.excluded[name]
        if not name.endswith("_ms"):
            return was + more
        wins = more < was if name == "first_ms" else more > was
        return case((wins | was.is_(None), more), else_=was)

    sums = [name for name in names if name != "tenant" and not table.c[name].primary_key]
    new = new.on_conflict_do_update(index_elements=list(table.primary_key), set_={n: together(n) for n in sums})
    await connection.execute(new)
