"""The account of every attempt: claimed before it is dialled, settled once. All SQL of dialling is here.

A lead goes waiting -> dialling -> waiting | done, or waiting -> excluded. `lead.attempts` is the number of its newest
attempt, so that whatever is written about an older one changes nothing.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Executable, bindparam, delete, exists, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from outbound.plan.outcome import Outcome
from outbound.plan.recovery import Journalled
from people.store.tables import attempt, call, campaign, contact, do_not_call, lead

#: Transactions are at least so far apart while there is much to write.
_GATHER_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An attempt that is ours to make: its intent is committed, nothing is sent yet."""

    attempt_id: str
    campaign_id: int
    lead_id: int
    #: 1 for the first attempt of the lead.
    number: int
    #: E.164
    phone: str
    planned_at_ms: int


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """The end of an attempt."""

    attempt_id: str
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
    #: The lead is dialled again, not before then; None: never.
    next_due_ms: int | None = None


@dataclass(kw_only=True, eq=False)
class _Entry:
    statements: Sequence[tuple[Executable, dict[str, Any]]]
    written: bool = False


_DIALLED = (
    update(attempt)
    .where(attempt.c.id == bindparam("attempt_id"))
    .values(dialled_at_ms=func.coalesce(attempt.c.dialled_at_ms, bindparam("at_ms", type_=BigInteger)))
)
_SETTLE_ATTEMPT = (
    update(attempt)
    .where(attempt.c.id == bindparam("attempt_id"), attempt.c.outcome.is_(None))
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
_SETTLE_LEAD = (
    update(lead)
    .where(lead.c.id == bindparam("lead_id"), lead.c.state == "dialling", lead.c.attempts == bindparam("number"))
    .values(
        state=bindparam("state"),
        outcome=bindparam("outcome"),
        due_at_ms=func.coalesce(bindparam("due_at_ms", type_=BigInteger), lead.c.due_at_ms),
    )
)
_NEVER_SENT = (attempt.c.id == bindparam("attempt_id"), attempt.c.dialled_at_ms.is_(None), attempt.c.outcome.is_(None))
_RELEASE_ATTEMPT = delete(attempt).where(*_NEVER_SENT)
_RELEASE_LEAD = (
    update(lead)
    .where(lead.c.id == bindparam("lead_id"), lead.c.state == "dialling", lead.c.attempts == bindparam("number"))
    .where(exists().where(*_NEVER_SENT))
    .values(state="waiting", attempts=lead.c.attempts - 1)
)


@dataclass(kw_only=True)
class Ledger:
    engine: AsyncEngine
    tenant: str
    #: UTC, ms.
    clock_ms: Callable[[], int]
    _pending: list[_Entry] = field(default_factory=list)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _written_at_s: float = 0.0

    async def claim(self, campaign_id: int, count: int) -> list[Claim]:
        """Up to `count` due leads of a running campaign, with the intent to dial each committed to disk.

        A lead on the do-not-call list is excluded in the same transaction: nobody is dialled who was on it at this
        moment. An empty list means that none is due now.
        """
        claims: list[Claim] = []
        while not claims:
            claims, taken = await self._claim_some(campaign_id, count)
            if not taken:
                break
        return claims

    async def _claim_some(self, campaign_id: int, count: int) -> tuple[list[Claim], int]:
        now_ms = self.clock_ms()
        running = exists().where(campaign.c.id == campaign_id, campaign.c.state == "running")
        due = (
            select(lead.c.id)
            .where(lead.c.campaign_id == campaign_id, lead.c.state == "waiting", lead.c.due_at_ms <= now_ms, running)
            .order_by(lead.c.due_at_ms, lead.c.id)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        async with self._writing, self.engine.connect() as connection:
            info = connection.sync_connection.info if connection.sync_connection else {}
            if self.engine.dialect.name == "sqlite" and not info.get("intents_are_synced"):
                # An intent must outlive a power cut, or somebody is rung again after it.
                await connection.execute(text("PRAGMA synchronous=FULL"))
                await connection.commit()
                info["intents_are_synced"] = True
            async with connection.begin():
                # The first statement writes, so SQLite takes its write lock before anything is read.
                taken = await connection.execute(
                    update(lead)
                    .where(lead.c.id.in_(due))
                    .values(state="dialling", attempts=lead.c.attempts + 1)
                    .returning(lead.c.id, lead.c.contact_id, lead.c.attempts)
                )
                leads = {row.contact_id: row for row in taken}
                if not leads:
                    return [], 0
                people = await connection.execute(
                    select(contact.c.id, contact.c.phone, do_not_call.c.phone.is_not(None).label("refused"))
                    .outerjoin(
                        do_not_call,
                        (do_not_call.c.tenant == contact.c.tenant) & (do_not_call.c.phone == contact.c.phone),
                    )
                    .where(contact.c.id.in_(leads))
                )
                refused = []
                claims = []
                for person in people:
                    row = leads[person.id]
                    if person.refused:
                        refused.append(row.id)
                        continue
                    claims.append(
                        Claim(
                            attempt_id=f"a{uuid.uuid4().hex}",
                            campaign_id=campaign_id,
                            lead_id=row.id,
                            number=row.attempts,
                            phone=person.phone,
                            planned_at_ms=now_ms,
                        )
                    )
                if refused:
                    await connection.execute(
                        update(lead)
                        .where(lead.c.id.in_(refused))
                        .values(state="excluded", excluded_reason="do_not_call", attempts=lead.c.attempts - 1)
                    )
                if claims:
                    await connection.execute(
                        insert(attempt),
                        [
                            {
                                "id": claim.attempt_id,
                                "campaign_id": campaign_id,
                                "lead_id": claim.lead_id,
                                "number": claim.number,
                                "planned_at_ms": now_ms,
                            }
                            for claim in claims
                        ],
                    )
            return claims, len(leads)

    def dialled(self, attempt_id: str, at_ms: int) -> None:
        """Asterisk took the Originate. Written with the next settlement or by `flush`: nothing waits for it."""
        self._pending.append(_Entry(statements=[(_DIALLED, {"attempt_id": attempt_id, "at_ms": at_ms})]))

    async def flush(self) -> None:
        """Write what waits to be written."""
        if self._pending:
            await self._write([])

    async def release(self, claim: Claim) -> None:
        """The Originate was never sent: there was no attempt, the lead waits again."""
        await self._write(
            [
                (
                    _RELEASE_LEAD,
                    {"lead_id": claim.lead_id, "number": claim.number, "attempt_id": claim.attempt_id},
                ),
                (_RELEASE_ATTEMPT, {"attempt_id": claim.attempt_id}),
            ]
        )

    async def settle(self, end: Settlement) -> None:
        """Write the end of an attempt, once: settling it again, or later, changes nothing."""
        again = end.next_due_ms is not None
        await self._write(
            [
                (
                    _SETTLE_LEAD,
                    {
                        "lead_id": end.lead_id,
                        "number": end.number,
                        "state": "waiting" if again else "done",
                        "outcome": end.outcome.value,
                        "due_at_ms": end.next_due_ms,
                    },
                ),
                (
                    _SETTLE_ATTEMPT,
                    {
                        "attempt_id": end.attempt_id,
                        "outcome": end.outcome.value,
                        "settled_by": end.settled_by,
                        "ended_at_ms": end.ended_at_ms,
                        "dialled_at_ms": end.dialled_at_ms,
                        "answered_at_ms": end.answered_at_ms,
                        "reason": end.reason,
                        "cause": end.cause,
                        "sip_status": end.sip_status,
                    },
                ),
            ]
        )

    async def in_flight(self, *, planned_before_ms: int) -> list[Claim]:
        """Attempts that are not settled, of every campaign of the tenant."""
        rows = (
            select(attempt, contact.c.phone)
            .join(campaign, campaign.c.id == attempt.c.campaign_id)
            .join(lead, lead.c.id == attempt.c.lead_id)
            .join(contact, contact.c.id == lead.c.contact_id)
            .where(
                campaign.c.tenant == self.tenant,
                attempt.c.outcome.is_(None),
                attempt.c.planned_at_ms < planned_before_ms,
            )
        )
        async with self.engine.connect() as connection:
            return [
                Claim(
                    attempt_id=row.id,
                    campaign_id=row.campaign_id,
                    lead_id=row.lead_id,
                    number=row.number,
                    phone=row.phone,
                    planned_at_ms=row.planned_at_ms,
                )
                for row in await connection.execute(rows)
            ]

    async def journalled(self, attempt_ids: Collection[str]) -> dict[str, Journalled]:
        """What the journal has of the calls that came of these attempts."""
        rows = select(call.c.attempt_id, call.c.answered_at_ms, call.c.ended_at_ms, call.c.amd)
        found: dict[str, Journalled] = {}
        ids = list(attempt_ids)
        async with self.engine.connect() as connection:
            for start in range(0, len(ids), 500):
                chunk = rows.where(call.c.attempt_id.in_(ids[start : start + 500]))
                for row in await connection.execute(chunk):
                    found[row.attempt_id] = Journalled(
                        answered_at_ms=row.answered_at_ms, ended_at_ms=row.ended_at_ms, amd=row.amd
                    )
        return found

    async def _write(self, statements: Sequence[tuple[Executable, dict[str, Any]]]) -> None:
        """Write in one transaction whatever has come up by the time it is our turn."""
        entry = _Entry(statements=statements)
        self._pending.append(entry)
        try:
            # When settlements come thick, each waits a moment for company.
            await asyncio.sleep(self._written_at_s + _GATHER_S - time.monotonic())
            async with self._writing:
                if entry.written:
                    return
                self._written_at_s = time.monotonic()
                batch = list(self._pending)
                values: dict[int, tuple[Executable, list[dict[str, Any]]]] = {}
                for each in batch:
                    for statement, parameters in each.statements:
                        values.setdefault(id(statement), (statement, []))[1].append(parameters)
                async with self.engine.begin() as connection:
                    for statement, many in values.values():
                        await connection.execute(statement, many)
                for each in batch:
                    each.written = True
        finally:
            self._pending = [each for each in self._pending if each is not entry and not each.written]
