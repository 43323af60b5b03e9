"""A campaign's figures by hour, day, language, or a column of its contacts file, each line with one denominator.

Of the rows that are kept of each lead. By language and column a line is of people dialled; by hour and day of the
attempts dialled then, and its figures of people whose first human answer was one of them. So lines add up to the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, case, cast, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from faults import Fault, UserError
from outbound.plan.outcome import Outcome
from people.store.dialect import json_keys, json_value
from people.store.results import result
from people.store.scope import Scope
from people.store.tables import lead
from reports import recount
from reports.by_time import SLOT_MS
from reports.chosen import find_campaign
from reports.counts import countable, read_kept
from reports.metrics import refresh_when_much
from reports.rate import Rate

#: The largest values that have a line of their own; the rest is one line.
MOST = 50
TIMES = ("hour", "day")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Everything is a share of the dialled: people, or by hour and day attempts."""

    #: "14", "2026-11-20", "ru", what stands in the column; "": nothing does.
    value: str
    dialled: int
    reached: Rate
    listened: Rate
    follow_up: Rate
    opted_out: Rate


#: Figures of a line, in their order.
FIGURES = tuple(field.name for field in fields(Slice) if field.name not in ("value", "dialled"))


@dataclass(frozen=True, kw_only=True)
class Slices:
    campaign: str
    #: hour, day, language, or the column.
    by: str
    #: UTC ms
    as_of_ms: int
    #: In the order of time, or the largest first.
    slices: tuple[Slice, ...]
    #: All further values as one, with "" for its value, and how many they are; None: there are none.
    others: Slice | None = None
    other_values: int = 0


async def compute_slices(scope: Scope, *, campaign_name: str, by: str, zone: ZoneInfo, now_ms: int) -> Slices:
    """Raises UserError when the tenant has no such campaign, or the campaign no such column."""
    await refresh_when_much(scope, campaign_name)
    async with scope.snapshot() as connection:
        found = await find_campaign(connection, scope, campaign_name)
        if by in TIMES:
            return await _by_time(connection, scope, found, by, zone, now_ms)
        value: Any = lead.c.language
        if by != "language":
            value = json_value(connection.dialect.name, lead.c.variables, by)
            await _check(connection, scope, found.id, by)
        slices, others, values = await _largest(_by_value(connection, scope, found.id, func.coalesce(value, "")))
    return Slices(campaign=found.name, by=by, as_of_ms=now_ms, slices=slices, others=others, other_values=values)


def _slice(value: str, counts: Sequence[int]) -> Slice:
    dialled, *parts = counts
    rates = {name: Rate(part, dialled) for name, part in zip(FIGURES, parts, strict=True)}
    return Slice(value=value, dialled=dialled, **rates)


async def _by_time(
    connection: AsyncConnection, scope: Scope, found: Any, by: str, zone: ZoneInfo, now_ms: int
) -> Slices:
    counts = await read_kept(connection, scope, found.id)
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * (1 + len(FIGURES)))

    def add(slot: int, *more: int) -> None:
        local = datetime.fromtimestamp(slot * SLOT_MS // 1000, UTC).astimezone(zone)
        key = f"{local.hour:02}" if by == "hour" else local.date().isoformat()
        sums[key] = [a + b for a, b in zip(sums[key], more, strict=True)]

    for tried, number in counts.attempts.items():
        if tried.slot >= 0:
            add(tried.slot, number, 0, 0, 0, 0)
    for cell, number in counts.leads.items():
        if cell.verdict == Outcome.HUMAN:
            done = (cell.quartile == 5, cell.follow_up_step >= 0, cell.opted_out)
            add(cell.human_slot, 0, number, *(number * bool(each) for each in done))
    slices = tuple(_slice(value, counted) for value, counted in sorted(sums.items()))
    return Slices(campaign=found.name, by=by, as_of_ms=now_ms, slices=slices)


async def _by_value(
    connection: AsyncConnection, scope: Scope, campaign_id: int, value: Any
) -> AsyncIterator[tuple[str, list[int]]]:
    """Each value with its counts, the largest first."""
    names = ("lead_id", "dialled", "verdict", "quartile", "follow_up_at_ms", "opted_out")
    marked = countable(scope, campaign_id)
    kept = select(*(result.c[name] for name in names)).where(
        result.c.campaign_id == campaign_id, result.c.tenant == scope.tenant, result.c.lead_id.not_in(marked)
    )
    anew = recount.results(recount.among(marked, scope)).subquery()
    rows = union_all(kept, select(*(anew.c[name] for name in names))).subquery("came_to")
    human = rows.c.verdict == Outcome.HUMAN.value
    figures = (
        rows.c.dialled > 0,
        human,
        human & (rows.c.quartile == 5),
        human & rows.c.follow_up_at_ms.is_not(None),
        human & (rows.c.opted_out > 0),
    )
    counts = [cast(func.sum(case((each, 1), else_=0)), Integer) for each in figures]
    query = (
        select(value.label("value"), *(each.label(f"n{place}") for place, each in enumerate(counts)))
        .select_from(rows)
        .join(lead, (lead.c.id == rows.c.lead_id) & (lead.c.tenant == scope.tenant))
        .group_by("value")
    ).subquery()
    dialled = query.c.n0
    ordered = select(query).where(dialled > 0).order_by(dialled.desc(), query.c.value)
    async with connection.stream(ordered.execution_options(yield_per=1000)) as found:
        async for said, *numbers in found:
            yield said, numbers


async def _largest(
    found: AsyncIterator[tuple[str, list[int]]],
) -> tuple[tuple[Slice, ...], Slice | None, int]:
    slices: list[Slice] = []
    rest, values = [0] * (1 + len(FIGURES)), 0
    async for value, counts in found:
        if len(slices) < MOST:
            slices.append(_slice(value, counts))
        else:
            rest, values = [a + b for a, b in zip(rest, counts, strict=True)], values + 1
    return tuple(slices), _slice("", rest) if values else None, values


async def _check(connection: AsyncConnection, scope: Scope, campaign_id: int, column: str) -> None:
    """Raise UserError when nobody of the campaign has something in that column."""
    its = (lead.c.campaign_id == campaign_id) & (lead.c.tenant == scope.tenant)
    value = json_value(connection.dialect.name, lead.c.variables, column)
    there = select(lead.c.id).where(its, value.is_not(None)).limit(1)
    if await connection.scalar(there) is not None:
        return
    keys = select(json_keys(connection.dialect.name, lead.c.variables)).where(its).distinct()
    columns = sorted((await connection.execute(keys)).scalars())
    mend = f"Name one of these: {', '.join((*TIMES, 'language', *columns))}."
    raise UserError(Fault(what=f"The campaign's contacts have no column {column!r}.", where="--by", mend=mend))
