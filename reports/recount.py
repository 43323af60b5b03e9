"""Count results from attempts, calls and journal: what is kept of them is counted so, and proved by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)

from ivr.flow.steps import Ended, NoteKind
from outbound.plan.outcome import Outcome
from people.store.results import pressed, result, tally
from people.store.scope import Scope
from people.store.tables import attempt, call, journal, lead
from reports.by_time import SLOT_MS
from reports.figures import AFTER_STEP_S, TYPED_IN

#: How far from the end of a message still counts as its end.
END_TOLERANCE_MS = 500

#: Longest key of a menu that is shown as it is; anything longer was typed in by the caller.
_MENU_KEY_DIGITS = 3

#: Which leads: a condition on the columns of a tenant, and of a campaign's and a lead's id.
Which = Callable[[ColumnElement[str], ColumnElement[int], ColumnElement[int]], ColumnElement[bool]]

#: What of `tally` tells leads apart.
CELL = tuple(column.name for column in tally.c if column.primary_key and column.name != "campaign_id")
#: What of `pressed` tells keys and requests apart.
PRESSED = ("kind", "node", "value", "follow_up")

_human = attempt.c.outcome == Outcome.HUMAN.value


def of_campaign(scope: Scope, campaign_id: int) -> Which:
    return lambda tenant, campaign, _: (campaign == campaign_id) & (tenant == scope.tenant)


def among(lead_ids: Any, scope: Scope | None = None) -> Which:
    """Those leads that the select `lead_ids` has, of one tenant or of whichever."""

    def which(tenant: ColumnElement[str], _: object, each: ColumnElement[int]) -> ColumnElement[bool]:
        return each.in_(lead_ids) if scope is None else each.in_(lead_ids) & (tenant == scope.tenant)

    return which


def _any_row(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """1 if a row of the group meets the condition, else 0."""
    return func.max(case((condition, 1), else_=0))


def slot_of(at_ms: ColumnElement[int]) -> ColumnElement[int]:
    return at_ms // literal_column(str(SLOT_MS), Integer)


def _persons(which: Which) -> Any:
    # What we gave up ourselves says nothing of the person: it is as if it had not been.
    ours = Outcome.CANCELLED.value
    names = [outcome.value for outcome in Outcome if outcome.value != ours]
    code = case({name: place for place, name in enumerate(names, 1)}, value=attempt.c.outcome, else_=0)
    # The greatest weight wins: human, then machine, then the highest number among the settled.
    weight = case(
        (attempt.c.outcome.is_(None), 0),
        (attempt.c.outcome == ours, 0),
        (_human, 2_000_000),
        (attempt.c.outcome == Outcome.MACHINE.value, 1_000_000),
        else_=attempt.c.number,
    )
    won = func.max(weight * 64 + code) % 64
    slot = slot_of(func.coalesce(attempt.c.dialled_at_ms, attempt.c.planned_at_ms))
    return (
        select(
            attempt.c.lead_id,
            func.count(case((func.coalesce(attempt.c.outcome, "") != ours, attempt.c.dialled_at_ms))).label("dialled"),
            case(dict(enumerate(names, 1)), value=won, else_="").label("verdict"),
            _any_row(attempt.c.outcome == Outcome.UNKNOWN.value).label("unknown"),
            func.min(case((_human, attempt.c.number))).label("human_number"),
            func.min(case((_human, slot))).label("human_slot"),
        )
        .where(which(attempt.c.tenant, attempt.c.campaign_id, attempt.c.lead_id))
        .group_by(attempt.c.lead_id)
        .subquery("persons")
    )


def _journal(which: Which, *columns: Any) -> Any:
    """The columns of attempt, call and journal, joined, for the leads' calls."""
    return (
        select(*columns)
        .select_from(attempt)
        .join(call, call.c.attempt_id == attempt.c.id)
        .join(journal, journal.c.call_id == call.c.id)
        .where(which(attempt.c.tenant, attempt.c.campaign_id, attempt.c.lead_id))
        # Computed, so that no database looks for it by the index of all calls of a tenant.
        .where(func.coalesce(call.c.tenant, "") == attempt.c.tenant)
    )


def _kind(*kinds: NoteKind) -> ColumnElement[bool]:
    return journal.c.kind.in_([kind.value for kind in kinds])


def _talks(which: Which) -> Any:
    heard, length = journal.c.heard_ms, journal.c.length_ms
    main = and_(
        _human, _kind(NoteKind.HEARD), journal.c.main.is_(True), journal.c.ended != Ended.FAULT.value, length > 0
    )
    quartile = case(
        (heard >= length - END_TOLERANCE_MS, 5),
        (heard * 4 >= length * 3, 4),
        (heard * 2 >= length, 3),
        (heard * 4 >= length, 2),
        else_=1,
    )
    follow_up = and_(_human, _kind(NoteKind.KEY), journal.c.follow_up.is_(True))
    active = _kind(NoteKind.KEY, NoteKind.OPT_OUT, NoteKind.TRANSFER, NoteKind.REQUEST)
    return (
        _journal(
            which,
            attempt.c.lead_id,
            func.max(case((main, quartile), else_=0)).label("quartile"),
            _any_row(and_(main, journal.c.ended == Ended.KEY.value)).label("stopped_by_key"),
            func.max(case((main, heard))).label("heard_ms"),
            func.max(case((main, length))).label("length_ms"),
            func.min(case((follow_up, journal.c.at_ms))).label("follow_up_at_ms"),
            _any_row(and_(_human, _kind(NoteKind.OPT_OUT))).label("opted_out"),
            _any_row(and_(_human, _kind(NoteKind.TRANSFER))).label("transferred"),
            _any_row(and_(_human, _kind(NoteKind.INVALID))).label("invalid_key"),
            _any_row(and_(attempt.c.outcome != Outcome.HUMAN.value, active)).label("elsewhere"),
        )
        .group_by(attempt.c.lead_id)
        .subquery("talks")
    )


def results(which: Which) -> Any:
    """Rows of `result`, of all the leads.

    What is known of a lead comes in three rows that are put together, not in a join: PostgreSQL, which takes a group
    it has no statistics of for a single row, would count all attempts anew for each lead.
    """
    own = (lead.c[column.name] for column in result.c if column.name in lead.c)
    leads = (
        select(*own, lead.c.id.label("lead_id"))
        .where(which(lead.c.tenant, lead.c.campaign_id, lead.c.id))
        .subquery("leads")
    )
    parts = (leads, _persons(which), _talks(which))
    known = union_all(
        *(
            select(*(part.c.get(each.name, cast(null(), each.type)).label(each.name) for each in result.c))
            for part in parts
        )
    ).subquery("known")

    def value(column: Any) -> Any:
        # Of each column one row knows more than nothing.
        expression = known.c.lead_id if column.name == "lead_id" else func.max(known.c[column.name])
        missing = None if column.nullable else "" if isinstance(column.type, String) else 0
        filled = expression if missing is None or column.primary_key else func.coalesce(expression, missing)
        return filled.label(column.name)

    return select(*map(value, result.c)).group_by(known.c.lead_id)


def presses(which: Which) -> Any:
    """Rows of `pressed`, of all the leads."""
    typed_in = func.length(journal.c.value) > _MENU_KEY_DIGITS
    follow_up = case((journal.c.follow_up.is_(True), 1), else_=0)

    def of(kind: str, what: NoteKind, node: Any, value: Any, asked: Any, *more: Any) -> Any:
        return _journal(
            which,
            attempt.c.campaign_id,
            attempt.c.tenant,
            attempt.c.lead_id,
            literal(kind).label("kind"),
            node.label("node"),
            value.label("value"),
            asked.label("follow_up"),
        ).where(_human, _kind(what), *more)

    every = union_all(
        of("key", NoteKind.KEY, journal.c.node, case((typed_in, TYPED_IN), else_=journal.c.value), follow_up),
        of(
            *("depth", NoteKind.KEY, literal(""), cast(journal.c.depth, String), literal(1)),
            journal.c.follow_up.is_(True),
        ),
        of("request", NoteKind.REQUEST, literal(""), journal.c.value, literal(0)),
    ).subquery("presses")
    same = [every.c[column.name] for column in pressed.c if column.name != "times"]
    return select(*same, func.count().label("times")).group_by(*same)


def attempts(scope: Scope, campaign_id: int) -> Any:
    """Rows of `attempt_tally`, of one campaign."""
    outcome = func.coalesce(attempt.c.outcome, "").label("outcome")
    slot = func.coalesce(slot_of(attempt.c.dialled_at_ms), -1).label("slot")
    at = attempt.c.dialled_at_ms
    return (
        select(outcome, slot, func.count().label("attempts"), func.min(at).label("first"), func.max(at).label("last"))
        .where(attempt.c.campaign_id == campaign_id, attempt.c.tenant == scope.tenant)
        .group_by(attempt.c.outcome, literal_column("slot"))
    )


def cells(rows: Any, count: Any, *more: Any) -> Any:
    """Rows of `result`, those of the same cell of `tally` as one, with `count` and `more` of them.

    `rows` has the columns of `result`.
    """
    step_ms = literal_column(str(AFTER_STEP_S * 1000), Integer)
    computed = {
        "heard_s": func.coalesce(rows.c.heard_ms // literal_column("1000", Integer), -1),
        "follow_up_step": func.coalesce(rows.c.follow_up_at_ms // step_ms, -1),
    }
    same = [computed[name].label(name) if name in computed else rows.c[name] for name in CELL]
    groups = [literal_column(name) if name in computed else rows.c[name] for name in CELL]
    return select(*same, count, *more).group_by(*groups)


def same_presses(rows: Any, *counts: Any) -> Any:
    """Rows of `pressed`, those of the same key or request as one, with `counts` of them."""
    same = [rows.c[name] for name in PRESSED]
    return select(*same, *counts).group_by(*same)
