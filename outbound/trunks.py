"""Trunks of the site's gateway: those of ivr.toml brought into the database, others added, changed and taken away.

It prints nothing. A row that a file has is the file's to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from faults import AuthorError, Fault, UserError
from ivr.settings import MAIN, TRUNK_NAME, Site, Trunk
from ivr.settings_files import told
from ivr.trunks import SiteTrunk, named_trunks, trunk_faults, trunk_secret
from people import tenants
from people.store.scope import EveryTenant, Job
from people.store.trunks import EVERY, TrunkRow, put_trunk, take_trunk_away, trunk_rows


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A trunk of the site's gateway, as the database has it."""

    row: TrunkRow
    #: None: its settings are not understood by this release.
    how: Trunk | None
    #: What keeps this machine from using it.
    faults: Sequence[Fault]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The trunks that the site's gateway uses, and what keeps it from using others."""

    good: Sequence[SiteTrunk]
    faults: Sequence[Fault]


async def take_from_file(database: AsyncEngine, site: Site, *, now_ms: int) -> None:
    """Bring the trunks of ivr.toml into the database, and take away those that are there no longer.

    One that a command made for this gateway under the same name is the file's from now on.
    """
    named = _of_file(site)
    async with EveryTenant(database, Job.GATEWAYS).begin() as connection:
        ours = {row.name: row for row in await trunk_rows(connection) if row.gateway == site.settings.gateway}
        for name, row in named.items():
            if ours.get(name) != row:
                await put_trunk(connection, row, now_ms=now_ms)
        for row in ours.values():
            if row.source == "file" and row.name not in named:
                await take_trunk_away(connection, row)


async def listed(database: AsyncEngine, site: Site) -> list[Listed]:
    """All of the site's gateway, in the order in which they are taken where the numbers don't decide."""
    async with EveryTenant(database, Job.GATEWAYS).begin() as connection:
        rows = await _of_gateway(connection, site)
    found = [_look(site, row) for row in rows.values()]
    return sorted(found, key=lambda one: (one.how.position if one.how else 0, one.row.name))


async def trunks_in_use(database: AsyncEngine, site: Site) -> Found:
    """Those that are enabled; what has faults is left out."""
    faults: list[Fault] = []
    good = []
    for one in await listed(database, site):
        if one.faults:
            faults += one.faults
        elif one.how is not None and one.how.enabled:
            name, shared = one.row.name, one.row.gateway == EVERY
            good.append(SiteTrunk(name=name, how=one.how, secret=trunk_secret(site, name), shared=shared))
    return Found(good=good, faults=faults)


async def add(
    database: AsyncEngine, site: Site, name: str, settings: Mapping[str, Any], *, every_gateway: bool, now_ms: int
) -> Listed:
    """A new trunk, of this gateway or of every one. Raises UserError for a name that is taken or a wrong setting."""
    if not TRUNK_NAME.fullmatch(name):
        what = f"{name[:40]!r} is no name for a trunk."
        raise UserError(Fault(what=what, mend="Write up to 32 letters, digits, dashes and underscores."))
    gateway = EVERY if every_gateway else site.settings.gateway
    async with EveryTenant(database, Job.GATEWAYS).begin() as connection:
        taken = any((row.gateway, row.name) == (gateway, name) for row in await trunk_rows(connection))
        if taken or name in named_trunks(site.settings):
            what = f"There is a trunk {name!r} already."
            raise UserError(Fault(what=what, mend=f"See: ivr trunk list. Change it by: ivr trunk change {name}."))
        row = TrunkRow(gateway=gateway, name=name, source="command", settings={})
        return await _put(connection, site, row, settings, now_ms)


async def change(database: AsyncEngine, site: Site, name: str, settings: Mapping[str, Any], *, now_ms: int) -> Listed:
    """The trunk with other `settings`. Raises UserError when there is none, or a file has it."""
    async with EveryTenant(database, Job.GATEWAYS).begin() as connection:
        row = await _ours_to_change(connection, site, name)
        return await _put(connection, site, row, settings, now_ms)


async def remove(database: AsyncEngine, site: Site, name: str) -> None:
    """Take a trunk away; its calls in progress go on. Raises UserError when there is none, or a file has it."""
    async with EveryTenant(database, Job.GATEWAYS).begin() as connection:
        await take_trunk_away(connection, await _ours_to_change(connection, site, name))


def _of_file(site: Site) -> dict[str, TrunkRow]:
    gateway = site.settings.gateway
    return {
        name: TrunkRow(gateway=gateway, name=name, source="file", settings=_plain(how))
        for name, how in named_trunks(site.settings).items()
    }


def _plain(how: Trunk) -> dict[str, Any]:
    return how.model_dump(mode="json", by_alias=True, exclude={"secret"})


async def _of_gateway(connection: AsyncConnection, site: Site) -> dict[str, TrunkRow]:
    """By name: the file's as it is now, the gateway's own, those of all gateways, in this order."""
    rows = await trunk_rows(connection)
    found = {row.name: row for row in rows if row.gateway == EVERY}
    found |= {row.name: row for row in rows if row.gateway == site.settings.gateway and row.source != "file"}
    return found | _of_file(site)


def _look(site: Site, row: TrunkRow) -> Listed:
    try:
        how = Trunk.model_validate(row.settings)
    except ValidationError:
        what = f"The trunk {row.name!r} is not understood: a newer release has made it."
        mend = "Bring this release up to date, or make the trunk anew: ivr trunk remove, ivr trunk add."
        return Listed(row=row, how=None, faults=(Fault(what=what, where="ivr trunk list", mend=mend),))
    return Listed(row=row, how=how, faults=tuple(trunk_faults(site, row.name, how)) if how.enabled else ())


async def _ours_to_change(connection: AsyncConnection, site: Site, name: str) -> TrunkRow:
    row = (await _of_gateway(connection, site)).get(name)
    if row is None:
        raise UserError(Fault(what=f"There is no trunk {name!r}.", mend="See the names with: ivr trunk list."))
    if row.source == "file":
        section = "[trunk]" if name == MAIN else f"[trunks.{name}]"
        what = f"The trunk {name!r} stands in a file, and is changed there."
        where, mend = site.folder / "ivr.toml", f"Change it under {section}; it is taken without a restart."
        raise UserError(Fault(what=what, where=where, mend=mend))
    return row


async def _put(
    connection: AsyncConnection, site: Site, row: TrunkRow, settings: Mapping[str, Any], now_ms: int
) -> Listed:
    try:
        how = Trunk.model_validate({**row.settings, **settings})
    except ValidationError as error:
        raise UserError(
            [
                Fault(what=f"{'.'.join(map(str, item['loc'][:1]))}: {told(item)}.", mend="Give another value.")
                for item in error.errors(include_url=False, include_input=False)
            ]
        ) from error
    for each in how.tenants:
        await tenants.find(connection, each)
    row = TrunkRow(gateway=row.gateway, name=row.name, source=row.source, settings=_plain(how))
    found = _look(site, row)
    # A password that is not there yet can come later.
    if wrong := [fault for fault in found.faults if fault.where != site.folder / "secrets.toml"]:
        raise AuthorError(wrong)
    await put_trunk(connection, row, now_ms=now_ms)
    return found
