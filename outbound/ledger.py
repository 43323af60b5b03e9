"""The account of every attempt: claimed before it is dialled, settled once. All SQL of dialling is here.

It is of all tenants. Leads are claimed in the sight of the one whose campaign it is; ends of attempts are written
together, each by a statement that says whose.

A lead goes waiting -> dialling -> waiting | done, or waiting -> excluded. `lead.attempts` is the number of its newest
attempt, so that whatever is written about an older one changes nothing. Every transaction is fenced by the epoch of the
gateway's owner, so that an owner that slept while another took the gateway over writes nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, Executable, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from outbound.attempts import (
    TAKE_DUE,
    TAKEN,
    Claim,
    Settlement,
    Statements,
    dialling,
    intent,
    new_id,
    releasing,
    settling,
)
from outbound.choosing import Chosen, choose_numbers
from outbound.clock import Clock
from outbound.gateway.trunks import Offer
from outbound.plan.decide import Because, CampaignRules, Caps, Decision, Dial, Lead, LeaveOut, Person, WaitUntil, decide
from outbound.plan.recovery import Journalled
from outbound.plan.trunks import By, NotNow
from people.store.dialect import clock_ms
from people.store.machine_tables import gateway
from people.store.ownership import Owner, fence
from people.store.persons import NUMBER_DIALLED
from people.store.scope import EveryTenant, Job, Scope
from people.store.tables import DIALLING, WAITING, attempt, call, campaign, contact, lead, tenant

log = structlog.get_logger(__name__)

#: Transactions are at least so far apart while there is much to write.
_GATHER_S = 0.05
#: A clock that is corrected by less is only followed.
_STEP_MS = 2_000


class MostOpen(NamedTuple):
    """How many may be dialled at one time, by all gateways together; None: as many as there are channels."""

    of_campaign: int
    of_tenant: int | None = None
    #: An attempt that is older is over, though its gateway, which nobody has now, has not settled it.
    longest_s: float = math.inf


@dataclass(kw_only=True, eq=False)
class _Entry:
    #: What to write, told the moment by which leads are due.
    statements: Callable[[int], Statements]
    written: bool = False

    @classmethod
    def release(cls, claim: Claim) -> _Entry:
        return cls(statements=lambda _: releasing(claim))


@dataclass(kw_only=True)
class Ledger:
    """Its own clock for what is due keeps up with the time that passes, not with a time of day that somebody sets."""

    database: AsyncEngine
    owner: Owner
    clock: Clock
    #: Attempts of this run: from before their intent is committed until they are settled.
    ours: set[str] = field(default_factory=set)
    _pending: list[_Entry] = field(default_factory=list)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _written_at_s: float = 0.0
    #: Of the clock by which leads are due, ahead of the time that has passed.
    _ahead_ms: int = 0
    #: Whether that is the clock of several engines; None: it was not asked for yet.
    _common: bool | None = None

    def __post_init__(self) -> None:
        self._ahead_ms = self._ahead_of_passed()

    # ------------------------------------------------------------ when leads are due

    def due_now_ms(self) -> int:
        """Leads are due by this moment: UTC as it was when the clock was last followed, and the time passed since."""
        return self._ahead_ms + round(self.clock.monotonic_s() * 1000)

    def _ahead_of_passed(self) -> int:
        return self.clock.now_ms() - round(self.clock.monotonic_s() * 1000)

    async def follow_clock(self, common_ahead_ms: int | None = None) -> None:
        """Where the time of day was set, move what is due by as much: no rest grows or shrinks by it.

        `common_ahead_ms`: how far ahead of the time that has passed the clock is by which several engines agree. None
        of them moves anything then, but who has been alone until now, by its own machine's clock.
        """
        common = common_ahead_ms is not None
        ahead_ms = self._ahead_of_passed() if common_ahead_ms is None else common_ahead_ms
        moves = not common or self._common is False
        self._common = common
        if not moves or abs(ahead_ms - self._ahead_ms) < _STEP_MS:
            self._ahead_ms = ahead_ms
            return
        async with self._writing:
            before_ms = self.due_now_ms()
            by_ms = ahead_ms - self._ahead_ms
            moved = (
                update(lead)
                .where(lead.c.campaign_id.in_(select(campaign.c.id)), WAITING)
                .where(lead.c.due_at_ms > min(before_ms, before_ms + by_ms))
                .values(due_at_ms=lead.c.due_at_ms + by_ms)
            )
            await self._owned(self._all, lambda connection: connection.execute(moved))
            self._ahead_ms = ahead_ms
        log.warning("clock_stepped", by_s=round(by_ms / 1000, 1))

    async def shorten_rests(self, scope: Scope, campaign_id: int, *, longest_s: int) -> None:
        """Let nobody of a campaign wait longer than its rules can mean: the clock was put back while we were away."""
        now_ms = self.due_now_ms()
        waiting = (lead.c.campaign_id == campaign_id, lead.c.tenant == scope.tenant, WAITING)
        never_tried = (*waiting, lead.c.attempts == 0, lead.c.due_at_ms > now_ms)
        too_far = (*waiting, lead.c.due_at_ms > now_ms + longest_s * 1000)

        def shorten(connection: Connection) -> None:
            connection.execute(update(lead).where(*never_tried).values(due_at_ms=now_ms))
            connection.execute(update(lead).where(*too_far).values(due_at_ms=now_ms + longest_s * 1000))

        async with self._writing:
            await self._owned(scope, shorten)

    @property
    def _all(self) -> EveryTenant:
        return EveryTenant(self.database, Job.DIALLING)

    async def _owned(self, sight: Scope | EveryTenant, work: Callable[[Connection], object]) -> None:
        """Do `work` in a transaction of the gateway's owner. Raises GatewayLost."""

        def fenced(connection: Connection) -> None:
            fence(connection, self.owner)
            work(connection)

        await sight.transact(fenced)

    # ------------------------------------------------------------ claim

    async def claim(
        self,
        scope: Scope,
        campaign_id: int,
        count: int,
        *,
        rules: CampaignRules,
        caps: Caps,
        most_open: MostOpen | None = None,
        offer: Offer | None = None,
    ) -> list[Claim]:
        """Up to `count` leads of a running campaign, with the intent to dial each committed to disk.

        Each is decided in the same transaction: nobody is dialled who was on the do-not-call list at this moment. An
        empty list means that none is dialled now. `most_open`: what all gateways keep to; None: no other gateway dials.
        `offer` says by which trunk each goes; whoever can't go by any waits a while, so that others may.
        """
        claims: list[Claim] = []

        def claim_some(connection: Connection) -> int:
            """How many of those that were due are left out for good."""
            many = count
            if most_open is not None:
                many = min(count, self._still_free(connection, scope.tenant, campaign_id, most_open))
            due = self._take_due(connection, scope.tenant, campaign_id, many)
            return self._decide(connection, scope.tenant, due, rules, caps, claims, offer)

        while not claims:
            async with self._writing:
                try:
                    # An intent must outlive a power cut, or somebody is rung again after it.
                    left_out = await scope.transact(claim_some, outlives_power_cut=True)
                except BaseException:
                    # Perhaps it was committed, and the answer lost: nothing is sent, and what is there is taken back.
                    self._pending += [_Entry.release(claim) for claim in claims]
                    raise
            if not left_out:
                break
        return claims

    def _decide(
        self,
        connection: Connection,
        whose: str,
        leads: Sequence[Any],
        rules: CampaignRules,
        caps: Caps,
        claims: list[Claim],
        offer: Offer | None,
    ) -> int:
        """Add to `claims` who of `leads` is dialled now, and put the others back; how many of these for good."""
        left_out = 0
        chosen = choose_numbers(connection, whose, leads)
        for each in leads:
            before = Lead(state="waiting", attempts=each.attempts - 1, spared=each.spared, due_at_ms=each.due_at_ms)
            person = Person(do_not_call=each.refused, forgotten=each.phone is None)
            left = replace(
                caps,
                campaign_channels=caps.campaign_channels - len(claims),
                trunk_channels=caps.trunk_channels - len(claims),
            )
            number = chosen.get(each.lead_id)
            way = offer.trunk_for(number.phone if number else each.phone or "") if offer is not None else By(name="")
            if isinstance(way, NotNow):
                left = replace(left, carried=not way.none_carries, trunk_channels=0)
            decision = decide(self.due_now_ms(), before, person, rules, left)
            if isinstance(decision, Dial) and isinstance(way, By):
                claims.append(self._claim(each, way.name, number))
                if offer is not None:
                    offer.promise(way.name)
            else:
                left_out += isinstance(decision, LeaveOut)
                again_s = way.again_s if isinstance(way, NotNow) else None
                self._put_back(connection, each, decision, again_s=again_s)
        if claims:
            connection.execute(insert(attempt), [intent(claim, self.owner) for claim in claims])
            self.ours.update(claim.attempt_id for claim in claims)
        return left_out

    def _still_free(self, connection: Connection, whose: str, campaign_id: int, most: MostOpen) -> int:
        """How many more leads may be dialled beside those of all gateways. Until we are done, nobody claims."""
        fence(connection, self.owner)
        its = (campaign.c.id == campaign_id, campaign.c.tenant == whose)
        connection.execute(select(campaign.c.id).where(*its).with_for_update(key_share=True))
        dialling = select(func.count()).select_from(lead).where(lead.c.tenant == whose, DIALLING)
        if most.longest_s < math.inf:
            now_ms = clock_ms(connection.dialect.name)
            left_behind = exists().where(
                *(attempt.c.lead_id == lead.c.id, attempt.c.number == lead.c.attempts, attempt.c.tenant == whose),
                *(gateway.c.name == attempt.c.gateway, gateway.c.lease_until_ms < now_ms),
                attempt.c.planned_at_ms < now_ms - round(most.longest_s * 1000),
            )
            dialling = dialling.where(~left_behind)
        of_campaign = connection.scalar(dialling.where(lead.c.campaign_id == campaign_id)) or 0
        free = most.of_campaign - of_campaign
        if most.of_tenant is not None:
            row = select(tenant.c.name).where(tenant.c.name == whose).with_for_update(key_share=True)
            connection.execute(row)
            all_its = select(campaign.c.id).where(campaign.c.tenant == whose)
            of_tenant = connection.scalar(dialling.where(lead.c.campaign_id.in_(all_its))) or 0
            free = min(free, most.of_tenant - of_tenant)
        return free

    def _take_due(self, connection: Connection, whose: str, campaign_id: int, count: int) -> Sequence[Any]:
        """Rows of due leads, now dialling: a narrower choice than the decision, which is made of each of them."""
        if count <= 0:
            return []
        due = {"campaign": campaign_id, "now_ms": self.due_now_ms(), "count": count, **self.owner.of_fence}
        ids = connection.execute(TAKE_DUE, {"whose": whose, **due}).scalars().all()
        return connection.execute(TAKEN, {"whose": whose, "ids": ids}).all() if ids else []

    def _claim(self, row: Any, trunk: str, chosen: Chosen | None) -> Claim:
        return Claim(
            attempt_id=new_id(row.lead_id),
            tenant=row.tenant,
            campaign_id=row.campaign_id,
            lead_id=row.lead_id,
            number=row.attempts,
            spent=row.attempts - row.spared,
            phone=chosen.phone if chosen else row.phone,
            language=row.language,
            planned_at_ms=self.clock.now_ms(),
            trunk=trunk,
            phone_id=chosen.phone_id if chosen else None,
            other_numbers=chosen.others if chosen else 0,
        )

    def _put_back(self, connection: Connection, row: Any, decision: Decision, *, again_s: float | None = None) -> None:
        """`again_s`: no trunk takes the number before."""
        values: dict[str, object] = {"attempts": lead.c.attempts - 1, "state": "waiting"}
        if isinstance(decision, LeaveOut) and decision.because in (Because.DO_NOT_CALL, Because.FORGOTTEN):
            values |= {"state": "excluded", "excluded_reason": decision.because.value}
        elif isinstance(decision, LeaveOut):
            values |= {"state": "done"}
        elif isinstance(decision, WaitUntil) and decision.at_ms is not None:
            values |= {"due_at_ms": decision.at_ms}
        elif again_s is not None and decision.because in (Because.NO_TRUNK, Because.CHANNELS):
            values |= {"due_at_ms": self.due_now_ms() + math.ceil(again_s * 1000)}
        its = (lead.c.id == row.lead_id, lead.c.tenant == row.tenant)
        connection.execute(update(lead).where(*its).values(values))

    # ------------------------------------------------------------ what became of it

    def dialled(self, claim: Claim, at_ms: int) -> None:
        """Asterisk took the Originate. Written with the next settlement or by `flush`: nothing waits for it."""
        self._pending.append(_Entry(statements=lambda _: dialling(claim, at_ms)))

    async def flush(self) -> None:
        """Write what waits to be written."""
        if self._pending:
            await self._write(lambda _: [], at_once=True)

    async def release(self, claim: Claim) -> None:
        """The Originate was never sent: there was no attempt, the lead waits again."""
        await self._write(lambda _: releasing(claim))
        self.ours.discard(claim.attempt_id)

    async def settle(self, end: Settlement) -> None:
        """Write the end of an attempt, once: settling it again, or later, changes nothing."""
        await self._write(lambda now_ms: settling(end, now_ms))
        self.ours.discard(end.attempt_id)

    async def in_flight(self) -> list[Claim]:
        """Attempts of our gateway that are not settled, of every tenant and of whichever owner."""
        rows = (
            select(
                *(attempt, lead.c.spared, lead.c.phone_ids, lead.c.language),
                func.coalesce(contact.c.phone, "").label("phone"),
            )
            .join(lead, (lead.c.id == attempt.c.lead_id) & (lead.c.tenant == attempt.c.tenant))
            .outerjoin(contact, NUMBER_DIALLED)
            .where(attempt.c.gateway == self.owner.gateway, attempt.c.outcome.is_(None))
        )
        async with self._all.begin() as connection:
            found = (await connection.execute(rows)).all()
            others: dict[int, int] = {}
            for whose in {row.tenant for row in found}:
                chosen = await connection.run_sync(choose_numbers, whose, [row for row in found if row.tenant == whose])
                others |= {lead_id: each.others for lead_id, each in chosen.items()}
        return [
            Claim(
                attempt_id=row.id,
                tenant=row.tenant,
                campaign_id=row.campaign_id,
                lead_id=row.lead_id,
                number=row.number,
                spent=row.number - row.spared,
                phone=row.phone,
                language=row.language,
                planned_at_ms=row.planned_at_ms,
                trunk=row.trunk or "",
                phone_id=row.phone_id,
                other_numbers=others.get(row.lead_id, 0),
            )
            for row in found
        ]

    async def journalled(self, attempt_ids: Collection[str]) -> dict[str, Journalled]:
        """What the journal has of the calls that came of these attempts."""
        rows = select(call.c.attempt_id, call.c.answered_at_ms, call.c.ended_at_ms, call.c.amd)
        found: dict[str, Journalled] = {}
        ids = list(attempt_ids)
        async with self._all.begin() as connection:
            for start in range(0, len(ids), 500):
                chunk = rows.where(call.c.attempt_id.in_(ids[start : start + 500]))
                for row in await connection.execute(chunk):
                    found[row.attempt_id] = Journalled(
                        answered_at_ms=row.answered_at_ms, ended_at_ms=row.ended_at_ms, amd=row.amd
                    )
        return found

    async def _write(self, statements: Callable[[int], Statements], *, at_once: bool = False) -> None:
        """Write in one transaction whatever has come up by the time it is our turn."""
        entry = _Entry(statements=statements)
        self._pending.append(entry)
        try:
            # When settlements come thick, each waits a moment for company.
            wait_s = self._written_at_s + _GATHER_S - self.clock.monotonic_s()
            if wait_s > 0 and not at_once:
                await self.clock.sleep(wait_s)
            async with self._writing:
                if entry.written:
                    return
                self._written_at_s = self.clock.monotonic_s()
                batch, now_ms = list(self._pending), self.due_now_ms()
                values: dict[int, tuple[Executable, list[dict[str, Any]]]] = {}
                for each in batch:
                    for statement, parameters in each.statements(now_ms):
                        values.setdefault(id(statement), (statement, []))[1].append(parameters)

                def write(connection: Connection) -> None:
                    for statement, many in values.values():
                        connection.execute(statement, many)

                await self._owned(self._all, write)
                for each in batch:
                    each.written = True
        finally:
            self._pending = [each for each in self._pending if each is not entry and not each.written]
