"""Count a campaign's report from the tables, in one snapshot, by SQL aggregates: a million leads are never loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivr.flow.steps import NoteKind
from outbound.plan.outcome import Outcome
from people.store.dialect import begin_snapshot
from people.store.losses import missing_of_campaign
from people.store.tables import attempt, journal, lead, refused_row
from reports.by_time import SLOT_MS, Slot, by_date, by_hour
from reports.chosen import find_campaign
from reports.figures import (
    AFTER_STEP_S,
    IN_FLIGHT,
    OPEN_STATES,
    TYPED_IN,
    AfterFigure,
    DepthFigure,
    KeyFigure,
    NumberFigure,
    Report,
    RequestFigure,
)
from reports.rate import Rate
from reports.scratch import VERDICTS, fill, journal_of, person, talk

#: Longest key of a menu that is shown as it is; anything longer was typed in by the caller.
_MENU_KEY_DIGITS = 3


async def compute_report(
    engine: AsyncEngine, *, tenant: str, campaign_name: str, zone: ZoneInfo, now_ms: int
) -> Report:
    """The report of one campaign as of `now_ms`. Raises UserError when the tenant has no such campaign."""
    async with engine.connect() as connection:
        await begin_snapshot(connection)
        try:
            found = await find_campaign(connection, tenant, campaign_name)
            await fill(connection, tenant, found.id)
            return await _Counting(connection, tenant, found).report(zone, now_ms)
        finally:
            await connection.rollback()


@dataclass(frozen=True)
class _Counting:
    """The queries of one report. Each returns finished figures.

    Groups are named by label: PostgreSQL takes an expression with parameters for another one when it is repeated.
    """

    connection: AsyncConnection
    tenant: str
    campaign: Any

    async def _rows(self, query: Any) -> list[Any]:
        return list((await self.connection.execute(query)).all())

    async def report(self, zone: ZoneInfo, now_ms: int) -> Report:
        rows, audience, excluded, excluded_later = await self._rows_and_audience()
        # Sums over no rows are NULL, hence the `or 0` from here on.
        people = (await self._rows(_PEOPLE))[0]
        dialled, reached = people.dialled or 0, people.human or 0
        talked = (await self._rows(_TALKS))[0]
        attempts = (await self._rows(_attempts(self.campaign.id)))[0]
        outcomes = await self._attempt_outcomes()
        slots = await self._slots()
        missing = await missing_of_campaign(self.connection, self.tenant, self.campaign.id)

        def of_reached(part: int | None) -> Rate:
            return Rate(part or 0, reached)

        return Report(
            tenant=self.tenant,
            campaign=self.campaign.name,
            flow=self.campaign.flow,
            state=self.campaign.state,
            timezone=zone.key,
            as_of_ms=now_ms,
            final=self.campaign.state not in OPEN_STATES and not outcomes.get(IN_FLIGHT),
            first_dial_ms=attempts.first,
            last_dial_ms=attempts.last,
            rows=rows,
            audience=audience,
            excluded=excluded,
            excluded_later=excluded_later,
            dialled=Rate(dialled, audience),
            reached=Rate(reached, dialled),
            machine=Rate(people.machine or 0, dialled),
            unknown=Rate(people.unknown or 0, audience),
            listened=of_reached(talked.listened),
            key_before_end=of_reached(talked.key_before_end),
            left_before_end=of_reached(talked.left_before_end),
            not_begun=of_reached(reached - (talked.began or 0)),
            quartiles=(
                of_reached(talked.quarter),
                of_reached(talked.half),
                of_reached(talked.three_quarters),
                of_reached(talked.listened),
            ),
            retention=await self._retention(reached, talked.length or 0),
            message_ms=talked.length or 0,
            follow_up=of_reached(talked.follow_up),
            opted_out=of_reached(talked.opted_out),
            transferred=of_reached(talked.transferred),
            invalid_key=of_reached(talked.invalid_key),
            keys=await self._keys(reached),
            depths=await self._depths(reached),
            follow_up_after=await self._follow_up_after(reached),
            requests=await self._requests(reached),
            active_elsewhere=await self._active_elsewhere(),
            incomplete_calls=missing.calls,
            opt_outs_not_kept=missing.opt_outs,
            attempts=attempts.all,
            attempts_dialled=attempts.dialled,
            attempt_outcomes=outcomes,
            person_outcomes=await self._person_outcomes(),
            numbers=await self._numbers(),
            hours=by_hour(slots, zone),
            dates=by_date(slots, zone),
        )

    async def _rows_and_audience(self) -> tuple[int, int, Mapping[str, int], Mapping[str, int]]:
        """Rows of the file; the audience; who is out of it; who is in it but was excluded later."""
        refused = await self._rows(
            select(refused_row.c.reason, func.count())
            .where(refused_row.c.campaign_id == self.campaign.id)
            .group_by(refused_row.c.reason)
        )
        # Whoever was dialled, or may have been, stays in the audience: the report must not forget a call.
        touched = or_(person.c.dialled > 0, person.c.human > 0, person.c.machine > 0, person.c.unknown > 0)
        kind = case((lead.c.state != "excluded", "in"), (func.coalesce(touched, False), "later"), else_="out").label(
            "place"
        )
        why = func.coalesce(lead.c.excluded_reason, "").label("why")
        leads = await self._rows(
            select(kind, why, func.count())
            .select_from(lead)
            .outerjoin(person, person.c.lead_id == lead.c.id)
            .where(lead.c.campaign_id == self.campaign.id)
            .group_by("place", "why")
        )
        excluded = {reason: count for reason, count in refused}
        later: dict[str, int] = {}
        audience = 0
        for where, reason, count in leads:
            if where != "out":
                audience += count
            if where != "in":
                group = excluded if where == "out" else later
                group[reason or "other"] = group.get(reason or "other", 0) + count
        rows = sum(row[1] for row in refused) + sum(row[2] for row in leads)
        return rows, audience, dict(sorted(excluded.items())), dict(sorted(later.items()))

    async def _attempt_outcomes(self) -> Mapping[str, int]:
        rows = await self._rows(
            select(attempt.c.outcome, func.count())
            .where(attempt.c.campaign_id == self.campaign.id)
            .group_by(attempt.c.outcome)
        )
        return _in_order({name or IN_FLIGHT: count for name, count in rows})

    async def _person_outcomes(self) -> Mapping[str, int]:
        rows = await self._rows(
            select(person.c.verdict, func.count()).where(person.c.dialled > 0).group_by(person.c.verdict)
        )
        return _in_order({VERDICTS[place] or IN_FLIGHT: count for place, count in rows})

    async def _retention(self, reached: int, length_ms: int) -> tuple[Rate, ...]:
        second = (talk.c.heard_ms // 1000).label("second")
        rows = await self._rows(select(second, func.count()).where(talk.c.began == 1).group_by("second"))
        stopped_in = {int(at): count for at, count in rows}
        still, curve = sum(stopped_in.values()), []
        for t in range(length_ms // 1000 + 1 if length_ms else 0):
            curve.append(Rate(still, reached))
            still -= stopped_in.get(t, 0)
        return tuple(curve)

    async def _keys(self, reached: int) -> tuple[KeyFigure, ...]:
        key = case((func.length(journal.c.value) > _MENU_KEY_DIGITS, TYPED_IN), else_=journal.c.value).label("key")
        asked = case((journal.c.follow_up.is_(True), 1), else_=0).label("asked")
        rows = await self._journal(NoteKind.KEY, journal.c.node, key, asked)
        return tuple(
            KeyFigure(node=node, key=key, follow_up=bool(asked), presses=presses, persons=Rate(persons, reached))
            for node, key, asked, presses, persons in sorted(rows, key=lambda row: (-row.persons, tuple(row)))
        )

    async def _requests(self, reached: int) -> tuple[RequestFigure, ...]:
        rows = await self._journal(NoteKind.REQUEST, journal.c.value)
        return tuple(
            RequestFigure(kind=kind, requests=presses, persons=Rate(persons, reached))
            for kind, presses, persons in sorted(rows, key=lambda row: (-row.persons, row.value))
        )

    async def _depths(self, reached: int) -> tuple[DepthFigure, ...]:
        rows = await self._journal(NoteKind.KEY, journal.c.depth, only=journal.c.follow_up.is_(True))
        return tuple(
            DepthFigure(depth=depth, persons=Rate(persons, reached)) for depth, _, persons in sorted(map(tuple, rows))
        )

    async def _journal(self, kind: NoteKind, *by: Any, only: Any = None) -> list[Any]:
        """`by` columns, then `presses` and `persons`, of one kind of note on the calls that humans answered."""
        query = journal_of(
            self.tenant,
            self.campaign.id,
            *by,
            func.count().label("presses"),
            func.count(attempt.c.lead_id.distinct()).label("persons"),
        ).where(attempt.c.outcome == Outcome.HUMAN.value, journal.c.kind == kind.value)
        return await self._rows(
            (query if only is None else query.where(only)).group_by(*(column.name for column in by))
        )

    async def _follow_up_after(self, reached: int) -> tuple[AfterFigure, ...]:
        step = (talk.c.follow_up_at_ms // (AFTER_STEP_S * 1000)).label("step")
        rows = await self._rows(select(step, func.count()).where(talk.c.follow_up == 1).group_by("step"))
        return tuple(
            AfterFigure(from_s=int(step) * AFTER_STEP_S, persons=Rate(count, reached))
            for step, count in sorted(map(tuple, rows))
        )

    async def _active_elsewhere(self) -> int:
        active = (NoteKind.KEY, NoteKind.OPT_OUT, NoteKind.TRANSFER, NoteKind.REQUEST)
        query = journal_of(self.tenant, self.campaign.id, func.count(attempt.c.lead_id.distinct())).where(
            attempt.c.outcome != Outcome.HUMAN.value, journal.c.kind.in_([kind.value for kind in active])
        )
        return int((await self._rows(query))[0][0])

    async def _numbers(self) -> tuple[NumberFigure, ...]:
        persons = await self._rows(
            select(person.c.dialled, func.count()).where(person.c.dialled > 0).group_by(person.c.dialled)
        )
        reached = await self._rows(
            select(person.c.human_number, func.count()).where(person.c.human == 1).group_by(person.c.human_number)
        )
        tried, answered = dict(map(tuple, persons)), dict(map(tuple, reached))
        return tuple(
            NumberFigure(number=number, persons=tried.get(number, 0), reached=answered.get(number, 0))
            for number in range(1, max([*tried, *answered], default=0) + 1)
        )

    async def _slots(self) -> list[Slot]:
        at = (attempt.c.dialled_at_ms // SLOT_MS).label("slot")
        attempts = await self._rows(
            select(at, func.count(), func.sum(case((attempt.c.outcome == Outcome.HUMAN.value, 1), else_=0)))
            .where(attempt.c.campaign_id == self.campaign.id, attempt.c.dialled_at_ms.is_not(None))
            .group_by("slot")
        )
        persons = await self._rows(
            select(
                person.c.human_slot,
                func.count(),
                func.sum(func.coalesce(talk.c.listened, 0)),
                func.sum(func.coalesce(talk.c.follow_up, 0)),
            )
            .select_from(person)
            .outerjoin(talk, talk.c.lead_id == person.c.lead_id)
            .where(person.c.human == 1)
            .group_by(person.c.human_slot)
        )
        return [Slot(number=int(slot), attempts=count, answered=human) for slot, count, human in attempts] + [
            Slot(number=int(slot), reached=count, listened=listened, follow_up=asked)
            for slot, count, listened, asked in persons
        ]


_PEOPLE = select(
    func.sum(case((person.c.dialled > 0, 1), else_=0)).label("dialled"),
    func.sum(person.c.human).label("human"),
    func.sum(case((and_(person.c.dialled > 0, person.c.machine == 1, person.c.human == 0), 1), else_=0)).label(
        "machine"
    ),
    func.sum(case((and_(person.c.unknown == 1, person.c.human == 0), 1), else_=0)).label("unknown"),
)

_TALKS = select(
    func.sum(talk.c.began).label("began"),
    func.sum(talk.c.quarter).label("quarter"),
    func.sum(talk.c.half).label("half"),
    func.sum(talk.c.three_quarters).label("three_quarters"),
    func.sum(talk.c.listened).label("listened"),
    func.sum(case((and_(talk.c.listened == 0, talk.c.stopped_by_key == 1), 1), else_=0)).label("key_before_end"),
    func.sum(case((and_(talk.c.began == 1, talk.c.listened == 0, talk.c.stopped_by_key == 0), 1), else_=0)).label(
        "left_before_end"
    ),
    func.max(talk.c.length_ms).label("length"),
    func.sum(talk.c.follow_up).label("follow_up"),
    func.sum(talk.c.opted_out).label("opted_out"),
    func.sum(talk.c.transferred).label("transferred"),
    func.sum(talk.c.invalid_key).label("invalid_key"),
)


def _attempts(campaign_id: int) -> Any:
    return select(
        func.count().label("all"),
        func.count(attempt.c.dialled_at_ms).label("dialled"),
        func.min(attempt.c.dialled_at_ms).label("first"),
        func.max(attempt.c.dialled_at_ms).label("last"),
    ).where(attempt.c.campaign_id == campaign_id)


def _in_order(counts: Mapping[str, int]) -> Mapping[str, int]:
    order = [*(outcome.value for outcome in Outcome), IN_FLIGHT]
    return {name: counts[name] for name in sorted(counts, key=lambda name: (name not in order, order.index(name)))}
