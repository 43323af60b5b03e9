"""By which number a person with several is dialled: read of the database, and put to the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from outbound.plan.numbers import Try, choose, still_good
from outbound.plan.outcome import Outcome
from people.store.tables import attempt, contact

_NUMBERS = select(contact.c.id, contact.c.phone).where(
    contact.c.tenant == bindparam("whose"), contact.c.id.in_(bindparam("ids", expanding=True))
)
_TRIES = (
    select(attempt.c.lead_id, attempt.c.phone_id, attempt.c.outcome)
    .where(attempt.c.tenant == bindparam("whose"), attempt.c.lead_id.in_(bindparam("ids", expanding=True)))
    .order_by(attempt.c.number)
)


class Chosen(NamedTuple):
    phone_id: int
    #: E.164
    phone: str
    #: How many others are left when this one turns out to be nobody's.
    others: int


def choose_numbers(connection: Connection, tenant: str, leads: Iterable[Any]) -> dict[int, Chosen]:
    """By lead, of those of `leads` (rows with `lead_id` and `phone_ids`) that have several numbers.

    A number that was taken away since is passed over. A lead that has an attempt in flight is dialled by that one's.
    """
    its = {each.lead_id: each.phone_ids for each in leads if each.phone_ids}
    if not its:
        return {}
    ids = sorted({id for each in its.values() for id in each})
    phones = {id: phone for id, phone in connection.execute(_NUMBERS, {"whose": tenant, "ids": ids})}
    tries: dict[int, list[Try]] = defaultdict(list)
    in_flight: dict[int, int] = {}
    for lead_id, number, outcome in connection.execute(_TRIES, {"whose": tenant, "ids": sorted(its)}):
        if outcome is None:
            in_flight[lead_id] = number
        elif number is not None:
            tries[lead_id].append(Try(number=number, outcome=Outcome(outcome)))
    chosen = {}
    for lead_id, phone_ids in its.items():
        numbers = [id for id in phone_ids if id in phones]
        if numbers:
            number = in_flight.get(lead_id) or choose(numbers, tries[lead_id])
            others = [each for each in still_good(numbers, tries[lead_id]) if each != number]
            chosen[lead_id] = Chosen(number, phones.get(number, ""), len(others))
    return chosen
