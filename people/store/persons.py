"""People by any of their numbers. A person's row of `contact` is the one to which his further numbers point."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Delete, FromClause, Select, delete, exists, func, or_, select

from people.store.scope import Scope
from people.store.tables import attempt, contact, do_not_call, lead

#: Of each row: the person's own.
PERSON: ColumnElement[int] = func.coalesce(contact.c.person_id, contact.c.id)
#: From an attempt and its lead to the number that was dialled.
NUMBER_DIALLED = (contact.c.id == func.coalesce(attempt.c.phone_id, lead.c.contact_id)) & (
    contact.c.tenant == lead.c.tenant
)

_asked, _other = contact.alias("asked"), contact.alias("other")


def _listed(number: FromClause) -> ColumnElement[bool]:
    return exists().where(do_not_call.c.tenant == number.c.tenant, do_not_call.c.phone == number.c.phone)


#: Whether the person of a row asked not to be called, by whichever number.
REFUSED: ColumnElement[bool] = or_(
    _listed(contact),
    exists().where(_other.c.tenant == contact.c.tenant, _other.c.person_id == PERSON, _listed(_other)),
    exists().where(_other.c.tenant == contact.c.tenant, _other.c.id == contact.c.person_id, _listed(_other)),
)


def person_with(tenant: str, phone: ColumnElement[str] | str) -> Select[Any]:
    """The id of the person who has that number (E.164)."""
    return select(PERSON).where(contact.c.tenant == tenant, contact.c.phone == phone)


def all_phones(tenant: str, phone: str) -> Select[Any]:
    """All numbers of the person who has that one; none, if nobody is known by it."""
    person = func.coalesce(_asked.c.person_id, _asked.c.id)
    own = (_other.c.tenant == _asked.c.tenant) & or_(_other.c.id == person, _other.c.person_id == person)
    return select(_other.c.phone).join(_asked, own).where(_asked.c.tenant == tenant, _asked.c.phone == phone)


def forgetting(tenant: str, people: Collection[int]) -> Delete:
    """Deletes the rows of people by their ids, and by that all that is known of them but their leads' and calls' ends.

    Whoever is on the do-not-call list stays on it.
    """
    return delete(contact).where(contact.c.tenant == tenant, contact.c.id.in_(people))


async def forget(scope: Scope, person: int) -> bool:
    """Forget a person by the id of his row; whether there was one."""
    async with scope.begin() as connection:
        return (await connection.execute(forgetting(scope.tenant, [person]))).rowcount == 1
