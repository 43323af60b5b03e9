"""Whose a number is: the rows of a contacts file as people, each with the numbers that the row says.

A row's person is who has the first of its numbers that anybody has; numbers that nobody has become his, those of others
stay theirs. Two people are never made one: they may share a telephone at home.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Integer, bindparam, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from people.contacts import Contact, RefusedRow
from people.store.dialect import upsert
from people.store.scope import Scope
from people.store.tables import FURTHER, contact


class _Row(NamedTuple):
    """A number's row of `contact`."""

    id: int
    #: Its person's.
    person_id: int


class Joined(NamedTuple):
    """A row's person."""

    person_id: int
    #: Ids of the row's numbers that are his, in its order; None: the number of `person_id` alone.
    phone_ids: list[int] | None
    #: How many of the row's numbers are another's.
    of_others: int = 0


#: SQLite takes 32,766 parameters at most.
_CHUNK = 1000

_other = contact.alias("other")
#: Numbers that are nobody's yet; the person's row is the older, so that a copy has it first.
_GIVE = (
    update(contact)
    .where(contact.c.id == bindparam("given", type_=Integer), contact.c.tenant == bindparam("whose"))
    .where(contact.c.person_id.is_(None), contact.c.id > bindparam("person", type_=Integer))
    .where(~exists().where(_other.c.tenant == contact.c.tenant, _other.c.person_id == contact.c.id))
    .values(person_id=bindparam("person", type_=Integer))
)


async def any_further(connection: AsyncConnection, scope: Scope) -> bool:
    """Whether anybody of the tenant has several numbers."""
    return await connection.scalar(select(exists().where(contact.c.tenant == scope.tenant, FURTHER))) or False


async def put_numbers(
    connection: AsyncConnection, scope: Scope, rows: Sequence[Contact | RefusedRow], now_ms: int
) -> None:
    """Have a row for each number; whoever is there stays as he is."""
    people = [
        {
            "tenant": scope.tenant,
            "phone": phone,
            "name": row.name if isinstance(row, Contact) else "",
            "language": row.language if isinstance(row, Contact) else "",
            "created_at_ms": now_ms,
        }
        for row in rows
        for phone in row.phones
    ]
    # Two imports that meet the same people in one order never wait for each other.
    people.sort(key=itemgetter("phone"))
    await connection.execute(upsert(contact, connection.dialect.name).on_conflict_do_nothing(), people)


async def join(
    connection: AsyncConnection, scope: Scope, rows: Sequence[Contact | RefusedRow], now_ms: int
) -> list[Joined]:
    """The person of each row with numbers; whoever is new is there afterwards."""
    known = await _find(connection, scope, rows)
    await put_numbers(connection, scope, rows, now_ms)
    found = await _find(connection, scope, rows)
    given: list[dict[str, int]] = []
    joined = [_person(row.phones, known, found, given) for row in rows]
    if given:
        await connection.execute(_GIVE, [{**each, "whose": scope.tenant} for each in given])
    return joined


def _person(
    phones: Sequence[str], known: dict[str, _Row], found: dict[str, _Row], given: list[dict[str, int]]
) -> Joined:
    """The person of a row; numbers that nobody has are put down as his in `known` and `found`, and to be `given`."""
    theirs = [known[phone].person_id for phone in phones if phone in known]
    person_id = theirs[0] if theirs else min(found[phone].id for phone in phones)
    for phone in phones:
        if phone not in known:
            known[phone] = found[phone] = _Row(found[phone].id, person_id)
            if found[phone].id != person_id:
                given.append({"given": found[phone].id, "person": person_id})
    ids = [found[phone].id for phone in phones if found[phone].person_id == person_id]
    return Joined(person_id, None if ids == [person_id] else ids, len(phones) - len(ids))


async def _find(connection: AsyncConnection, scope: Scope, rows: Sequence[Contact | RefusedRow]) -> dict[str, _Row]:
    """Number -> its row, of those that are there."""
    phones = [phone for row in rows for phone in row.phones]
    columns = select(contact.c.phone, contact.c.id, contact.c.person_id).where(contact.c.tenant == scope.tenant)
    found = {}
    for start in range(0, len(phones), _CHUNK):
        asked = columns.where(contact.c.phone.in_(phones[start : start + _CHUNK]))
        for phone, id, person_id in await connection.execute(asked):
            found[phone] = _Row(id, person_id or id)
    return found
