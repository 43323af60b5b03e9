"""Make a campaign of a contacts file: its rows as leads, in short transactions, by one maker at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from faults import AuthorError, Fault, UserError
from outbound.campaigns import Rules, State
from people.contacts import Contact, ContactsFile, RefusedRow
from people.store.joining import any_further, join, put_numbers
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
    #: Of those without a number to ring: how many, by what is wrong with it.
    numbers: Mapping[str, int]
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
    numbers: Counter[str] = Counter()
    examples: list[RefusedRow] = []
    leads = 0
    adding = _Adding(scope=scope, campaign_id=campaign_id)
    for batch in _batches(contacts.rows()):
        async with scope.begin() as connection:
            await _hold(connection, scope, campaign_id, name)
            again = await adding.add(connection, batch, clock_ms())
            lines = {row.line for row in again}
            good = [row for row in batch if isinstance(row, Contact) and row.line not in lines]
            bad = [*(row for row in batch if isinstance(row, RefusedRow)), *again]
            if bad:
                whose = {"tenant": scope.tenant, "campaign_id": campaign_id}
                rows = [{**whose, "line": row.line, "reason": row.reason, "detail": row.detail} for row in bad]
                await connection.execute(insert(refused_row), rows)
        for row in good:
            look(row)
        leads += len(good)
        refused.update(row.reason for row in bad)
        numbers.update(row.detail for row in bad if row.reason == "invalid_number")
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
        numbers=numbers,
        examples=tuple(examples),
        notices=(*contacts.notices, *adding.notices),
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


_SAID = ("tenant", "campaign_id", "line", "name", "language", "variables")
_saying = {column: bindparam(column.name, type_=column.type) for column in lead.c if column.name in _SAID}
#: Leads due at once, whatever the clock says when the campaign is started.
_due: dict[ColumnElement[Any], ColumnElement[Any]] = {
    lead.c.state: literal_column("'waiting'"),
    **dict.fromkeys((lead.c.due_at_ms, lead.c.attempts, lead.c.spared), literal_column("0")),
}
#: Where nobody has several numbers: the person is found by the phone, which is half of what `join` costs.
_ADD_BY_PHONE = insert(lead).from_select(
    [lead.c.contact_id, *_saying, *_due],
    select(contact.c.id, *_saying.values(), *_due.values()).where(
        contact.c.tenant == bindparam("tenant"), contact.c.phone == bindparam("phone")
    ),
)
_ADD_JOINED = insert(lead).values(
    {
        lead.c.contact_id: bindparam("contact_id"),
        lead.c.phone_ids: bindparam("phone_ids", type_=lead.c.phone_ids.type),
        **_saying,
        **_due,
    }
)


@dataclass(kw_only=True)
class _Adding:
    """The leads of one campaign that is being made."""

    scope: Scope
    campaign_id: int
    #: People with several numbers who are in the campaign, by some of them.
    _there: set[int] = field(default_factory=set)
    #: Numbers that stay another person's, and the line of the first.
    of_others: int = 0
    first_line: int = 0

    @property
    def notices(self) -> Sequence[str]:
        if not self.of_others:
            return ()
        what = f"Numbers that another person has already: {self.of_others}, the first in line {self.first_line}."
        return (f"{what} They stay that person's; whose rows these are is called by the others.",)

    async def add(
        self, connection: AsyncConnection, rows: Sequence[Contact | RefusedRow], now_ms: int
    ) -> list[RefusedRow]:
        """Add a lead for each contact of `rows`, due at once; those who are in the campaign already, as duplicates.

        What a refused row has of numbers is joined to its person.
        """
        rows = [row for row in rows if len(row.phones) > isinstance(row, RefusedRow)]
        if not rows:
            return []
        if not (any(len(row.phones) > 1 for row in rows) or await any_further(connection, self.scope)):
            await put_numbers(connection, self.scope, rows, now_ms)
            by_phone = [{**self._said(row), "phone": row.phones[0]} for row in rows if isinstance(row, Contact)]
            await connection.execute(_ADD_BY_PHONE, by_phone)
            return []
        again: list[RefusedRow] = []
        leads = []
        joined = await join(connection, self.scope, rows, now_ms)
        by_several = [one.person_id for one in joined if one.phone_ids is not None]
        here = await self._in_campaign(connection, by_several) if by_several else set()
        for row, one in zip(rows, joined, strict=True):
            if one.of_others:
                self.first_line = self.first_line or row.line
                self.of_others += one.of_others
            if isinstance(row, RefusedRow):
                continue
            if one.person_id in self._there or one.person_id in here:
                detail = "the person is in an earlier row by another number"
                again.append(RefusedRow(line=row.line, reason="duplicate", detail=detail))
                continue
            leads.append({**self._said(row), "contact_id": one.person_id, "phone_ids": one.phone_ids})
            if by_several:
                here.add(one.person_id)
            if one.phone_ids is not None:
                self._there.add(one.person_id)
        if leads:
            await connection.execute(_ADD_JOINED, leads)
        return again

    async def _in_campaign(self, connection: AsyncConnection, people: Sequence[int]) -> set[int]:
        its = (lead.c.campaign_id == self.campaign_id, lead.c.tenant == self.scope.tenant)
        return set(await connection.scalars(select(lead.c.contact_id).where(*its, lead.c.contact_id.in_(people))))

    def _said(self, row: Contact) -> dict[str, object]:
        return {
            "tenant": self.scope.tenant,
            "campaign_id": self.campaign_id,
            "line": row.line,
            "name": row.name,
            "language": row.language,
            "variables": row.variables,
        }
