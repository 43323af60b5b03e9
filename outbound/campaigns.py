"""Start, pause, resume and stop campaigns, find them, and count how far they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Text, cast, exists, func, literal, or_, select, true, union_all, update

from faults import Fault, UserError
from ivr.settings import Outbound
from outbound.plan.retry import Retry
from people.store.results import how_many_leads, result, stale, tally
from people.store.scope import Scope
from people.store.tables import DIALLING, WAITING, campaign, lead
from people.tenants import check_open

#: importing: the contacts file is being read, or its reading was broken off.
State = Literal["importing", "ready", "running", "paused", "stopped", "finished"]
_STATES: tuple[str, ...] = get_args(State)
Action = Literal["start", "pause", "resume", "stop"]

_TRANSITIONS: Mapping[Action, tuple[frozenset[State], State]] = {
    "start": (frozenset({"ready"}), "running"),
    "pause": (frozenset({"running"}), "paused"),
    "resume": (frozenset({"paused"}), "running"),
    "stop": (frozenset({"ready", "running", "paused"}), "stopped"),
}

_INSTEAD: Mapping[State, str] = {
    "importing": "Its contacts were not read to the end. Make it again with: ivr campaign create {name}.",
    "ready": "Start it with: ivr campaign start {name}.",
    "running": "See how far it is with: ivr campaign status {name}.",
    "paused": "Go on with it with: ivr campaign resume {name}.",
    "stopped": "A stopped campaign is never dialled again; make a new one with: ivr campaign create.",
    "finished": "See its result with: ivr report {name}.",
}


#: campaign.paused_because: it goes on in another database.
MOVED = "moved"
#: States of a campaign whose people may be dialled some day.
MAY_BE_DIALLED: tuple[State, ...] = ("ready", "running", "paused")


class Rules(Outbound):
    """How a campaign is dialled: the site's defaults, or its own."""

    @classmethod
    def of(cls, defaults: Outbound, **own: object) -> Rules:
        """The site's defaults with the campaign's `own` where they are not None. Raises UserError when out of range."""
        given = {name: value for name, value in own.items() if value is not None}
        try:
            return cls.model_validate(defaults.model_dump() | given)
        except ValidationError as error:
            raise UserError(
                [
                    Fault(what=f"{item['loc'][0]}: {item['msg']}.", mend="Give another value; see --help.")
                    for item in error.errors(include_url=False)
                ]
            ) from error

    @property
    def retry(self) -> Retry:
        return Retry.after(self.retry_after_s, max_attempts=self.max_attempts)


@dataclass(frozen=True, kw_only=True)
class Campaign:
    id: int
    tenant: str
    name: str
    flow: str
    #: Of its flow and texts; None: a release before versions made it.
    version: int | None
    main_message: str
    #: One of State, unless there is a `fault`.
    state: State
    #: Why it is paused, if no person did that: restored, moved.
    paused_because: str | None
    #: None: there is a `fault`.
    rules: Rules | None
    #: Why this release can't dial it; the others go on.
    fault: Fault | None
    created_at_ms: int
    started_at_ms: int | None
    ended_at_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    waiting: int
    dialling: int
    done: int
    excluded: int
    #: Leads by the outcome of their last settled attempt; done or waiting for the next.
    outcomes: Mapping[str, int]

    @property
    def leads(self) -> int:
        return self.waiting + self.dialling + self.done + self.excluded


async def change_state(scope: Scope, *, name: str, action: Action, now_ms: int) -> Campaign:
    """The campaign after `action`. Raises UserError when it is not there, or its state or its tenant's forbids it."""
    allowed, state = _TRANSITIONS[action]
    values: dict[str, object] = {"state": state, "paused_because": None}
    if action == "start":
        values["started_at_ms"] = now_ms
    if action == "stop":
        values["ended_at_ms"] = now_ms
    still_here = (func.coalesce(campaign.c.paused_because, "") != MOVED,) if action == "resume" else ()
    async with scope.begin() as connection:
        changed = await connection.execute(
            update(campaign)
            .where(
                campaign.c.tenant == scope.tenant, campaign.c.name == name, campaign.c.state.in_(allowed), *still_here
            )
            .values(values)
        )
        if state == "running":
            await check_open(connection, scope)
    found = await find(scope, name=name)
    if changed.rowcount == 0:
        if found.fault is not None:
            raise UserError(found.fault)
        if found.paused_because == MOVED:
            what = f"Campaign {name!r} goes on in another database: everything here was copied into that."
            raise UserError(
                Fault(what=what, mend="Name that one in ivr.toml: database. The README tells how to go back.")
            )
        mend = _INSTEAD[found.state].format(name=name)
        raise UserError(Fault(what=f"Campaign {name!r} is {found.state}: it can't {action}.", mend=mend))
    return found


async def adopt_version(scope: Scope, *, flows: Collection[str], version: int) -> None:
    """Give `version` to the campaigns of these flows that have none and may still dial: a release before made them."""
    theirs = (campaign.c.tenant == scope.tenant, campaign.c.version.is_(None), campaign.c.flow.in_(flows))
    open_ = campaign.c.state.in_(("ready", "running", "paused"))
    async with scope.begin() as connection:
        await connection.execute(update(campaign).where(*theirs, open_).values(version=version))


async def find(scope: Scope, *, name: str) -> Campaign:
    """The campaign of this name. Raises UserError when there is none."""
    found = await _read(scope, campaign.c.name == name)
    if not found:
        raise UserError(Fault(what=f"There is no campaign {name!r}.", mend="See the names with: ivr campaign list."))
    return found[0]


async def list_campaigns(scope: Scope, *, ids: Collection[int] | None = None) -> list[Campaign]:
    """The tenant's campaigns in the order they were made; some only, if given.

    One that this release does not understand is among them, with its fault: the others are read all the same.
    """
    return await _read(scope, true() if ids is None else campaign.c.id.in_(ids))


async def _read(scope: Scope, which: ColumnElement[bool]) -> list[Campaign]:
    # As text: JSON that can't be read would otherwise lose every row.
    columns = [each for each in campaign.c if each.name != "rules"]
    rows = select(*columns, cast(campaign.c.rules, Text).label("rules"))
    rows = rows.where(campaign.c.tenant == scope.tenant, which).order_by(campaign.c.id)
    async with scope.begin() as connection:
        return [_campaign(row) for row in await connection.execute(rows)]


def _campaign(row: Any) -> Campaign:
    rules, fault = None, None
    try:
        rules = Rules.model_validate_json(row.rules)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"]))
        what = f"the rule {name!r}" if name else "its rules"
        fault = _not_understood(row.name, f"{what} ({first['msg']})")
    if row.state not in _STATES:
        rules, fault = None, _not_understood(row.name, f"the state {row.state!r}")
    return Campaign(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        flow=row.flow,
        version=row.version,
        main_message=row.main_message,
        state=row.state,
        paused_because=row.paused_because if row.state == "paused" else None,
        rules=rules,
        fault=fault,
        created_at_ms=row.created_at_ms,
        started_at_ms=row.started_at_ms,
        ended_at_ms=row.ended_at_ms,
    )


def _not_understood(name: str, what: str) -> Fault:
    return Fault(
        what=f"Campaign {name!r} can't be dialled: this release does not understand {what}.",
        mend="Run the release that made it, or make the campaign again with: ivr campaign create. The others go on.",
    )


async def finish_if_done(scope: Scope, campaign_id: int, *, now_ms: int) -> bool:
    """Whether the running campaign has come to its end just now: no lead is waiting or being dialled."""
    its = (lead.c.campaign_id == campaign_id, lead.c.tenant == scope.tenant)
    over = ~or_(*(exists().where(*its, which) for which in (WAITING, DIALLING)))
    async with scope.begin() as connection:
        changed = await connection.execute(
            update(campaign)
            .where(campaign.c.id == campaign_id, campaign.c.tenant == scope.tenant)
            .where(campaign.c.state == "running", over)
            .values(state="finished", ended_at_ms=now_ms)
        )
    return changed.rowcount == 1


async def count_progress(scope: Scope, campaign_id: int) -> Progress:
    """How many leads are in each state, and their outcomes so far."""

    def its(table: Any) -> Any:
        return (table.c.campaign_id == campaign_id) & (table.c.tenant == scope.tenant)

    marked = select(stale.c.lead_id).where(its(stale))
    no_outcome = func.coalesce(lead.c.outcome, "")
    # As it is kept, but what the marked leads were is taken out, and what they are now is added.
    counted = union_all(
        select(tally.c.state, tally.c.outcome, tally.c.leads).where(its(tally)),
        select(result.c.state, result.c.outcome, literal(-1)).where(its(result), result.c.lead_id.in_(marked)),
        select(lead.c.state, no_outcome, literal(1)).where(its(lead), lead.c.id.in_(marked)),
    )
    states: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    async with scope.snapshot() as connection:
        leads = await connection.scalar(how_many_leads(scope, campaign_id)) or 0
        for state, outcome, count in await connection.execute(counted):
            states[state] += count
            if outcome:
                outcomes[outcome] += count
    # Whatever happens to a lead marks it, so the others still wait for their first attempt.
    states["waiting"] += leads - states.total()
    return Progress(
        waiting=states["waiting"],
        dialling=states["dialling"],
        done=states["done"],
        excluded=states["excluded"],
        outcomes=+outcomes,
    )
