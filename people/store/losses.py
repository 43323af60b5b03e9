"""What the journal could not keep: how many calls it is incomplete of, and whose opt-outs are not on the list."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, case, distinct, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from people.store.persons import NUMBER_DIALLED
from people.store.scope import Scope
from people.store.tables import attempt, call, contact, do_not_call, lead, loss


@dataclass(frozen=True, kw_only=True)
class Missing:
    #: Calls of which lines are missing: what was heard, pressed or asked for there may have been more.
    calls: int = 0
    #: People who asked not to be called again, which could not be kept, and who are not on the do-not-call list.
    opt_outs: int = 0


#: The number that was rung, or rang; None: the call's own row is missing, too.
_PHONE = func.coalesce(contact.c.phone, call.c.phone)
_LOST = (
    loss.outerjoin(attempt, (attempt.c.id == loss.c.attempt_id) & (attempt.c.tenant == loss.c.tenant))
    .outerjoin(lead, (lead.c.id == attempt.c.lead_id) & (lead.c.tenant == attempt.c.tenant))
    .outerjoin(contact, NUMBER_DIALLED)
    .outerjoin(call, (call.c.id == loss.c.call_id) & (call.c.tenant == loss.c.tenant))
)
#: Whoever withholds the number is one person a call.
_PERSON = case((_PHONE.like("+%"), _PHONE), else_=loss.c.call_id)
#: It got there after all, or by another call.
_LISTED = exists(
    select(do_not_call.c.phone).where(
        do_not_call.c.tenant == loss.c.tenant,
        or_(do_not_call.c.phone == _PHONE, do_not_call.c.call_id == loss.c.call_id),
    )
)
_MISSING = (
    select(
        func.count(distinct(case((loss.c.kind != "opt_outs", loss.c.call_id)))).label("calls"),
        func.count(distinct(case(((loss.c.kind == "opt_outs") & ~_LISTED, _PERSON)))).label("opt_outs"),
    )
    .select_from(_LOST)
    .where(loss.c.tenant == bindparam("tenant"))
)
_OF_CAMPAIGN = _MISSING.where(attempt.c.campaign_id == bindparam("campaign_id"))


async def missing_of_tenant(scope: Scope) -> Missing:
    """What is missing of all calls of a tenant, from the beginning."""
    async with scope.begin() as connection:
        row = (await connection.execute(_MISSING, {"tenant": scope.tenant})).one()
    return Missing(calls=row.calls, opt_outs=row.opt_outs)


async def missing_of_campaign(connection: AsyncConnection, scope: Scope, campaign_id: int) -> Missing:
    """What is missing of the calls of a campaign."""
    row = (await connection.execute(_OF_CAMPAIGN, {"tenant": scope.tenant, "campaign_id": campaign_id})).one()
    return Missing(calls=row.calls, opt_outs=row.opt_outs)
