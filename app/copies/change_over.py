"""Carry a site's rows over into another database: all of them, proved, and nobody is dialled from the first again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.copies.down import down
from faults import AuthorError, Fault, MachineError
from ivr.settings import Site
from outbound.campaigns import MOVED
from outbound.moved import leave
from people.store.db import file_url, make_engine, open_database, same_database, unusable
from people.store.dialect import begin_alone, begin_snapshot, end_loading, see_rows_of
from people.store.machine_tables import migration
from people.store.ownership import gateways
from people.store.results import metadata
from people.store.roles import upgrade_as_owner
from people.store.scope import ALL, EveryTenant, Job, Scope
from people.store.tables import campaign
from people.store.transfer import Compared, Differs, carry, compare
from people.store.upgrade import upgrade
from reports.kept import refresh
from reports.metrics import prove_copied


@dataclass(frozen=True, kw_only=True)
class ChangedOver:
    tables: tuple[Compared, ...]
    #: How many campaigns have the same report in both, counted anew in the second.
    reports: int


async def change_over(
    site: Site, to: str, *, owner: str = "", told: Callable[[str], None] = lambda _: None
) -> ChangedOver:
    """The database at `to` holds what the site's does, and campaigns wait in the site's for good.

    It is to be done again when it was broken off: it goes on where it was. `owner` is the URL of the role that makes
    the tables there. Raises AuthorError for addresses that do not fit, MachineError for a site that runs, a target with
    other rows, a difference between both, and what either database refuses; then the site's is as it was.
    """
    url = site.database_url
    if same_database(url, to):
        fault = Fault(what="This is the site's own database.", where=_shown(to), mend="Name another one with --to.")
        raise AuthorError(fault)
    with down(site.var):
        source = await open_database(url)
        try:
            await _check_left(source, url)
            await (upgrade_as_owner(owner, serves=to) if owner else upgrade(to))
            target = make_engine(to)
            try:
                return await _carried(source, target, to, told)
            finally:
                await target.dispose()
        except SQLAlchemyError as error:
            raise unusable(error, url) from error
        finally:
            await source.dispose()


async def _carried(source: AsyncEngine, target: AsyncEngine, to: str, told: Callable[[str], None]) -> ChangedOver:
    # What is marked is of the database that it is in.
    told("the figures")
    await refresh(source)
    async with source.connect() as ours:
        # What a command writes meanwhile would be nowhere.
        await begin_alone(ours, [name for name in metadata.tables if name != migration.name])
        await see_rows_of(ours, ALL)
        try:
            await carry(ours, target, told=lambda table, rows: told(f"{table}, {rows:,} rows" if rows else table))
            tables, reports = await _proved(ours, target, to, told)
        except Differs as error:
            what = f"The target holds rows that are not this site's: the first in the table {error}."
            mend = "Name an empty database, or empty this one: DROP DATABASE, CREATE DATABASE."
            raise MachineError(Fault(what=what, where=_shown(to), mend=mend)) from error
        except SQLAlchemyError as error:
            (fault,) = unusable(error, to).faults
            mend = f"{fault.mend} Then do it again: it goes on from there."
            raise MachineError(Fault(what=fault.what, where=fault.where, mend=mend)) from error
        await leave(ours)
        await ours.commit()
    return ChangedOver(tables=tables, reports=reports)


async def _proved(
    source: AsyncConnection, engine: AsyncEngine, to: str, told: Callable[[str], None]
) -> tuple[tuple[Compared, ...], int]:
    async with engine.connect() as target:
        await end_loading(target)
        await begin_snapshot(target, patient=True)
        await see_rows_of(target, ALL)
        tables = []
        async for each in compare(source, target, told=lambda table: told(f"{table}: comparing")):
            if not each.equal:
                raise _unequal(f"the table {each.table}: {each.first}", to)
            tables.append(each)
        names = (
            await source.execute(select(campaign.c.id, campaign.c.name, campaign.c.tenant).order_by(campaign.c.id))
        ).all()
        for row in names:
            told(f"the report of {row.name}: comparing")
            for difference in await prove_copied(source, target, Scope(engine, row.tenant), row.id):
                raise _unequal(f"the report of {row.name!r}: {difference}", to)
    return tuple(tables), len(names)


def _unequal(what: str, to: str) -> MachineError:
    mend = "Nothing of the site was changed. Please report it, and try again with an empty database."
    return MachineError(Fault(what=f"The copy is not equal; first {what}.", where=_shown(to), mend=mend))


async def _check_left(source: AsyncEngine, url: str) -> None:
    """Raise MachineError when somebody owns a gateway, or when all has moved already."""
    for each in await gateways(source):
        if each.held:
            what = f"An engine owns the gateway {each.name}: {each.told}."
            raise MachineError(Fault(what=what, where=_shown(url), mend="End every ivr up of this database first."))
    moved = select(campaign.c.name).where(campaign.c.state == "paused", campaign.c.paused_because == MOVED).limit(1)
    async with EveryTenant(source, Job.COPIES).begin() as connection:
        if (name := await connection.scalar(moved)) is not None:
            what = f"This database was copied already: its campaigns ({name!r} is one) go on in the other."
            mend = "Name that one in ivr.toml: database. The README tells how to go back."
            raise MachineError(Fault(what=what, where=_shown(url), mend=mend))


def settings_for(site: Site, to: str) -> tuple[str, str]:
    """What `database` in ivr.toml is to be so that the site uses `to`, and the password for secrets.toml."""
    if same_database(to, file_url(site.var / "ivr.sqlite3")):
        return "", ""
    address = make_url(to)
    return address._replace(password=None).render_as_string(), str(address.password or "")


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)
