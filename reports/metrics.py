"""Count a campaign's report from what its leads have come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from outbound.plan.outcome import Outcome
from people.store.forgetting import removed_before
from people.store.losses import Missing, missing_of_campaign
from people.store.results import stale
from people.store.scope import Scope
from reports.by_time import Slot, by_date, by_hour
from reports.chosen import find_campaign
from reports.counts import Cell, Counts, Pressed, differences, read_anew, read_kept, without_calls
from reports.figures import (
    AFTER_STEP_S,
    IN_FLIGHT,
    OPEN_STATES,
    AfterFigure,
    DepthFigure,
    KeyFigure,
    NumberFigure,
    Report,
    RequestFigure,
)
from reports.kept import refresh
from reports.rate import Rate

#: With more marks than these it is quicker to work them off first.
_MANY_MARKS = 5_000


async def compute_report(scope: Scope, *, campaign_name: str, zone: ZoneInfo, now_ms: int) -> Report:
    """The report of one campaign as of `now_ms`. Raises UserError when the tenant has no such campaign."""
    await refresh_when_much(scope, campaign_name)
    async with scope.snapshot() as connection:
        found = await find_campaign(connection, scope, campaign_name)
        counts = await read_kept(connection, scope, found.id)
        missing = await missing_of_campaign(connection, scope, found.id)
        removed_ms = await removed_before(connection, scope, found.id)
    report = figures(counts, tenant=scope.tenant, campaign=found, missing=missing, zone=zone, now_ms=now_ms)
    return replace(report, removed_before_ms=removed_ms)


@dataclass(frozen=True, kw_only=True)
class Proof:
    #: What is counted anew other than it is kept; empty: nothing.
    differences: list[str]
    #: Calls before this moment, UTC ms, were removed: what was heard and pressed can't be counted anew, and was not
    #: compared. None: all is there.
    removed_before_ms: int | None


async def prove(scope: Scope, *, campaign_name: str) -> Proof:
    """Whether a count of every attempt, call and line of the journal finds what is kept.

    Raises UserError when the tenant has no such campaign.
    """
    async with scope.snapshot() as connection:
        found = await find_campaign(connection, scope, campaign_name)
        return await _proof(connection, scope, found.id, await read_kept(connection, scope, found.id))


async def _proof(connection: AsyncConnection, scope: Scope, campaign_id: int, kept: Counts) -> Proof:
    anew = await read_anew(connection, scope, campaign_id)
    removed_ms = await removed_before(connection, scope, campaign_id)
    if removed_ms is not None:
        kept, anew = without_calls(kept), without_calls(anew)
    return Proof(differences=list(differences(kept, anew)), removed_before_ms=removed_ms)


async def prove_copied(source: AsyncConnection, target: AsyncConnection, scope: Scope, campaign_id: int) -> list[str]:
    """What the target's figures are other than the source's, as they are kept and counted anew; empty: nothing.

    Both connections see the rows of all; `scope` says whose campaign it is.
    """
    kept = await read_kept(source, scope, campaign_id)
    found = list(differences(kept, await read_kept(target, scope, campaign_id)))
    return found + (await _proof(target, scope, campaign_id, kept)).differences


async def refresh_when_much(scope: Scope, campaign_name: str) -> None:
    """Work marks off where so many wait that reading them would take longer. Raises UserError: no such campaign."""
    async with scope.begin() as connection:
        found = await find_campaign(connection, scope, campaign_name)
        some = (
            select(stale.c.id)
            .where(stale.c.campaign_id == found.id, stale.c.tenant == scope.tenant)
            .limit(_MANY_MARKS)
            .subquery()
        )
        many = await connection.scalar(select(func.count()).select_from(some)) == _MANY_MARKS
    if many:
        # The report is right without, only slower.
        with suppress(DBAPIError):
            await refresh(scope.database)


def figures(counts: Counts, *, tenant: str, campaign: Any, missing: Missing, zone: ZoneInfo, now_ms: int) -> Report:
    """The report of what was counted. Pure."""
    leads = counts.leads

    def count(which: Callable[[Cell], object]) -> int:
        return sum(number for cell, number in leads.items() if which(cell))

    audience = count(lambda cell: not _is_out(cell))
    dialled, reached = count(_is_dialled), count(_is_reached)
    excluded = Counter(counts.refused) + _reasons(leads, _is_out)
    outcomes: Counter[str] = Counter()
    for tried, number in counts.attempts.items():
        outcomes[tried.outcome or IN_FLIGHT] += number
    verdicts: Counter[str] = Counter()
    for cell, number in leads.items():
        if _is_dialled(cell):
            verdicts[cell.verdict or IN_FLIGHT] += number
    slots = list(_slots(counts))

    def of_reached(which: Callable[[Cell], object]) -> Rate:
        return Rate(count(lambda cell: _is_reached(cell) and which(cell)), reached)

    def heard(part: int) -> Rate:
        return of_reached(lambda cell: cell.quartile >= part)

    return Report(
        tenant=tenant,
        campaign=campaign.name,
        flow=campaign.flow,
        version=campaign.version,
        state=campaign.state,
        timezone=zone.key,
        as_of_ms=now_ms,
        final=campaign.state not in OPEN_STATES and not outcomes.get(IN_FLIGHT),
        first_dial_ms=counts.first_ms,
        last_dial_ms=counts.last_ms,
        rows=sum(leads.values()) + sum(counts.refused.values()),
        audience=audience,
        excluded=dict(sorted(excluded.items())),
        excluded_later=dict(
            sorted(_reasons(leads, lambda cell: cell.state == "excluded" and _is_touched(cell)).items())
        ),
        dialled=Rate(dialled, audience),
        reached=Rate(reached, dialled),
        machine=Rate(count(lambda cell: _is_dialled(cell) and cell.verdict == Outcome.MACHINE), dialled),
        unknown=Rate(count(lambda cell: cell.unknown and not _is_reached(cell)), audience),
        listened=heard(5),
        key_before_end=of_reached(lambda cell: cell.quartile < 5 and cell.stopped_by_key),
        left_before_end=of_reached(lambda cell: 0 < cell.quartile < 5 and not cell.stopped_by_key),
        not_begun=of_reached(lambda cell: cell.quartile == 0),
        quartiles=(heard(2), heard(3), heard(4), heard(5)),
        retention=_retention(counts, reached),
        message_ms=counts.longest_ms,
        follow_up=of_reached(lambda cell: cell.follow_up_step >= 0),
        opted_out=of_reached(lambda cell: cell.opted_out),
        transferred=of_reached(lambda cell: cell.transferred),
        invalid_key=of_reached(lambda cell: cell.invalid_key),
        keys=_keys(counts, reached),
        depths=tuple(
            DepthFigure(depth=depth, persons=Rate(counts.persons[each], reached))
            for depth, each in sorted((int(each.value), each) for each in _of_kind(counts, "depth"))
        ),
        follow_up_after=_follow_up_after(leads, reached),
        requests=_requests(counts, reached),
        active_elsewhere=count(lambda cell: cell.elsewhere),
        incomplete_calls=missing.calls,
        opt_outs_not_kept=missing.opt_outs,
        attempts=sum(outcomes.values()),
        attempts_dialled=sum(number for tried, number in counts.attempts.items() if tried.slot >= 0),
        attempt_outcomes=_in_order(outcomes),
        person_outcomes=_in_order(verdicts),
        numbers=_numbers(leads),
        hours=by_hour(slots, zone),
        dates=by_date(slots, zone),
    )


def _is_dialled(cell: Cell) -> bool:
    return cell.dialled > 0


def _is_reached(cell: Cell) -> bool:
    return cell.verdict == Outcome.HUMAN


def _is_touched(cell: Cell) -> bool:
    """Whether it was dialled, or may have been: such a lead stays in the audience, for no call is forgotten."""
    return _is_dialled(cell) or cell.verdict in (Outcome.HUMAN, Outcome.MACHINE) or bool(cell.unknown)


def _is_out(cell: Cell) -> bool:
    return cell.state == "excluded" and not _is_touched(cell)


def _is_out_later(cell: Cell) -> bool:
    return cell.state == "excluded" and _is_touched(cell)


def _reasons(leads: Mapping[Cell, int], which: Callable[[Cell], bool]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for cell, number in leads.items():
        if which(cell):
            reasons[cell.excluded_reason or "other"] += number
    return reasons


def _retention(counts: Counts, reached: int) -> tuple[Rate, ...]:
    stopped_in: Counter[int] = Counter()
    for cell, number in counts.leads.items():
        if cell.quartile:
            stopped_in[cell.heard_s] += number
    still, curve = stopped_in.total(), []
    for second in range(counts.longest_ms // 1000 + 1 if counts.longest_ms else 0):
        curve.append(Rate(still, reached))
        still -= stopped_in[second]
    return tuple(curve)


def _of_kind(counts: Counts, kind: str) -> Iterable[Pressed]:
    return (each for each in counts.persons if each.kind == kind)


def _keys(counts: Counts, reached: int) -> tuple[KeyFigure, ...]:
    pressed = sorted(
        _of_kind(counts, "key"),
        key=lambda key: (-counts.persons[key], key.node, key.value, key.follow_up, counts.presses[key]),
    )
    return tuple(
        KeyFigure(
            node=key.node,
            key=key.value,
            follow_up=bool(key.follow_up),
            presses=counts.presses[key],
            persons=Rate(counts.persons[key], reached),
        )
        for key in pressed
    )


def _requests(counts: Counts, reached: int) -> tuple[RequestFigure, ...]:
    asked = sorted(_of_kind(counts, "request"), key=lambda each: (-counts.persons[each], each.value))
    return tuple(
        RequestFigure(kind=each.value, requests=counts.presses[each], persons=Rate(counts.persons[each], reached))
        for each in asked
    )


def _follow_up_after(leads: Mapping[Cell, int], reached: int) -> tuple[AfterFigure, ...]:
    steps: Counter[int] = Counter()
    for cell, number in leads.items():
        if cell.follow_up_step >= 0:
            steps[cell.follow_up_step] += number
    return tuple(
        AfterFigure(from_s=step * AFTER_STEP_S, persons=Rate(number, reached)) for step, number in sorted(steps.items())
    )


def _numbers(leads: Mapping[Cell, int]) -> tuple[NumberFigure, ...]:
    tried: Counter[int] = Counter()
    answered: Counter[int] = Counter()
    for cell, number in leads.items():
        if _is_dialled(cell):
            tried[cell.dialled] += number
        if _is_reached(cell):
            answered[cell.human_number] += number
    return tuple(
        NumberFigure(number=number, persons=tried[number], reached=answered[number])
        for number in range(1, max([*tried, *answered], default=0) + 1)
    )


def _slots(counts: Counts) -> Iterable[Slot]:
    for tried, number in counts.attempts.items():
        if tried.slot >= 0:
            answered = number if tried.outcome == Outcome.HUMAN else 0
            yield Slot(number=tried.slot, attempts=number, answered=answered)
    for cell, number in counts.leads.items():
        if _is_reached(cell):
            listened, asked = cell.quartile == 5, cell.follow_up_step >= 0
            yield Slot(number=cell.human_slot, reached=number, listened=listened * number, follow_up=asked * number)


def _in_order(counts: Mapping[str, int]) -> Mapping[str, int]:
    order = [*(outcome.value for outcome in Outcome), IN_FLIGHT]
    return {name: counts[name] for name in sorted(counts, key=lambda name: (name not in order, order.index(name)))}
