"""Queries about calls: what an outbound call is about, and what the journal writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy import JSON, Insert, bindparam, case, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store.dialect import upsert
from people.store.persons import NUMBER_DIALLED
from people.store.scope import EveryTenant, Job
from people.store.tables import attempt, call, campaign, contact, do_not_call, journal, lead, loss, request
from prompts.languages import Language


@dataclass(frozen=True, kw_only=True)
class OutboundCall:
    """What the attempt behind an answered call is about."""

    attempt_id: str
    tenant: str
    flow: str
    #: The campaign's; None: it has none.
    version: int | None
    language: Language
    phone: str
    #: Columns of the contacts file, and `name`.
    variables: Mapping[str, str]


#: "": the person was forgotten since.
_PHONE = func.coalesce(contact.c.phone, "").label("phone")
_OUTBOUND = (
    select(
        attempt.c.tenant,
        campaign.c.flow,
        campaign.c.version,
        lead.c.language,
        _PHONE,
        lead.c.name,
        lead.c.variables,
    )
    .select_from(attempt)
    .join(lead, (lead.c.id == attempt.c.lead_id) & (lead.c.tenant == attempt.c.tenant))
    .outerjoin(contact, NUMBER_DIALLED)
    .join(campaign, (campaign.c.id == attempt.c.campaign_id) & (campaign.c.tenant == attempt.c.tenant))
    .where(attempt.c.id == bindparam("attempt_id"))
)


async def find_outbound(database: AsyncEngine, attempt_id: str) -> OutboundCall | None:
    """The tenant, campaign, person and variables behind an attempt; None when there is no such attempt."""
    async with EveryTenant(database, Job.DIALLING).begin() as connection:
        row = (await connection.execute(_OUTBOUND, {"attempt_id": attempt_id})).one_or_none()
    if row is None:
        return None
    variables: dict[str, str] = {"name": row.name} if row.name else {}
    variables.update((name, str(value)) for name, value in row.variables.items())
    return OutboundCall(
        attempt_id=attempt_id,
        tenant=row.tenant,
        flow=row.flow,
        version=row.version,
        language=cast(Language, row.language),
        phone=row.phone,
        variables=variables,
    )


_REQUEST = ("tenant", "kind", "phone", "call_id", "variables", "asked_at_ms")

#: A request as the journal and the spool write it, unless the very same is there already.
WRITE_REQUEST = insert(request).from_select(
    list(_REQUEST),
    select(
        bindparam("tenant", type_=request.c.tenant.type),
        bindparam("kind", type_=request.c.kind.type),
        bindparam("phone", type_=request.c.phone.type),
        bindparam("call_id", type_=request.c.call_id.type),
        bindparam("variables", type_=JSON),
        bindparam("asked_at_ms", type_=request.c.asked_at_ms.type),
    ).where(
        ~exists(
            select(request.c.id)
            .select_from(request)
            .where(
                request.c.tenant == bindparam("tenant"),
                request.c.asked_at_ms == bindparam("asked_at_ms"),
                request.c.phone == bindparam("phone"),
                request.c.kind == bindparam("kind"),
            )
        )
    ),
)


_BEGUN = tuple(column.name for column in call.c if column.name not in ("ended_at_ms", "ended_by", "campaign_id"))

#: The names each row of a kind must have.
JOURNAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "begun": _BEGUN,
    "notes": tuple(journal.c.keys()),
    "ended": (*_BEGUN, "ended_at_ms", "ended_by"),
    "opt_outs": tuple(do_not_call.c.keys()),
    "requests": _REQUEST,
    "losses": tuple(loss.c.keys()),
}


@dataclass(frozen=True, kw_only=True)
class JournalStatements:
    """What the journal executes. Each may be repeated with the same rows: the second time changes nothing."""

    begun: Insert
    notes: Insert
    ended: Insert
    opt_outs: Insert
    requests: Insert
    losses: Insert

    @classmethod
    def of(cls, dialect: str) -> JournalStatements:
        ended, lost = upsert(call, dialect), upsert(loss, dialect)
        return cls(
            begun=upsert(call, dialect).on_conflict_do_nothing(),
            notes=upsert(journal, dialect).on_conflict_do_nothing(),
            ended=ended.on_conflict_do_update(
                index_elements=[call.c.id],
                set_={name: ended.excluded[name] for name in ("ended_by", "ended_at_ms", "language")},
                where=call.c.tenant == ended.excluded.tenant,
            ),
            opt_outs=upsert(do_not_call, dialect).on_conflict_do_nothing(),
            requests=WRITE_REQUEST,
            # Rows count all that was lost until then, so the larger number is the later one.
            losses=lost.on_conflict_do_update(
                index_elements=[loss.c.call_id, loss.c.kind],
                set_={"lines": case((lost.excluded.lines > loss.c.lines, lost.excluded.lines), else_=loss.c.lines)},
                where=loss.c.tenant == lost.excluded.tenant,
            ),
        )

    def of_kind(self, kind: str) -> Insert:
        statement: Insert = getattr(self, kind)
        return statement
