"""The tables of results: what the calls of each lead came to, and how many leads of a campaign came to the same.

Triggers mark the lead in `stale` with every change of its attempts, calls and notes, in the transaction of the change.
What is here is of the time before the marks (reports.kept brings it up to date, and reads it).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Identity, Index, Integer, String, Table, func, select

from people.store.scope import Scope
from people.store.tables import attempt, campaign, lead, metadata

__all__ = [
    "attempt_tally",
    "how_many_leads",
    "metadata",
    "pressed",
    "pressed_tally",
    "removed",
    "result",
    "stale",
    "tally",
    "uncountable",
]


def _of_campaign() -> list[Any]:
    return [
        Column("campaign_id", Integer, primary_key=True, autoincrement=False),
        Column("tenant", String(64), nullable=False),
    ]


def _came_to(*, key: bool) -> list[Any]:
    """What is said of a lead alike in both tables; "" and 0 for what is not there."""

    def column(name: str, kind: Any) -> Column[Any]:
        return Column(name, kind, primary_key=key, nullable=False, autoincrement=False)

    return [
        #: As the lead has them.
        column("state", String(16)),
        column("outcome", String(16)),
        column("excluded_reason", String(32)),
        #: Attempts that reached the network, those aside that we gave up ourselves.
        column("dialled", Integer),
        #: Outcome: human if any attempt was, else machine, else the last settled one; "" before that.
        column("verdict", String(16)),
        #: 0 or 1: what became of an attempt could not be learned.
        column("unknown", Integer),
        #: The first attempt that a human answered: its number, and the quarter of an hour since 1970 it was dialled in.
        column("human_number", Integer),
        column("human_slot", Integer),
        #: The rest is of calls that a human answered. The main message: 0 did not begin, 1 began, 2 a quarter of it was
        #: heard, 3 half, 4 three quarters, 5 all.
        column("quartile", Integer),
        #: 0 or 1: a key stopped it.
        column("stopped_by_key", Integer),
        #: 0 or 1
        column("opted_out", Integer),
        column("transferred", Integer),
        column("invalid_key", Integer),
        #: 0 or 1: did something on a call that does not count as answered by a human.
        column("elsewhere", Integer),
    ]


def _of_lead() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "campaign_id", "lead_id"], ["lead.tenant", "lead.campaign_id", "lead.id"])


def _its() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "campaign_id"], ["campaign.tenant", "campaign.id"])


#: A lead whose state has changed, or that was dialled.
result = Table(
    "result",
    metadata,
    *_of_campaign(),
    Column("lead_id", Integer, primary_key=True, autoincrement=False),
    *_came_to(key=False),
    #: The longest listen to the main message, and its length; None: it never began.
    Column("heard_ms", Integer),
    Column("length_ms", Integer),
    #: First follow-up key, since the answer of its call; None: there was none.
    Column("follow_up_at_ms", Integer),
    _of_lead(),
    sqlite_with_rowid=False,
)

#: Leads of a campaign with the same result.
tally = Table(
    "tally",
    metadata,
    *_of_campaign(),
    *_came_to(key=True),
    #: Whole seconds of `heard_ms`, steps of ten seconds of `follow_up_at_ms`; -1: None.
    Column("heard_s", Integer, primary_key=True, autoincrement=False),
    Column("follow_up_step", Integer, primary_key=True, autoincrement=False),
    Column("leads", Integer, nullable=False),
    #: The greatest `length_ms` of any lead that ever was among them: no lead's gets less.
    Column("longest_ms", Integer, nullable=False),
    _its(),
    sqlite_with_rowid=False,
)


def _pressed() -> list[Any]:
    return [
        #: key, request, or depth: a follow-up key with so many before it (`value`).
        Column("kind", String(16), primary_key=True),
        Column("node", String(100), primary_key=True),
        #: The key, or that something was typed in; the kind of request.
        Column("value", String(200), primary_key=True),
        #: 0 or 1
        Column("follow_up", Integer, primary_key=True, autoincrement=False),
        Column("times", Integer, nullable=False),
    ]


#: What a lead pressed and asked for on calls that a human answered.
pressed = Table(
    "pressed",
    metadata,
    *_of_campaign(),
    Column("lead_id", Integer, primary_key=True, autoincrement=False),
    *_pressed(),
    _of_lead(),
    sqlite_with_rowid=False,
)

pressed_tally = Table(
    "pressed_tally",
    metadata,
    *_of_campaign(),
    *_pressed(),
    Column("leads", Integer, nullable=False),
    _its(),
    sqlite_with_rowid=False,
)

attempt_tally = Table(
    "attempt_tally",
    metadata,
    *_of_campaign(),
    #: "": in flight
    Column("outcome", String(16), primary_key=True),
    #: In which quarter of an hour since 1970 they were dialled; -1: they were not.
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("attempts", Integer, nullable=False),
    #: When the first and the last that ever were among them were dialled: no attempt is dialled at another time later.
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    _its(),
    sqlite_with_rowid=False,
)

#: A lead whose result is to be counted anew. There may be many of one lead: whoever writes waits for nobody.
stale = Table(
    "stale",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("campaign_id", Integer, nullable=False),
    Column("lead_id", Integer, nullable=False),
    #: One attempt more (1) or less (-1) of this outcome and instant; 0: none.
    Column("attempts", Integer, nullable=False),
    Column("outcome", String(16)),
    Column("dialled_at_ms", BigInteger),
    Index("ix_stale_lead", "campaign_id", "lead_id"),
)


def how_many_leads(scope: Scope, campaign_id: int) -> Any:
    """A query for how many leads the campaign has; it counts those whom nobody has counted."""
    new = (
        lead.c.campaign_id == campaign_id,
        lead.c.tenant == scope.tenant,
        lead.c.id > func.coalesce(campaign.c.counted_to, 0),
    )
    its = (campaign.c.id == campaign_id, campaign.c.tenant == scope.tenant)
    counted = select(func.count()).select_from(lead).where(*new).scalar_subquery()
    return select(func.coalesce(campaign.c.leads, 0) + counted).where(*its)


#: Campaigns of whose calls the rows were removed: their results stay as they were counted before.
removed = Table(
    "removed",
    metadata,
    *_of_campaign(),
    #: Of calls that started before this moment.
    Column("before_ms", BigInteger, nullable=False),
    _its(),
)


def uncountable() -> Any:
    """A query for the leads whose result can't be counted anew: rows of their calls were removed."""
    dialled = func.coalesce(attempt.c.dialled_at_ms, attempt.c.planned_at_ms)
    return (
        select(attempt.c.lead_id)
        .join(removed, removed.c.campaign_id == attempt.c.campaign_id)
        .where(dialled < removed.c.before_ms)
    )
