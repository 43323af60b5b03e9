"""Who owns a gateway: a lease by the database's clock, and an epoch that fences out whoever owned it before.

Statements only: outbound.gateway.lease keeps one. `FENCE` goes before or into every write that is made for a gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from people.store.dialect import clock_ms, upsert
from people.store.machine_tables import gateway
from people.store.processes import Process
from people.store.scope import EveryTenant, Job
from people.store.tables import attempt


class GatewayLost(Exception):
    """Another process owns the gateway by now: nothing was written."""


@dataclass(kw_only=True)
class Owner:
    """Who writes for a gateway."""

    gateway: str
    #: 0: it is not ours yet, and nothing can be written.
    epoch: int = 0

    @property
    def of_fence(self) -> Mapping[str, Any]:
        """The parameters of `FENCE` and `OWNED`."""
        return {"owned_gateway": self.gateway, "owned_epoch": self.epoch}


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A gateway as it is found."""

    name: str
    epoch: int
    #: Who has it, or had it last, and since when.
    process: Process
    since_ms: int
    #: 0: it was given back.
    lease_until_ms: int
    #: The lease has not run out.
    held: bool
    #: Attempts that are not settled.
    open: int

    @property
    def told(self) -> str:
        """Who has it, since when and until when, as people are told; UTC by the database's clock."""
        since, until = (
            datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            for ms in (self.since_ms, self.lease_until_ms)
        )
        return f"process {self.process.pid} on {self.process.host}, since {since}, until {until} UTC"


@dataclass(frozen=True, kw_only=True)
class Held:
    """A gateway that is ours, and its neighbours, when that was asked for."""

    epoch: int
    #: By the database's clock.
    now_ms: int
    #: Other gateways that are owned now.
    others: int
    #: Another gateway was not given back, or has attempts that are not settled.
    shared: bool


_OURS = (gateway.c.name == bindparam("owned_gateway"), gateway.c.epoch == bindparam("owned_epoch"))
#: Finds a row as long as the gateway is ours, and lets nobody take it before the transaction ends.
OWNED = exists(select(gateway.c.name).where(*_OURS).with_for_update(read=True))
#: The same as the first statement of a transaction: it matches no row when the gateway is another's. It writes, so
#: that SQLite takes its write lock.
FENCE = update(gateway).where(*_OURS).values(epoch=gateway.c.epoch)


def _sight(engine: AsyncEngine) -> EveryTenant:
    return EveryTenant(engine, Job.GATEWAYS)


def fence(connection: Connection, owner: Owner) -> None:
    """Let the rest of the transaction be the owner's. Raises GatewayLost."""
    if connection.execute(FENCE, owner.of_fence).rowcount == 0:
        raise GatewayLost(f"gateway {owner.gateway}, epoch {owner.epoch}")


async def take(
    engine: AsyncEngine, name: str, process: Process, *, lease_ms: int, instead_of: Gateway | None
) -> Held | None:
    """Own the gateway from now on, if nobody does. None: somebody does.

    `instead_of`: the owner that is known to be gone, whatever its lease says.
    """
    now = clock_ms(engine.dialect.name)
    values = {"lease_until_ms": now + lease_ms, "since_ms": now, **vars(process)}
    free = gateway.c.lease_until_ms <= now
    if instead_of is not None:
        # As it was seen: a renewal since then says that it lives.
        seen = gateway.c.lease_until_ms == instead_of.lease_until_ms
        free = or_(free, seen & (gateway.c.epoch == instead_of.epoch))
    taken = (
        upsert(gateway, engine.dialect.name)
        .values(name=name, epoch=1, scoped_epoch=1, **values)
        .on_conflict_do_update(
            index_elements=[gateway.c.name],
            set_={"epoch": gateway.c.epoch + 1, "scoped_epoch": gateway.c.epoch + 1, **values},
            where=free,
        )
        .returning(*_held(engine.dialect.name))
    )
    row = await _sight(engine).transact(lambda c: c.execute(taken, {"owned_gateway": name}).one_or_none())
    return None if row is None else _of(row, lease_ms)


async def renew(engine: AsyncEngine, owner: Owner, *, lease_ms: int) -> Held:
    """Have the gateway for so long from now on. It may have run out meanwhile.

    Raises GatewayLost when it was taken.
    """
    asked = {**owner.of_fence, "lease_ms": lease_ms}
    renewal = _renewal(engine.dialect.name)
    row = await _sight(engine).transact(lambda c: c.execute(renewal, asked).one_or_none())
    if row is None:
        raise GatewayLost(f"gateway {owner.gateway}, epoch {owner.epoch}")
    return _of(row, lease_ms)


@lru_cache
def _renewal(dialect: str) -> Any:
    until = clock_ms(dialect) + bindparam("lease_ms")
    return update(gateway).where(*_OURS).values(lease_until_ms=until).returning(*_held(dialect))


def _held(dialect: str) -> tuple[ColumnElement[Any], ...]:
    """The columns of `Held`, for the statement that writes our own row: one question less."""
    other = gateway.alias("other")
    another = other.c.name != bindparam("owned_gateway")
    owned = select(func.count()).select_from(other).where(another, other.c.lease_until_ms > clock_ms(dialect))
    unsettled = exists().where(attempt.c.gateway == other.c.name, attempt.c.outcome.is_(None))
    shared = exists(select(other.c.name).where(another, or_(other.c.lease_until_ms != 0, unsettled)))
    return gateway.c.epoch, gateway.c.lease_until_ms, owned.scalar_subquery().label("others"), shared.label("shared")


def _of(row: Any, lease_ms: int) -> Held:
    return Held(epoch=row.epoch, now_ms=row.lease_until_ms - lease_ms, others=row.others, shared=bool(row.shared))


async def give_back(engine: AsyncEngine, owner: Owner) -> None:
    """Let the next owner have the gateway at once."""
    async with _sight(engine).begin() as connection:
        await connection.execute(update(gateway).where(*_OURS).values(lease_until_ms=0), owner.of_fence)


async def read_epochs(engine: AsyncEngine) -> Mapping[str, int]:
    """The epoch of each gateway; none where the tables are of a release before, or can't be read."""
    try:
        async with _sight(engine).begin() as connection:
            return {row.name: row.epoch for row in await connection.execute(select(gateway.c.name, gateway.c.epoch))}
    except (SQLAlchemyError, OSError):
        return {}


async def fence_out_all(connection: AsyncConnection, others: Mapping[str, int]) -> None:
    """Let nobody own a gateway: neither who did by this database, nor who did by another of these epochs."""
    nobody = {"lease_until_ms": 0, "since_ms": 0, "host": "", "place": "", "pid": 0, "born": 0}
    found = {row.name: row.epoch for row in await connection.execute(select(gateway.c.name, gateway.c.epoch))}
    for name in found.keys() | others.keys():
        epoch = max(found.get(name, 0), others.get(name, 0)) + 1
        row = upsert(gateway, connection.dialect.name).values(name=name, epoch=epoch, **nobody)
        kept = {"epoch": epoch, "lease_until_ms": 0}
        await connection.execute(row.on_conflict_do_update(index_elements=[gateway.c.name], set_=kept))


async def gateways(engine: AsyncEngine) -> list[Gateway]:
    """All that there ever were, by name."""
    unsettled = (
        select(func.count()).where(attempt.c.gateway == gateway.c.name, attempt.c.outcome.is_(None)).scalar_subquery()
    )
    held = gateway.c.lease_until_ms > clock_ms(engine.dialect.name)
    rows = select(gateway, held.label("held"), unsettled.label("open")).order_by(gateway.c.name)
    async with _sight(engine).begin() as connection:
        return [
            Gateway(
                name=row.name,
                epoch=row.epoch,
                process=Process(host=row.host, place=row.place, pid=row.pid, born=row.born),
                since_ms=row.since_ms,
                lease_until_ms=row.lease_until_ms,
                held=bool(row.held),
                open=row.open,
            )
            for row in await connection.execute(rows)
        ]
