"""Say why a person of a campaign is dialled now or not: the rows, put to the same decision as the dialler's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from faults import Fault, UserError
from ivr.trunks import SiteTrunk, carrying
from outbound import campaigns
from outbound.plan.decide import CampaignRules, Caps, Decision, Lead, Person, decide
from people.store.persons import REFUSED, person_with
from people.store.scope import Scope
from people.store.tables import attempt, campaign, contact, lead
from people.tenants import limits_of


@dataclass(frozen=True, kw_only=True)
class Why:
    decision: Decision
    #: Attempts so far, and those of them that count.
    attempts: int
    spent: int
    #: Of the last settled attempt that was the person's.
    outcome: str | None
    #: By which the last attempt went.
    trunk: str | None


async def explain(scope: Scope, *, name: str, phone: str, trunks: Sequence[SiteTrunk], now_ms: int) -> Why:
    """What is decided of the person who has that number (E.164), whichever it is, at `now_ms` (UTC).

    The pace of the engine, its link and opt-outs that it has not written yet are not known here. Raises UserError when
    there is no such campaign, it can't be understood, or the person is not in it.
    """
    found = await campaigns.find(scope, name=name)
    if found.rules is None:
        raise UserError(found.fault or ())
    its = (attempt.c.lead_id == lead.c.id) & (attempt.c.tenant == lead.c.tenant)
    row_of_lead = (
        select(lead, REFUSED.label("refused"), attempt.c.trunk)
        .join(contact, (contact.c.id == lead.c.contact_id) & (contact.c.tenant == lead.c.tenant))
        .outerjoin(attempt, its & (attempt.c.number == lead.c.attempts))
        .where(lead.c.campaign_id == found.id, lead.c.tenant == scope.tenant)
        .where(lead.c.contact_id == person_with(scope.tenant, phone).scalar_subquery())
    )
    dialling = (
        select(lead.c.campaign_id, func.count())
        .join(campaign, campaign.c.id == lead.c.campaign_id)
        .where(campaign.c.tenant == scope.tenant, campaign.c.state == "running", lead.c.state == "dialling")
        .group_by(lead.c.campaign_id)
    )
    limits = await limits_of(scope)
    async with scope.begin() as connection:
        row = (await connection.execute(row_of_lead)).one_or_none()
        taken = {id: count for id, count in await connection.execute(dialling)}
    if row is None:
        what = f"{phone} is not in the campaign {name!r}."
        raise UserError(Fault(what=what, mend="Write the number as in the contacts file."))
    channels = sum(each.how.channels for each in trunks)
    if limits.channels is not None:
        channels = min(channels, limits.channels)
    decision = decide(
        now_ms,
        Lead(state=row.state, attempts=row.attempts, spared=row.spared, due_at_ms=row.due_at_ms),
        Person(do_not_call=row.refused),
        CampaignRules(state=found.state, retry=found.rules.retry),
        Caps(
            campaign_channels=found.rules.channels - taken.get(found.id, 0),
            carried=bool(carrying(trunks, phone, tenant=scope.tenant)),
            trunk_channels=channels - sum(taken.values()),
        ),
    )
    spent = row.attempts - row.spared
    return Why(decision=decision, attempts=row.attempts, spent=spent, outcome=row.outcome, trunk=row.trunk)
