"""Take a gateway that never comes back out of the account: what it left in flight is unknown, and dialled no more."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import Fault, UserError
from outbound.plan.outcome import Outcome
from people.store.dialect import clock_ms
from people.store.machine_tables import gateway
from people.store.ownership import gateways
from people.store.scope import EveryTenant, Job
from people.store.tables import DIALLING, attempt, lead


async def retire(engine: AsyncEngine, name: str) -> int:
    """How many attempts of the gateway `name` are unknown from now on; an owner of it that wakes up writes nothing.

    Its calls of every tenant. Raises UserError when there is none, or an engine owns it.
    """
    now = clock_ms(engine.dialect.name)
    unsettled = (attempt.c.gateway == name, attempt.c.outcome.is_(None))
    async with EveryTenant(engine, Job.GATEWAYS).begin() as connection:
        free = (gateway.c.name == name, gateway.c.lease_until_ms <= now)
        retired = await connection.execute(
            update(gateway).where(*free).values(epoch=gateway.c.epoch + 1, lease_until_ms=0)
        )
        if retired.rowcount == 1:
            await connection.execute(
                update(lead)
                .where(DIALLING, lead.c.id.in_(select(attempt.c.lead_id).where(*unsettled)))
                .values(state="done", outcome=Outcome.UNKNOWN.value)
            )
            settled = await connection.execute(
                update(attempt)
                .where(*unsettled)
                .values(outcome=Outcome.UNKNOWN.value, settled_by="none", ended_at_ms=now)
            )
            return settled.rowcount
    for each in await gateways(engine):
        if each.name == name:
            mend = "End that ivr up; if the machine is gone, wait until then."
            raise UserError(Fault(what=f"The gateway {name!r} is owned by an engine: {each.told}.", mend=mend))
    raise UserError(Fault(what=f"There is no gateway {name!r}.", mend="See the names with: ivr gateway list."))
