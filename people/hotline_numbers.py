"""Which tenant's flow answers which dialled number. One number means one tenant: whoever has it keeps it.

A tenant's folder says which are its own (`source` file); others are added by a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from faults import Fault, UserError
from people.numbers import normal_form
from people.store.dialect import upsert
from people.store.scope import EveryTenant, Job, Scope
from people.store.tables import hotline_number

Source = Literal["file", "command"]
#: Every number that has no row.
ANY = "*"
_LONGEST = 32


class Meaning(NamedTuple):
    """Of a dialled number."""

    tenant: str
    flow: str


@dataclass(frozen=True, kw_only=True)
class HotlineNumber:
    number: str
    flow: str
    source: Source


async def numbers_of_all(database: AsyncEngine) -> Mapping[str, Meaning]:
    """Every dialled number with what it means, whose ever it is."""
    rows = select(hotline_number.c.number, hotline_number.c.tenant, hotline_number.c.flow)
    async with EveryTenant(database, Job.NUMBERS).begin() as connection:
        return {row.number: Meaning(row.tenant, row.flow) for row in await connection.execute(rows)}


async def list_numbers(scope: Scope) -> list[HotlineNumber]:
    """The tenant's, in order."""
    rows = select(hotline_number).where(hotline_number.c.tenant == scope.tenant).order_by(hotline_number.c.number)
    async with scope.begin() as connection:
        return [
            HotlineNumber(number=row.number, flow=row.flow, source=row.source) for row in await connection.execute(rows)
        ]


async def import_numbers(scope: Scope, numbers: Mapping[str, str], *, region: str, where: str) -> list[Fault]:
    """Make the tenant's numbers of source file those that its settings have (number -> flow).

    A number that another tenant has stays with that one, and a fault names both. `where`: the file's name.
    """
    wanted = {normal_form(number, region)[:_LONGEST]: flow for number, flow in numbers.items()}
    its = hotline_number.c.tenant == scope.tenant
    gone = delete(hotline_number).where(its, hotline_number.c.source == "file")
    async with scope.begin() as connection:
        await connection.execute(gone.where(hotline_number.c.number.not_in(list(wanted))))
        # What a person added by command is the file's from now on.
        refused = [number for number, flow in wanted.items() if not await _put(connection, scope, number, flow, "file")]
    return [await _claimed(scope, number, where=where) for number in sorted(refused)]


async def add_number(scope: Scope, number: str, flow: str, *, region: str) -> HotlineNumber:
    """The number with its flow, new or changed. Raises UserError when the folder says otherwise, or another has it."""
    added = HotlineNumber(number=_normal(number, region), flow=flow, source="command")
    async with scope.begin() as connection:
        await _not_of_the_file(connection, scope, added.number)
        put = await _put(connection, scope, added.number, flow, "command")
    if not put:
        raise UserError(await _claimed(scope, added.number))
    return added


async def remove_number(scope: Scope, number: str, *, region: str) -> str:
    """The number, in its normal form, which means nothing any more. Raises UserError when the tenant has no such."""
    normal = _normal(number, region)
    its = (hotline_number.c.tenant == scope.tenant, hotline_number.c.number == normal)
    async with scope.begin() as connection:
        await _not_of_the_file(connection, scope, normal)
        if (await connection.execute(delete(hotline_number).where(*its))).rowcount == 0:
            what = f"The tenant {scope.tenant!r} has no number {normal}."
            raise UserError(Fault(what=what, mend="See: ivr number list."))
    return normal


def _normal(number: str, region: str) -> str:
    normal = normal_form(number.strip(), region)
    if not normal or len(normal) > _LONGEST:
        what = f"{number[:40]!r} is no number that can be dialled."
        raise UserError(Fault(what=what, mend='Write it as +74951234567 or as an extension; "*" is every other.'))
    return normal


async def _put(connection: AsyncConnection, scope: Scope, number: str, flow: str, source: Source) -> bool:
    """Whether the tenant has the number now: it does not when another has it, whose row is not to be seen."""
    row = {"number": number, "tenant": scope.tenant, "flow": flow, "source": source}
    its = (hotline_number.c.number == number, hotline_number.c.tenant == scope.tenant)
    changed = await connection.execute(update(hotline_number).where(*its).values(flow=flow, source=source))
    if changed.rowcount:
        return True
    new = upsert(hotline_number, connection.dialect.name).values(row).on_conflict_do_nothing()
    return (await connection.execute(new)).rowcount == 1


async def _not_of_the_file(connection: AsyncConnection, scope: Scope, number: str) -> None:
    its = (hotline_number.c.number == number, hotline_number.c.tenant == scope.tenant)
    if await connection.scalar(select(hotline_number.c.source).where(*its)) == "file":
        mend = "Change it there: hotline.numbers in ivr.toml, or in tenants/NAME/tenant.toml."
        raise UserError(Fault(what=f"{number} stands in the settings of {scope.tenant!r}.", mend=mend))


async def _claimed(scope: Scope, number: str, *, where: str = "") -> Fault:
    rows = select(hotline_number.c.tenant).where(hotline_number.c.number == number)
    async with EveryTenant(scope.database, Job.NUMBERS).begin() as connection:
        holder = await connection.scalar(rows)
    what = f"The number {number} is claimed by two tenants: {holder!r} has it and keeps it, {scope.tenant!r} wants it."
    return Fault(what=what, where=where or None, mend="Take it away from one of them.")
