"""Two temporary tables with a row per person, which every figure is then counted from. They live in one transaction.

A person is a lead. `person` has those of the campaign with an attempt; `talk` those with anything in the journal of a
call that a human answered.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Table,
    and_,
    case,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateTable

from ivr.flow.steps import Ended, NoteKind
from outbound.plan.outcome import Outcome
from people.store.tables import attempt, call, journal
from reports.by_time import SLOT_MS

#: How far from the end of a message still counts as its end.
END_TOLERANCE_MS = 500

#: `person.verdict` names an outcome by its place here; 0 is "none settled yet".
VERDICTS: tuple[str | None, ...] = (None, *(outcome.value for outcome in Outcome))

_scratch = MetaData()

person = Table(
    "report_person",
    _scratch,
    Column("lead_id", Integer, primary_key=True, autoincrement=False),
    #: Attempts that reached the network, those aside that we gave up ourselves.
    Column("dialled", Integer, nullable=False),
    #: 0 or 1: an attempt with this outcome.
    Column("human", Integer, nullable=False),
    Column("machine", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    #: Place in VERDICTS: human if any attempt was, else machine, else the last settled one.
    Column("verdict", Integer, nullable=False),
    #: The first attempt that a human answered: its number, and the quarter of an hour in which it was dialled.
    Column("human_number", Integer),
    Column("human_slot", BigInteger),
    prefixes=["TEMPORARY"],
)

talk = Table(
    "report_talk",
    _scratch,
    Column("lead_id", Integer, primary_key=True, autoincrement=False),
    #: 0 or 1: the main message began; so much of it was heard; a key stopped it before its end.
    Column("began", Integer, nullable=False),
    Column("quarter", Integer, nullable=False),
    Column("half", Integer, nullable=False),
    Column("three_quarters", Integer, nullable=False),
    Column("listened", Integer, nullable=False),
    Column("stopped_by_key", Integer, nullable=False),
    #: The longest listen to the main message; None: it never began.
    Column("heard_ms", Integer),
    Column("length_ms", Integer),
    #: 0 or 1
    Column("follow_up", Integer, nullable=False),
    Column("opted_out", Integer, nullable=False),
    Column("transferred", Integer, nullable=False),
    Column("invalid_key", Integer, nullable=False),
    #: First follow-up key, ms since the answer of its call.
    Column("follow_up_at_ms", Integer),
    prefixes=["TEMPORARY"],
)


def _any_row(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """1 if a row of the group meets the condition, else 0."""
    return func.max(case((condition, 1), else_=0))


def _persons(campaign_id: int) -> Any:
    human = attempt.c.outcome == Outcome.HUMAN.value
    # What we gave up ourselves says nothing of the person: it is as if it had not been.
    ours = Outcome.CANCELLED.value
    codes = {name: place for place, name in enumerate(VERDICTS) if name not in (None, ours)}
    code = case(codes, value=attempt.c.outcome, else_=0)
    # The greatest weight wins: human, then machine, then the highest number among the settled.
    weight = case(
        (attempt.c.outcome.is_(None), 0),
        (attempt.c.outcome == ours, 0),
        (human, 2_000_000),
        (attempt.c.outcome == Outcome.MACHINE.value, 1_000_000),
        else_=attempt.c.number,
    )
    slot = func.coalesce(attempt.c.dialled_at_ms, attempt.c.planned_at_ms) // SLOT_MS
    return (
        select(
            attempt.c.lead_id,
            func.count(case((func.coalesce(attempt.c.outcome, "") != ours, attempt.c.dialled_at_ms))),
            _any_row(human),
            _any_row(attempt.c.outcome == Outcome.MACHINE.value),
            _any_row(attempt.c.outcome == Outcome.UNKNOWN.value),
            func.max(weight * 16 + code) % 16,
            func.min(case((human, attempt.c.number))),
            func.min(case((human, slot))),
        )
        .where(attempt.c.campaign_id == campaign_id)
        .group_by(attempt.c.lead_id)
    )


def journal_of(tenant: str, campaign_id: int, *columns: Any) -> Any:
    """The columns of attempt, call and journal, joined, for the campaign's calls."""
    return (
        select(*columns)
        .select_from(call)
        .join(attempt, attempt.c.id == call.c.attempt_id)
        .join(journal, journal.c.call_id == call.c.id)
        .where(call.c.campaign_id == campaign_id, call.c.tenant == tenant)
    )


def _talks(tenant: str, campaign_id: int) -> Any:
    heard, length = journal.c.heard_ms, journal.c.length_ms
    main = and_(
        journal.c.kind == NoteKind.HEARD.value,
        journal.c.main.is_(True),
        journal.c.ended != Ended.FAULT.value,
        length > 0,
    )
    to_end = and_(main, heard >= length - END_TOLERANCE_MS)
    follow_up = and_(journal.c.kind == NoteKind.KEY.value, journal.c.follow_up.is_(True))
    return (
        journal_of(
            tenant,
            campaign_id,
            attempt.c.lead_id,
            _any_row(main),
            _any_row(and_(main, or_(to_end, heard * 4 >= length))),
            _any_row(and_(main, or_(to_end, heard * 2 >= length))),
            _any_row(and_(main, or_(to_end, heard * 4 >= length * 3))),
            _any_row(to_end),
            _any_row(and_(main, journal.c.ended == Ended.KEY.value)),
            func.max(case((main, heard))),
            func.max(case((main, length))),
            _any_row(follow_up),
            _any_row(journal.c.kind == NoteKind.OPT_OUT.value),
            _any_row(journal.c.kind == NoteKind.TRANSFER.value),
            _any_row(journal.c.kind == NoteKind.INVALID.value),
            func.min(case((follow_up, journal.c.at_ms))),
        )
        .where(attempt.c.outcome == Outcome.HUMAN.value)
        .group_by(attempt.c.lead_id)
    )


async def fill(connection: AsyncConnection, tenant: str, campaign_id: int) -> None:
    """Make and fill both tables. They vanish when the connection's transaction is rolled back."""
    for table, rows in ((person, _persons(campaign_id)), (talk, _talks(tenant, campaign_id))):
        await connection.execute(CreateTable(table))
        await connection.execute(insert(table).from_select(list(table.c), rows))
