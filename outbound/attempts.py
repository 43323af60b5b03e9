"""An attempt's beginning and end as rows: what is claimed, what it came to, and the statements that write it.

The ledger runs them; nothing here opens a connection.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Executable, Integer, String, and_, bindparam, delete, exists, func, select, update

from outbound.plan.outcome import NO_GOOD, Outcome
from people.store.ownership import OWNED, Owner
from people.store.persons import REFUSED
from people.store.tables import WAITING, attempt, campaign, contact, lead

#: Each with its parameters, `whose` among them: the tenant.
Statements = Sequence[tuple[Executable, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An attempt that is ours to make: its intent is committed, nothing is sent yet."""

    attempt_id: str
    tenant: str
    campaign_id: int
    lead_id: int
    #: 1 for the first attempt of the lead.
    number: int
    #: Attempts of the lead that count, this one included.
    spent: int
    #: E.164
    phone: str
    language: str
    planned_at_ms: int
    #: By which it goes; "": a release that did not say has sent it.
    trunk: str = ""
    #: Of a lead with several numbers: the row of `phone`, and how many others are not known to be nobody's.
    phone_id: int | None = None
    other_numbers: int = 0


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """The end of an attempt."""

    attempt_id: str
    tenant: str
    lead_id: int
    number: int
    outcome: Outcome
    settled_by: str
    ended_at_ms: int
    #: None: keep what is known.
    dialled_at_ms: int | None = None
    answered_at_ms: int | None = None
    reason: int | None = None
    cause: int | None = None
    sip_status: int | None = None
    #: The lead is dialled again when it has rested so long from now on; None: never.
    rest_ms: int | None = None
    #: It surely rang nobody, so it is not the person's, whatever it came to.
    spared: bool = False


_ID = re.compile(r"a([0-9]{1,19})-[0-9a-f]{16}")


def new_id(lead_id: int) -> str:
    """A new attempt's id, which names the lead: Asterisk's records have it even when the database is put back."""
    return f"a{lead_id}-{secrets.token_hex(8)}"


def lead_of(attempt_id: str) -> int | None:
    """The lead that an attempt's id names; None: it is none of ours, or of a release that did not say."""
    found = _ID.fullmatch(attempt_id)
    return int(found[1]) if found else None


_its_lead = lead.c.tenant == bindparam("whose")
_running = exists().where(
    campaign.c.id == bindparam("campaign"), campaign.c.tenant == bindparam("whose"), campaign.c.state == "running"
)
#: As a table that is read once: a plan of PostgreSQL may run a subquery of `in` anew for each row, and as it skips the
#: leads that it has just locked, it would take others each time. Inside of it, as SQLite's driver begins a transaction
#: before an UPDATE only.
_due = (
    select(lead.c.id)
    .where(lead.c.campaign_id == bindparam("campaign"), _its_lead, WAITING, _running)
    .where(lead.c.due_at_ms <= bindparam("now_ms"))
    .order_by(lead.c.due_at_ms, lead.c.id)
    .limit(bindparam("count", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte("due", nesting=True)
    .prefix_with("MATERIALIZED")
)
#: Leads that are due, of a running campaign; only while the gateway is ours.
TAKE_DUE = (
    update(lead)
    .where(lead.c.id.in_(select(_due.c.id)), _its_lead, OWNED)
    .values(state="dialling", attempts=lead.c.attempts + 1)
    .returning(lead.c.id)
)
_its_contact = (contact.c.id == lead.c.contact_id) & (contact.c.tenant == lead.c.tenant)
#: What is decided by, of those that were taken.
TAKEN = (
    select(
        lead.c.id.label("lead_id"),
        lead.c.tenant,
        lead.c.campaign_id,
        lead.c.attempts,
        lead.c.spared,
        lead.c.due_at_ms,
        contact.c.phone,
        lead.c.phone_ids,
        lead.c.language,
        REFUSED.label("refused"),
    )
    .outerjoin(contact, _its_contact)
    .where(lead.c.id.in_(bindparam("ids", expanding=True)), _its_lead)
    .order_by(lead.c.due_at_ms, lead.c.id)
)
_OF_ATTEMPT = (attempt.c.id == bindparam("attempt_id")) & (attempt.c.tenant == bindparam("whose"))
_OF_LEAD = and_(
    *(lead.c.id == bindparam("lead_id"), lead.c.tenant == bindparam("whose")),
    *(lead.c.state == "dialling", lead.c.attempts == bindparam("number")),
)
DIALLED = (
    update(attempt)
    .where(_OF_ATTEMPT)
    .values(dialled_at_ms=func.coalesce(attempt.c.dialled_at_ms, bindparam("at_ms", type_=BigInteger)))
)
SETTLE_ATTEMPT = (
    update(attempt)
    .where(_OF_ATTEMPT, attempt.c.outcome.is_(None))
    .values(
        outcome=bindparam("outcome"),
        settled_by=bindparam("settled_by"),
        ended_at_ms=bindparam("ended_at_ms"),
        dialled_at_ms=func.coalesce(attempt.c.dialled_at_ms, bindparam("dialled_at_ms", type_=BigInteger)),
        answered_at_ms=bindparam("answered_at_ms"),
        reason=bindparam("reason"),
        cause=bindparam("cause"),
        sip_status=bindparam("sip_status"),
    )
)
SETTLE_LEAD = (
    update(lead)
    .where(_OF_LEAD)
    .values(
        state=bindparam("state"),
        # One that we gave up ourselves, or that no trunk took, says nothing of the person.
        outcome=func.coalesce(bindparam("persons_outcome", type_=String), lead.c.outcome),
        spared=lead.c.spared + bindparam("spared"),
        due_at_ms=func.coalesce(bindparam("due_at_ms", type_=BigInteger), lead.c.due_at_ms),
    )
)
_NEVER_SENT = (_OF_ATTEMPT, attempt.c.dialled_at_ms.is_(None), attempt.c.outcome.is_(None))
RELEASE_ATTEMPT = delete(attempt).where(*_NEVER_SENT)
RELEASE_LEAD = (
    update(lead)
    .where(_OF_LEAD)
    .where(exists().where(*_NEVER_SENT))
    .values(state="waiting", attempts=lead.c.attempts - 1)
)


def intent(claim: Claim, owner: Owner) -> dict[str, object]:
    return {
        "id": claim.attempt_id,
        "tenant": claim.tenant,
        "gateway": owner.gateway,
        "epoch": owner.epoch,
        "trunk": claim.trunk or None,
        "campaign_id": claim.campaign_id,
        "lead_id": claim.lead_id,
        "number": claim.number,
        "planned_at_ms": claim.planned_at_ms,
        "phone_id": claim.phone_id,
    }


def dialling(claim: Claim, at_ms: int) -> Statements:
    return [(DIALLED, {"whose": claim.tenant, "attempt_id": claim.attempt_id, "at_ms": at_ms})]


def releasing(claim: Claim) -> Statements:
    of_attempt = {"whose": claim.tenant, "attempt_id": claim.attempt_id}
    return [
        (RELEASE_LEAD, {**of_attempt, "lead_id": claim.lead_id, "number": claim.number}),
        (RELEASE_ATTEMPT, of_attempt),
    ]


def settling(end: Settlement, now_ms: int) -> Statements:
    gives_up = end.spared or end.outcome is Outcome.CANCELLED
    next_number = end.outcome in NO_GOOD and end.rest_ms is not None
    of_lead = {
        "whose": end.tenant,
        "lead_id": end.lead_id,
        "number": end.number,
        "state": "done" if end.rest_ms is None else "waiting",
        "persons_outcome": None if gives_up else end.outcome.value,
        "spared": int(gives_up or next_number),
        "due_at_ms": None if end.rest_ms is None else now_ms + end.rest_ms,
    }
    of_attempt = {
        "whose": end.tenant,
        "attempt_id": end.attempt_id,
        "outcome": end.outcome.value,
        "settled_by": end.settled_by,
        "ended_at_ms": end.ended_at_ms,
        "dialled_at_ms": end.dialled_at_ms,
        "answered_at_ms": end.answered_at_ms,
        "reason": end.reason,
        "cause": end.cause,
        "sip_status": end.sip_status,
    }
    return [(SETTLE_LEAD, of_lead), (SETTLE_ATTEMPT, of_attempt)]
