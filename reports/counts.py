"""All that a campaign's report is counted from, in one snapshot: as it is kept, or counted anew as the proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.results import (
    attempt_tally,
    how_many_leads,
    pressed,
    pressed_tally,
    removed,
    result,
    stale,
    tally,
    uncountable,
)
from people.store.scope import Scope
from people.store.tables import refused_row
from reports import recount
from reports.recount import CELL, PRESSED


class Cell(NamedTuple):
    """What some leads of a campaign have come to, all alike: the columns of `tally`."""

    state: str
    outcome: str = ""
    excluded_reason: str = ""
    dialled: int = 0
    verdict: str = ""
    unknown: int = 0
    human_number: int = 0
    human_slot: int = 0
    quartile: int = 0
    stopped_by_key: int = 0
    opted_out: int = 0
    transferred: int = 0
    invalid_key: int = 0
    elsewhere: int = 0
    heard_s: int = -1
    follow_up_step: int = -1


class Pressed(NamedTuple):
    """What some leads pressed or asked for: the columns of `pressed_tally`."""

    kind: str
    node: str
    value: str
    follow_up: int


class Attempts(NamedTuple):
    """Attempts that came to the same: the columns of `attempt_tally`."""

    #: "": in flight
    outcome: str
    #: Quarter of an hour since 1970; -1: not dialled.
    slot: int


#: What of a cell is counted from calls and their journal, as it is without them.
_OF_CALLS: Mapping[str, Any] = {
    name: Cell._field_defaults[name] for name in Cell._fields[Cell._fields.index("quartile") :]
}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How often there is what; never 0."""

    leads: Mapping[Cell, int]
    #: The longest version of the main message that somebody heard something of, ms.
    longest_ms: int
    presses: Mapping[Pressed, int]
    #: Leads that pressed it at least once.
    persons: Mapping[Pressed, int]
    attempts: Mapping[Attempts, int]
    #: First and last dial, UTC ms; None: nobody was dialled.
    first_ms: int | None
    last_ms: int | None
    #: Reason -> rows of the file that never became a lead.
    refused: Mapping[str, int]


async def read_kept(connection: AsyncConnection, scope: Scope, campaign_id: int) -> Counts:
    """What is kept; of leads that are marked, what their rows say now."""

    def its(table: Any) -> Any:
        return (table.c.campaign_id == campaign_id) & (table.c.tenant == scope.tenant)

    marked = countable(scope, campaign_id)
    which = recount.among(marked, scope)
    leads, presses, persons, attempts = Counter[Cell](), Counter[Pressed](), Counter[Pressed](), Counter[Attempts]()
    longest = 0

    async def add_leads(query: Any, sign: int) -> None:
        nonlocal longest
        for *cell, count, longest_ms in await connection.execute(query):
            leads[Cell(*cell)] += sign * count
            longest = max(longest, longest_ms or 0)

    async def add_presses(query: Any, sign: int) -> None:
        for *key, times, count in await connection.execute(query):
            presses[Pressed(*key)] += sign * int(times)
            persons[Pressed(*key)] += sign * count

    await add_leads(_of(tally, *CELL, "leads", "longest_ms").where(its(tally)), 1)
    await add_presses(_of(pressed_tally, *PRESSED, "times", "leads").where(its(pressed_tally)), 1)
    if (await connection.execute(marked.limit(1))).all():
        of_marked = (its(result), result.c.lead_id.in_(marked))
        await add_leads(_cells(result).where(*of_marked), -1)
        await add_leads(_cells(recount.results(which).subquery()), 1)
        of_marked = (its(pressed), pressed.c.lead_id.in_(marked))
        await add_presses(_presses(pressed).where(*of_marked), -1)
        await add_presses(_presses(recount.presses(which).subquery()), 1)
    all_leads = await connection.scalar(how_many_leads(scope, campaign_id)) or 0
    # Whatever happens to a lead marks it, so the others still wait for their first attempt.
    leads[Cell("waiting")] += all_leads - sum(leads.values())
    tries = _of(attempt_tally, "outcome", "slot", "attempts", "first_ms", "last_ms")
    rows = list(await connection.execute(tries.where(its(attempt_tally))))
    rows += await connection.execute(
        select(
            func.coalesce(stale.c.outcome, ""),
            func.coalesce(recount.slot_of(stale.c.dialled_at_ms), -1),
            *(stale.c.attempts, stale.c.dialled_at_ms, stale.c.dialled_at_ms),
        ).where(its(stale), stale.c.attempts != 0)
    )
    for row in rows:
        attempts[Attempts(row[0], row[1])] += row[2]
    return Counts(
        leads=_some(leads),
        longest_ms=longest,
        presses=_some(presses),
        persons=_some(persons),
        attempts=_some(attempts),
        first_ms=min((row[3] for row in rows if row[3] is not None), default=None),
        last_ms=max((row[4] for row in rows if row[4] is not None), default=None),
        refused=await _refused(connection, scope, campaign_id),
    )


def countable(scope: Scope, campaign_id: int) -> Any:
    """A query for the marked leads of which nothing was removed, so that they can be counted anew."""
    gone = uncountable().where(removed.c.campaign_id == campaign_id, removed.c.tenant == scope.tenant)
    return select(stale.c.lead_id).where(
        stale.c.campaign_id == campaign_id, stale.c.tenant == scope.tenant, stale.c.lead_id.not_in(gone)
    )


async def read_anew(connection: AsyncConnection, scope: Scope, campaign_id: int) -> Counts:
    """The same, counted from every attempt, call and line of the campaign."""
    which = recount.of_campaign(scope, campaign_id)
    leads = list(await connection.execute(_cells(recount.results(which).subquery())))
    presses = list(await connection.execute(_presses(recount.presses(which).subquery())))
    attempts = list(await connection.execute(recount.attempts(scope, campaign_id)))
    return Counts(
        leads={Cell(*row[:-2]): row[-2] for row in leads},
        longest_ms=max((row[-1] for row in leads), default=0),
        presses={Pressed(*row[:-2]): int(row[-2]) for row in presses},
        persons={Pressed(*row[:-2]): row[-1] for row in presses},
        attempts={Attempts(*row[:2]): row[2] for row in attempts},
        first_ms=min((row.first for row in attempts if row.first is not None), default=None),
        last_ms=max((row.last for row in attempts if row.last is not None), default=None),
        refused=await _refused(connection, scope, campaign_id),
    )


def without_calls(counts: Counts) -> Counts:
    """What of the counts is counted from attempts and leads alone."""
    leads = Counter[Cell]()
    for cell, number in counts.leads.items():
        leads[cell._replace(**_OF_CALLS)] += number
    return replace(counts, leads=leads, longest_ms=0, presses={}, persons={})


def differences(kept: Counts, anew: Counts) -> Iterator[str]:
    """What is not equal, a sentence each."""
    for name in (field.name for field in fields(Counts)):
        one, other = getattr(kept, name), getattr(anew, name)
        if not isinstance(one, Mapping):
            one, other = {name: one}, {name: other}
        for key in sorted({*one, *other}):
            if one.get(key, 0) != other.get(key, 0):
                what = key if key == name else f"{name}: {key}"
                yield f"{what}: {one.get(key, 0)} kept, {other.get(key, 0)} counted anew"


async def _refused(connection: AsyncConnection, scope: Scope, campaign_id: int) -> dict[str, int]:
    reason = refused_row.c.reason
    its = (refused_row.c.campaign_id == campaign_id, refused_row.c.tenant == scope.tenant)
    query = select(reason, func.count()).where(*its).group_by(reason)
    return dict(map(tuple, await connection.execute(query)))


def _of(table: Any, *names: str) -> Any:
    return select(*(table.c[name] for name in names))


def _cells(rows: Any) -> Any:
    return recount.cells(rows, func.count(), func.coalesce(func.max(rows.c.length_ms), 0))


def _presses(rows: Any) -> Any:
    return recount.same_presses(rows, func.sum(rows.c.times), func.count())


def _some(counted: Counter[Any]) -> dict[Any, int]:
    return {key: count for key, count in counted.items() if count}
