"""Make a campaign of a contacts file: its rows as leads, in short transactions, by one maker at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import JSON, ColumnElement, Integer, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from faults import AuthorError, Fault, UserError
from outbound.campaigns import Rules, State
from people.contacts import Contact, ContactsFile, RefusedRow
from people.store.dialect import upsert
from people.store.scope import Scope
from people.store.tables import campaign, contact, lead, refused_row
from people.tenants import check_open

#: Rows per transaction: a transaction is short enough for the journal of calls in progress to get in between.
_BATCH = 500

#: It is typed in commands and names files.
_NAME = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Created:
    campaign_id: int
    leads: int
    #: Rows of the file that never became a lead, by reason.
    refused: Mapping[str, int]
    #: The first of them, to show.
    examples: tuple[RefusedRow, ...]
    notices: tuple[str, ...]


async def create(
    scope: Scope,
    *,
    name: str,
    flow: str,
    version: int | None = None,
    main_message: str,
    rules: Rules,
    contacts: ContactsFile,
    clock_ms: Callable[[], int],
    told: Callable[[int], None] = lambda _: None,
    look: Callable[[Contact], None] = lambda _: None,
) -> Created:
    """A campaign in state ready with a lead for every good row of `contacts`.

    `told` hears of the rows read so far, `look` of each contact that is taken. Raises UserError when the name is taken
    or is none, or the tenant is closed, AuthorError when no row is good: then there is no campaign. When it is broken
    off, the campaign stays in state importing and can't be started; making it again begins afresh, and ends whoever is
    still making it with UserError.
    """
    if not _NAME.fullmatch(name):
        what = f"{name[:80]!r} is no name for a campaign."
        raise UserError(Fault(what=what, mend="Write up to 64 letters, digits, dots and dashes, a letter first."))
    how = {"flow": flow, "version": version, "main_message": main_message, "rules": rules.model_dump()}
    campaign_id = await _begin(scope, name, how, clock_ms())
    refused: Counter[str] = Counter()
    examples: list[RefusedRow] = []
    leads = 0
    for batch in _batches(contacts.rows()):
        good = [row for row in batch if isinstance(row, Contact)]
        bad = [row for row in batch if isinstance(row, RefusedRow)]
        async with scope.begin() as connection:
            await _hold(connection, scope, campaign_id, name)
            await _add_leads(connection, scope, campaign_id, good, clock_ms())
            if bad:
                whose = {"tenant": scope.tenant, "campaign_id": campaign_id}
                rows = [{**whose, "line": row.line, "reason": row.reason, "detail": row.detail} for row in bad]
                await connection.execute(insert(refused_row), rows)
        for row in good:
            look(row)
        leads += len(good)
        refused.update(row.reason for row in bad)
        examples += bad[: 5 - len(examples)]
        told(leads + refused.total())
    async with scope.begin() as connection:
        if not leads:
            await _forget(connection, scope, campaign.c.id == campaign_id)
        else:
            await _hold(connection, scope, campaign_id, name, state="ready", leads=leads)
    if not leads:
        raise AuthorError(_nobody(contacts, refused, examples))
    return Created(
        campaign_id=campaign_id,
        leads=leads,
        refused=refused,
        examples=tuple(examples),
        notices=tuple(contacts.notices),
    )


def _batches(rows: Iterable[Contact | RefusedRow]) -> Iterable[list[Contact | RefusedRow]]:
    batch: list[Contact | RefusedRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _begin(scope: Scope, name: str, how: Mapping[str, object], now_ms: int) -> int:
    try:
        async with scope.begin() as connection:
            await _forget(connection, scope, campaign.c.name == name)
            made = await connection.scalars(
                insert(campaign)
                .values(tenant=scope.tenant, name=name, state="importing", created_at_ms=now_ms, **how)
                .returning(campaign.c.id)
            )
            campaign_id: int = made.one()
            await check_open(connection, scope)
            return campaign_id
    except IntegrityError as error:
        raise UserError(
            Fault(what=f"There is a campaign {name!r} already.", mend="Choose another name; see: ivr campaign list.")
        ) from error


async def _hold(
    connection: AsyncConnection,
    scope: Scope,
    campaign_id: int,
    name: str,
    *,
    state: State = "importing",
    leads: int | None = None,
) -> None:
    """Keep the campaign that is being made from others until the transaction ends; give it its next `state`.

    `leads` is how many it has when all are there.

    Raises UserError when somebody has begun it anew: its row is away then, and its id never comes back.
    """
    ours = update(campaign).where(
        campaign.c.id == campaign_id, campaign.c.tenant == scope.tenant, campaign.c.state == "importing"
    )
    its = (lead.c.campaign_id == campaign_id, lead.c.tenant == scope.tenant)
    last = select(func.max(lead.c.id)).where(*its).scalar_subquery()
    ours = ours.values(state=state, leads=leads, counted_to=None if leads is None else last)
    if (await connection.execute(ours)).rowcount != 1:
        what = f"Campaign {name!r} was begun anew by another command; it has nothing of this file."
        raise UserError(Fault(what=what, mend="See what became of it with: ivr campaign list."))


async def _forget(connection: AsyncConnection, scope: Scope, which: ColumnElement[bool]) -> None:
    """Take away the one campaign `which` that was never made to the end, with all that belongs to it."""
    unmade = (which, campaign.c.tenant == scope.tenant, campaign.c.state == "importing")
    # Whoever makes it has its row while he adds leads, which are to be seen from here on.
    await connection.execute(select(campaign.c.id).where(*unmade).with_for_update())
    for table in (lead, refused_row):
        its = select(campaign.c.id).where(*unmade).scalar_subquery()
        await connection.execute(delete(table).where(table.c.campaign_id == its, table.c.tenant == scope.tenant))
    await connection.execute(delete(campaign).where(*unmade))


def _nobody(contacts: ContactsFile, refused: Mapping[str, int], examples: Iterable[RefusedRow]) -> list[Fault]:
    why = ", ".join(f"{reason}: {count}" for reason, count in sorted(refused.items())) or "it has no rows"
    what = f"Nobody in the file can be called, so the campaign was not made ({why})."
    mend = "Mend the file, then make the campaign again."
    return [
        Fault(what=what, where=contacts.path, mend=mend),
        *(
            Fault(what=f"{row.reason}: {row.detail}.", where=contacts.path, line=row.line, mend="Mend the row.")
            for row in examples
        ),
    ]


_LEAD = (
    *("tenant", "campaign_id", "contact_id", "line", "name", "language", "variables"),
    *("state", "due_at_ms", "attempts", "spared"),
)
#: Leads due at once, whatever the clock says when the campaign is started; each finds its contact by the phone.
_ADD_LEADS = insert(lead).from_select(
    _LEAD,
    select(
        contact.c.tenant,
        bindparam("campaign_id", type_=Integer),
        contact.c.id,
        bindparam("line", type_=Integer),
        bindparam("name", type_=lead.c.name.type),
        bindparam("language", type_=lead.c.language.type),
        bindparam("variables", type_=JSON),
        *(literal_column(value) for value in ("'waiting'", "0", "0", "0")),
    ).where(contact.c.tenant == bindparam("tenant"), contact.c.phone == bindparam("phone")),
)


async def _add_leads(
    connection: AsyncConnection, scope: Scope, campaign_id: int, rows: list[Contact], now_ms: int
) -> None:
    if not rows:
        return
    person = {"tenant": scope.tenant, "created_at_ms": now_ms}
    people = [{**person, "phone": row.phone, "name": row.name, "language": row.language} for row in rows]
    # Whoever is there stays as he is. Two imports that meet the same people in one order never wait for each other.
    people.sort(key=lambda one: str(one["phone"]))
    await connection.execute(upsert(contact, connection.dialect.name).on_conflict_do_nothing(), people)
    whose = {"tenant": scope.tenant, "campaign_id": campaign_id}
    await connection.execute(
        _ADD_LEADS,
        [
            {
                **whose,
                "phone": row.phone,
                "line": row.line,
                "name": row.name,
                "language": row.language,
                "variables": dict(row.variables),
            }
            for row in rows
        ],
    )
