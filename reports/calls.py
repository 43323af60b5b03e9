"""What happened on each call, in order: read from the tables, shown as lines of text or as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select, tuple_

from faults import Fault, UserError
from ivr.flow.steps import Ended, NoteKind
from people.numbers import mask_phone
from people.store.persons import all_phones
from people.store.scope import Scope
from people.store.tables import attempt, call, campaign, journal
from reports.chosen import find_campaign

#: A key longer than this was typed in by the caller and may be a number of somebody's own.
_MENU_KEY_DIGITS = 3

#: So many ids per query; SQLite takes 32,766 parameters at most.
_CHUNK = 1000


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line of the journal."""

    #: Since the call was answered.
    at_ms: int
    #: ivr.flow.steps.NoteKind
    kind: str
    node: str
    value: str
    follow_up: bool
    main: bool
    #: Kind `heard` only.
    heard_ms: int | None
    length_ms: int | None
    ended: str | None


@dataclass(frozen=True, kw_only=True)
class CallStory:
    id: str
    direction: str
    phone: str
    #: inbound: the number that was dialled.
    dialled: str
    #: outbound: the campaign and what became of the attempt (None: not settled yet); None for inbound.
    campaign: str | None
    outcome: str | None
    #: outbound: by which it went; None: a release before trunks were rows dialled it.
    trunk: str | None = None
    flow: str
    #: Of flow and texts; None: a release before versions wrote it, or none was published.
    version: int | None
    language: str
    amd: str
    started_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int | None
    #: None: in progress, or the engine died.
    ended_by: str | None
    moments: tuple[Moment, ...]


async def read_calls(
    scope: Scope,
    *,
    campaign_name: str | None = None,
    phone: str | None = None,
    before: str | None = None,
    limit: int = 20,
) -> list[CallStory]:
    """The newest calls of the tenant, the oldest of them first; of one campaign or with one person if named.

    `before`: the newest of those that began before the call of that id. A person is known by any of his numbers
    (E.164).

    Raises UserError when the tenant has no such campaign, or no such call.
    """
    query = (
        select(call, campaign.c.name.label("campaign"), attempt.c.outcome, attempt.c.trunk)
        .select_from(call)
        .outerjoin(attempt, (attempt.c.id == call.c.attempt_id) & (attempt.c.tenant == call.c.tenant))
        .outerjoin(campaign, (campaign.c.id == call.c.campaign_id) & (campaign.c.tenant == call.c.tenant))
        .where(call.c.tenant == scope.tenant)
        .order_by(call.c.started_at_ms.desc(), call.c.id.desc())
        .limit(limit)
    )
    if phone is not None:
        query = query.where(or_(call.c.phone == phone, call.c.phone.in_(all_phones(scope.tenant, phone))))
    async with scope.begin() as connection:
        if campaign_name is not None:
            found = await find_campaign(connection, scope, campaign_name)
            query = query.where(call.c.campaign_id == found.id)
        if before is not None:
            began = select(call.c.started_at_ms).where(call.c.id == before, call.c.tenant == scope.tenant)
            if (started_at_ms := await connection.scalar(began)) is None:
                raise UserError(Fault(what=f"There is no call {before}.", mend="See the ids with: ivr calls --json."))
            query = query.where(tuple_(call.c.started_at_ms, call.c.id) < (started_at_ms, before))
        calls = (await connection.execute(query)).all()[::-1]
        moments: dict[str, list[Moment]] = defaultdict(list)
        ids = [row.id for row in calls]
        for start in range(0, len(ids), _CHUNK):
            # A note of a release before 0007 may not say whose it is; its call does.
            its = (journal.c.tenant == scope.tenant) | journal.c.tenant.is_(None)
            chunk = journal.c.call_id.in_(ids[start : start + _CHUNK])
            notes = select(journal).where(chunk, its).order_by(journal.c.call_id, journal.c.seq)
            for row in await connection.execute(notes):
                moments[row.call_id].append(_from_row(Moment, row))
    return [replace(_from_row(CallStory, row, moments=()), moments=tuple(moments[row.id])) for row in calls]


def _from_row(kind: Any, row: Any, **more: Any) -> Any:
    return kind(**{name: getattr(row, name) for name in kind.__dataclass_fields__ if name not in more}, **more)


def private(calls: Iterable[CallStory]) -> list[CallStory]:
    """The calls with phones masked, and with what callers typed in hidden but for its length."""
    return [
        replace(
            story,
            phone=mask_phone(story.phone),
            moments=tuple(
                replace(moment, value=f"({len(moment.value)} digits)") if _typed_in(moment) else moment
                for moment in story.moments
            ),
        )
        for story in calls
    ]


def _typed_in(moment: Moment) -> bool:
    return moment.kind in (NoteKind.KEY, NoteKind.INVALID, NoteKind.IGNORED) and len(moment.value) > _MENU_KEY_DIGITS


def calls_json(calls: Sequence[CallStory]) -> str:
    """The calls as a JSON array; keys are the fields of CallStory and Moment, times are UTC ms."""
    return json.dumps([asdict(story) for story in calls], ensure_ascii=False, indent=2) + "\n"


def timeline(story: CallStory, zone: ZoneInfo) -> list[str]:
    """The call as lines: a heading, then a line per moment with its seconds since the answer."""
    at = datetime.fromtimestamp(story.started_at_ms / 1000, zone)
    who = story.phone or "number withheld"
    parts = [f"{at:%Y-%m-%d %H:%M:%S}", story.direction, who]
    if story.dialled:
        parts.append(f"to {story.dialled}")
    if story.campaign is not None:
        parts += [f"campaign {story.campaign}", story.outcome or "outcome not known yet"]
    lines = ["  ".join([*parts, story.id])]
    if story.answered_at_ms is None:
        lines.append(_line(None, "not answered"))
    else:
        amd = f", AMD {story.amd}" if story.amd else ""
        version = f" (version {story.version})" if story.version is not None else ""
        lines.append(_line(0, f"answered, flow {story.flow}{version}, {story.language}{amd}"))
    lines += [_line(moment.at_ms, _said(moment)) for moment in story.moments]
    began = story.started_at_ms if story.answered_at_ms is None else story.answered_at_ms
    ended_ms = None if story.ended_at_ms is None else story.ended_at_ms - began
    lines.append(_line(ended_ms, _ended(story.ended_by)))
    return lines


def _line(at_ms: int | None, text: str) -> str:
    return f"  {'' if at_ms is None else f'{at_ms / 1000:.1f}':>7}  {text}"


_ENDED_BY = {
    "hang_up": "the caller hung up",
    "no_audio": "hung up on: no audio came from the phone for as long as trunk.rtp_timeout_s says",
    "flow": "hung up at the end of the flow",
    "steps": "ended: the flow went round in circles",
    "fault": "ended by a fault on our side",
    "drain": "ended: the engine was being stopped",
    "limit": "ended: the longest allowed call was reached",
}


def _ended(ended_by: str | None) -> str:
    if ended_by is None:
        return "still in progress, or the engine died in mid-call"
    return _ENDED_BY.get(ended_by, f"ended: {ended_by}")


def _said(moment: Moment) -> str:
    """A moment in words. A kind that is newer than this program is shown as it is stored."""
    if moment.kind not in {kind.value for kind in NoteKind}:
        return f"{moment.kind} {moment.value} in {moment.node}"
    kind = NoteKind(moment.kind)
    match kind:
        case NoteKind.HEARD:
            return _heard(moment)
        case NoteKind.KEY:
            return f"key {moment.value} in {moment.node}{' (a follow-up question)' if moment.follow_up else ''}"
        case NoteKind.INVALID:
            return f"wrong key {moment.value} in {moment.node}"
        case NoteKind.IGNORED:
            return f"key {moment.value} in {moment.node}, which led nowhere"
        case NoteKind.NO_INPUT:
            return f"silence in {moment.node}"
        case NoteKind.LANGUAGE:
            return f"language {moment.value}"
        case NoteKind.OPT_OUT:
            return "asked never to be called again"
        case NoteKind.REQUEST:
            return f"asked for {moment.value}"
        case NoteKind.TRANSFER:
            return f"transfer to {moment.value}"
        case NoteKind.FAULT:
            return f"fault in {moment.node}: {moment.value}"
        case _:
            assert_never(kind)


_STOPPED = {
    Ended.PLAYED: "to the end",
    Ended.KEY: "stopped by a key",
    Ended.HANG_UP: "stopped by the hang-up",
    Ended.FAULT: "could not be played",
    Ended.STOPPED: "stopped by the engine",
}


def _heard(moment: Moment) -> str:
    name = f"heard {moment.value}{' (main message)' if moment.main else ''}"
    if moment.heard_ms is None or moment.length_ms is None:
        return name
    stopped = _STOPPED[Ended(moment.ended)] if moment.ended in {end.value for end in Ended} else str(moment.ended)
    return f"{name} {moment.heard_ms / 1000:.2f} of {moment.length_ms / 1000:.2f} s, {stopped}"
