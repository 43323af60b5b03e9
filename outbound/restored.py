"""A database that was put back from an older copy: nobody is dialled twice for it.

Its campaigns are paused. What was dialled since the copy is learned from the database that it replaced, from Asterisk's
records and from the journal; those leads are unknown, and are not dialled again by themselves.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Integer, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from outbound.attempts import lead_of
from outbound.campaigns import MAY_BE_DIALLED
from outbound.gateway.records import Seen, everything
from outbound.plan.outcome import Outcome
from people.store.dialect import never_below
from people.store.machine_tables import restored
from people.store.scope import EveryTenant, Job, Scope
from people.store.tables import DIALLING, WAITING, attempt, call, campaign, contact, lead

log = structlog.get_logger(__name__)

#: campaign.paused_because
RESTORED = "restored"
#: Attempts of releases that did not write the lead into the id.
_NAMELESS = re.compile("a[0-9a-f]{32}")
_CHUNK = 500
#: Leads that wait, or are in a call of the copy's, wait no more.
_OVER = (
    update(lead)
    .where(lead.c.id == bindparam("lead_id"), or_(WAITING, DIALLING))
    .values(state="done", outcome=Outcome.UNKNOWN.value, attempts=lead.c.attempts + bindparam("more", type_=Integer))
)


class Dialled(NamedTuple):
    """An attempt of which something else than the database knows."""

    attempt_id: str
    #: None: whose it was is not known.
    lead_id: int | None
    seen: Seen
    #: E.164, where it is known: a lead of the copy with another number is another's.
    phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What the table `restored` says of one copy."""

    taken_at_ms: int
    #: Attempts made since, which are unknown now.
    found: int
    #: Attempts made since, of people who are in no campaign of the copy.
    strangers: int
    #: People who may have been dialled since without a record.
    unseen: int
    #: False: that is still to be done, before anybody is dialled.
    done: bool


# ------------------------------------------------------------ when it is put back


async def mark_restored(connection: AsyncConnection, *, taken_at_ms: int, now_ms: int) -> None:
    """Pause every campaign that might go on by itself, and let the next start compare before anybody is dialled."""
    await connection.execute(
        update(campaign)
        .where(campaign.c.state.in_(("running", "paused")))
        .values(state="paused", paused_because=RESTORED)
    )
    row = {"taken_at_ms": taken_at_ms, "restored_at_ms": now_ms, "found": 0, "strangers": 0, "unseen": 0}
    await connection.execute(insert(restored).values(row))


async def account(connection: AsyncConnection, attempts: Iterable[Dialled], *, since_ms: int) -> None:
    """Write attempts that the database does not know: their outcome is unknown, and their leads wait no more.

    Those since `since_ms` of people whom the copy does not have are counted. Doing it again changes nothing. Of an
    attempt that is told twice, as by Asterisk's records and by the journal, the first holds.
    """
    found = strangers = highest = 0
    attempts = list({each.attempt_id: each for each in reversed(list(attempts))}.values())
    for start in range(0, len(attempts), _CHUNK):
        chunk = attempts[start : start + _CHUNK]
        known = select(attempt.c.id).where(attempt.c.id.in_([each.attempt_id for each in chunk]))
        there = set((await connection.execute(known)).scalars())
        missing = [each for each in chunk if each.attempt_id not in there]
        leads = await _leads(connection, {each.lead_id for each in missing if each.lead_id is not None})
        ours: dict[int, list[Dialled]] = defaultdict(list)
        for each in missing:
            row = leads.get(each.lead_id or 0)
            highest = max(highest, each.lead_id or 0)
            if row is not None and each.phone in (None, row.phone):
                ours[row.id].append(each)
            else:
                strangers += each.seen.started_at_ms >= since_ms
        if ours:
            await connection.execute(
                insert(attempt), [row for id, its in ours.items() for row in _rows(leads[id], its)]
            )
            await connection.execute(_OVER, [{"lead_id": id, "more": len(its)} for id, its in ours.items()])
            found += sum(map(len, ours.values()))
    # A lead that is made from now on is none of those in the records.
    await never_below(connection, {"lead": highest})
    await connection.execute(
        update(restored)
        .where(restored.c.compared_at_ms.is_(None))
        .values(found=restored.c.found + found, strangers=restored.c.strangers + strangers)
    )


async def _leads(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Any]:
    rows = (
        select(lead.c.id, lead.c.tenant, lead.c.campaign_id, lead.c.attempts, contact.c.phone)
        .outerjoin(contact, contact.c.id == lead.c.contact_id)
        .where(lead.c.id.in_(list(ids)))
    )
    return {row.id: row for row in await connection.execute(rows)}


def _rows(row: Any, its: Sequence[Dialled]) -> list[dict[str, object]]:
    """Attempts of one lead as rows, in the order in which they were made."""
    return [
        {
            "id": each.attempt_id,
            "tenant": row.tenant,
            "campaign_id": row.campaign_id,
            "lead_id": row.id,
            "number": row.attempts + n,
            "planned_at_ms": each.seen.started_at_ms,
            "dialled_at_ms": each.seen.started_at_ms,
            "answered_at_ms": each.seen.answered_at_ms,
            "ended_at_ms": each.seen.ended_at_ms,
            "outcome": Outcome.UNKNOWN.value,
            "settled_by": "cdr",
        }
        for n, each in enumerate(sorted(its, key=lambda each: each.seen.started_at_ms), 1)
    ]


# ------------------------------------------------------------ at the next start


async def compare(database: AsyncEngine, asterisk_log: Path, *, now_ms: int) -> None:
    """Account for what was dialled since the copy, before anybody is dialled; nothing if the database is no copy.

    Raises OSError when Asterisk's records are there and can't be read, SQLAlchemyError for the database.
    """
    pending = restored.c.compared_at_ms.is_(None)
    async with EveryTenant(database, Job.COPIES).begin() as connection:
        since_ms = await connection.scalar(select(func.min(restored.c.taken_at_ms)).where(pending))
    if since_ms is None:
        return
    records = await asyncio.to_thread(everything, asterisk_log)
    dialled = [
        Dialled(id, lead_of(id), seen)
        for id, seen in records.items()
        if lead_of(id) is not None or _NAMELESS.fullmatch(id)
    ]
    # Of one whose id names no lead nobody knows whom it rang.
    nameless = any(each.lead_id is None and each.seen.started_at_ms >= since_ms for each in dialled)
    covered = not nameless and min((seen.started_at_ms for seen in records.values()), default=now_ms) <= since_ms
    async with EveryTenant(database, Job.COPIES).begin() as connection:
        await account(connection, dialled + await _journalled(connection), since_ms=since_ms)
        values: dict[str, object] = {"compared_at_ms": now_ms}
        if not covered:
            values["unseen"] = await _waiting(connection)
        await connection.execute(update(restored).where(pending).values(values))
    log.warning("restored_copy_compared", records=len(records), covered=covered)


async def _journalled(connection: AsyncConnection) -> list[Dialled]:
    """Calls that came of attempts which the database does not have: their journal was read back."""
    rows = select(call.c.attempt_id, call.c.started_at_ms, call.c.answered_at_ms, call.c.ended_at_ms).where(
        call.c.attempt_id.is_not(None), ~exists().where(attempt.c.id == call.c.attempt_id)
    )
    return [
        Dialled(
            row.attempt_id,
            lead_of(row.attempt_id),
            Seen(started_at_ms=row.started_at_ms, answered_at_ms=row.answered_at_ms, ended_at_ms=row.ended_at_ms),
        )
        for row in await connection.execute(rows)
    ]


async def _waiting(connection: AsyncConnection) -> int:
    """People who are dialled as soon as somebody says that their campaign goes on."""
    of_open = select(campaign.c.id).where(campaign.c.state.in_(MAY_BE_DIALLED))
    return await connection.scalar(select(func.count()).where(WAITING, lead.c.campaign_id.in_(of_open))) or 0


# ------------------------------------------------------------ who asks how it stands


async def last_restored(database: AsyncEngine) -> Compared | None:
    """Of the copy that was put back last; None: there was none."""
    async with EveryTenant(database, Job.COPIES).begin() as connection:
        row = (await connection.execute(select(restored).order_by(restored.c.id.desc()).limit(1))).one_or_none()
    if row is None:
        return None
    return Compared(
        taken_at_ms=row.taken_at_ms,
        found=row.found,
        strangers=row.strangers,
        unseen=row.unseen,
        done=row.compared_at_ms is not None,
    )


async def paused_by_restoring(scope: Scope) -> list[str]:
    """Names of the campaigns that wait for a person since."""
    rows = (
        select(campaign.c.name)
        .where(campaign.c.tenant == scope.tenant, campaign.c.state == "paused", campaign.c.paused_because == RESTORED)
        .order_by(campaign.c.id)
    )
    async with scope.begin() as connection:
        return list((await connection.execute(rows)).scalars())
