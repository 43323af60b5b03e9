"""Remove rows that are kept no longer, some hundred in a transaction; count them before.

A campaign's figures stay: its attempts are kept, its calls go only when it is over and nothing of it waits to be
counted, and `removed` says until when they are gone. A person goes with one row, whose trigger takes him out of what
stays. Whoever is on the do-not-call list stays on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Update,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.dialect import upsert
from people.store.persons import forgetting
from people.store.results import removed, stale
from people.store.scope import Scope
from people.store.tables import FURTHER, call, campaign, contact, journal, lead, request

#: Rows in a transaction: calls in progress and the dialler get in between.
_BATCH = 500

#: States of a campaign in which nobody of it is dialled any more.
_OVER = ("stopped", "finished")


@dataclass(frozen=True, kw_only=True)
class Chore:
    """Rows of one table that a rule removes, or takes a number out of."""

    #: As people are told: "calls", "people".
    what: str
    #: The table's key, of the rows in question.
    keys: Select[Any]
    #: What is done to those with the keys in a list.
    done: Callable[[list[Any]], list[Update | Delete]]


def chores(kind: str, *, tenant: str, before_ms: int) -> list[Chore]:
    """What a rule of this kind comes to; of files nothing. Calls are those of `begin_removing`."""
    return _CHORES[kind](tenant, before_ms) if kind in _CHORES else []


async def count(connection: AsyncConnection, chore: Chore) -> int:
    """How many rows the chore is about."""
    return await connection.scalar(select(func.count()).select_from(chore.keys.subquery())) or 0


async def begin_removing(connection: AsyncConnection, *, tenant: str, before_ms: int) -> None:
    """Say of campaigns whose calls will go that they will be gone, so that nobody counts them anew as none.

    Marks must be worked off before; a campaign that has one waits for the next time.
    """
    gone = and_(call.c.campaign_id == campaign.c.id, call.c.started_at_ms < before_ms)
    marked = exists().where(stale.c.campaign_id == campaign.c.id)
    which = select(campaign.c.id, campaign.c.tenant, literal(before_ms)).where(
        campaign.c.tenant == tenant, campaign.c.state.in_(_OVER), exists().where(gone), ~marked
    )
    row = upsert(removed, connection.dialect.name).from_select(["campaign_id", "tenant", "before_ms"], which)
    later = case((row.excluded.before_ms > removed.c.before_ms, row.excluded.before_ms), else_=removed.c.before_ms)
    await connection.execute(row.on_conflict_do_update(index_elements=["campaign_id"], set_={"before_ms": later}))


async def apply(scope: Scope, chore: Chore) -> AsyncIterator[int]:
    """Do the chore; how many rows it was in each transaction."""
    while True:
        async with scope.begin() as connection:
            keys = [tuple(row) for row in await connection.execute(chore.keys.limit(_BATCH))]
            if not keys:
                return
            for statement in chore.done([key[0] if len(key) == 1 else key for key in keys]):
                await connection.execute(statement)
        yield len(keys)


async def removed_before(connection: AsyncConnection, scope: Scope, campaign_id: int) -> int | None:
    """The moment before which the campaign's calls were removed; None: all are there."""
    moment: int | None = await connection.scalar(
        select(removed.c.before_ms).where(removed.c.campaign_id == campaign_id, removed.c.tenant == scope.tenant)
    )
    return moment


# ------------------------------------------------------------ what goes


def _old_calls(tenant: str, before_ms: int) -> list[ColumnElement[bool]]:
    """Calls of nobody's campaign, or of one that has said that they will be gone."""
    said = exists().where(removed.c.campaign_id == call.c.campaign_id, removed.c.before_ms >= before_ms)
    return [
        call.c.tenant == tenant,
        call.c.started_at_ms < before_ms,
        or_(and_(call.c.campaign_id.is_(None), call.c.attempt_id.is_(None)), said),
    ]


def _journal(tenant: str, before_ms: int) -> list[Chore]:
    noted = exists().where(journal.c.call_id == call.c.id)
    keys = select(call.c.id).where(*_old_calls(tenant, before_ms), noted)
    return [
        Chore(what="journals of calls", keys=keys, done=lambda ids: [delete(journal).where(journal.c.call_id.in_(ids))])
    ]


def _calls(tenant: str, before_ms: int) -> list[Chore]:
    def done(ids: list[Any]) -> list[Update | Delete]:
        return [delete(journal).where(journal.c.call_id.in_(ids)), delete(call).where(call.c.id.in_(ids))]

    return [Chore(what="calls", keys=select(call.c.id).where(*_old_calls(tenant, before_ms)), done=done)]


def _requests(tenant: str, before_ms: int) -> list[Chore]:
    keys = select(request.c.id).where(request.c.tenant == tenant, request.c.asked_at_ms < before_ms)
    return [Chore(what="requests", keys=keys, done=lambda ids: [delete(request).where(request.c.id.in_(ids))])]


def _people(tenant: str, before_ms: int) -> list[Chore]:
    """People of no campaign that may still dial them, or did since, who did not call since; numbers of others, too."""
    wanted = or_(campaign.c.state.not_in(_OVER), func.coalesce(campaign.c.ended_at_ms, before_ms) >= before_ms)
    his = contact.alias("his")
    of_his = (his.c.tenant == tenant) & or_(his.c.id == contact.c.id, his.c.person_id == contact.c.id)
    since: list[Select[Any]] = [
        select(lead.c.id)
        .join(campaign, campaign.c.id == lead.c.campaign_id)
        .where(lead.c.contact_id == his.c.id, wanted),
        select(call.c.id).where(
            call.c.tenant == tenant, call.c.phone == his.c.phone, call.c.started_at_ms >= before_ms
        ),
        select(request.c.id).where(
            request.c.tenant == tenant, request.c.phone == his.c.phone, request.c.asked_at_ms >= before_ms
        ),
    ]
    heard_of = exists().where(of_his, or_(*(each.correlate(his).exists() for each in since)))
    people = select(contact.c.id).where(
        contact.c.tenant == tenant, ~FURTHER, contact.c.created_at_ms < before_ms, ~heard_of
    )
    open_campaign = exists().where(campaign.c.id == call.c.campaign_id, wanted)
    calls = select(call.c.id).where(
        call.c.tenant == tenant, call.c.started_at_ms < before_ms, call.c.phone != "", ~open_campaign
    )
    asked = select(request.c.id).where(
        request.c.tenant == tenant, request.c.asked_at_ms < before_ms, request.c.phone != ""
    )
    return [
        Chore(
            what="numbers in calls",
            keys=calls,
            done=lambda ids: [update(call).where(call.c.id.in_(ids)).values(phone="")],
        ),
        Chore(
            what="numbers in requests",
            keys=asked,
            done=lambda ids: [update(request).where(request.c.id.in_(ids)).values(phone="", variables={})],
        ),
        Chore(
            what="people",
            keys=people,
            done=lambda ids: [forgetting(tenant, ids)],
        ),
    ]


_CHORES: dict[str, Callable[[str, int], list[Chore]]] = {
    "journal": _journal,
    "calls": _calls,
    "requests": _requests,
    "people": _people,
}
