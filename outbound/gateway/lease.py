"""Own a gateway: take it at the start, renew its lease, know at every moment whether it is still ours, give it back.

A gateway is one Asterisk with its engine and audio. Whether the lease has run out is told by the database's clock, for
everybody alike; how long we may rely on it, by the time that has passed here since we asked for it. An owner that
stood still, or lost the database, dials nobody before it has asked again; what it writes is fenced by its epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import Fault, MachineError
from outbound.clock import Clock
from outbound.trouble import Trouble
from people.store import ownership
from people.store.ownership import Gateway, GatewayLost, Held, Owner
from people.store.processes import this_process

log = structlog.get_logger(__name__)

#: While another owner's lease runs, it is looked at so often.
_LOOK_EVERY_S = 0.5
#: After the database refused.
_AGAIN_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Three renewals may fail before nobody is dialled any more, and that is a while before anyone else may dial."""

    lease_s: float = 15.0
    renew_every_s: float = 4.0
    #: So long before the lease runs out we no longer rely on it.
    margin_s: float = 3.0

    @property
    def relied_on_s(self) -> float:
        return self.lease_s - self.margin_s

    @property
    def lease_ms(self) -> int:
        return round(self.lease_s * 1000)


class Lease:
    """A gateway that is ours, or will be; `take` it, then `keep` it while it is used."""

    def __init__(
        self, engine: AsyncEngine, gateway: str, *, clock: Clock | None = None, terms: Terms | None = None
    ) -> None:
        self.owner = Owner(gateway=gateway)
        #: Another has taken it since it was ours.
        self.lost = False
        #: Other gateways that dial now: paces are shared by all.
        self.others = 0
        #: Whether attempts of other gateways may be in flight: channels of campaigns are shared.
        self.shared = False
        self._engine, self._clock, self._terms = engine, clock or Clock(), terms or Terms()
        #: Of the database's clock, ahead of the time that has passed.
        self._ahead_ms = 0
        self._rely_from_s = self._rely_until_s = self._clock.monotonic_s()
        self._handed_back = False
        self._asking = asyncio.Lock()
        self.trouble = Trouble(event="gateway_unknown", clock=self._clock)

    @property
    def taken(self) -> bool:
        return self.owner.epoch > 0

    @property
    def relied_on(self) -> bool:
        """Whether the gateway is ours beyond doubt, so that an Originate may leave now."""
        return not self.lost and self._rely_from_s <= self._clock.monotonic_s() < self._rely_until_s

    @property
    def common_ahead_ms(self) -> int | None:
        """The database's clock, by which engines agree, ahead of `Clock.monotonic_s`; None: nobody else dials."""
        return self._ahead_ms if self.others else None

    async def take(self, waiting: Callable[[Fault], None] = lambda _: None) -> None:
        """Own the gateway. A dead owner of this machine is followed at once; another's lease is waited for.

        `waiting` is told of that. Returns without it when the database refuses: `keep` tries again. Raises MachineError
        when the owner lives.
        """
        first: Gateway | None = None
        began_s = self._clock.monotonic_s()
        try:
            while not await self._taken(first, seen_s=self._clock.monotonic_s() - began_s):
                found = await self._found()
                if first is None and found is not None and found.held:
                    first, began_s = found, self._clock.monotonic_s()
                    waiting(_silent(found))
                elif first is not None and found is not None and _lives(first, found):
                    raise MachineError(_refused(found))
                await self._clock.sleep(min(_LOOK_EVERY_S, self._terms.renew_every_s / 2))
        except (SQLAlchemyError, OSError) as error:
            self.trouble.met(error)
        else:
            self.trouble.over()

    async def keep(self) -> None:
        """Take it if that is not done, and renew it until it is handed back.

        Raises GatewayLost when another has taken it, MachineError as `take` does.
        """
        while not self._handed_back:
            try:
                if self.taken:
                    await self._renew()
                    self.trouble.over()
                else:
                    await self.take()
            except (SQLAlchemyError, OSError) as error:
                self.trouble.met(error)
            except GatewayLost:
                self.lost = True
                log.error("gateway_lost", gateway=self.owner.gateway, epoch=self.owner.epoch)
                raise
            every_s = self._terms.renew_every_s
            await self._clock.sleep(min(_AGAIN_S, every_s) if self.trouble.what else self._clock.to_beat_s(every_s))

    async def hand_back(self) -> None:
        """Let the next owner have it at once. Nobody is dialled any more, nothing written."""
        async with self._asking:
            self._handed_back, self._rely_until_s = True, self._clock.monotonic_s()
            await ownership.give_back(self._engine, self.owner)

    async def _taken(self, first: Gateway | None, *, seen_s: float) -> bool:
        """Whether it is ours now. `first`: the owner whose lease is waited for, and was seen so long ago."""
        async with self._asking:
            found, asked_at_s = await self._found(), self._clock.monotonic_s()
            # However far the database's clock was put back: nothing was heard of its owner for a whole lease.
            silent = (
                first is not None and found is not None and seen_s >= self._terms.lease_s and not _lives(first, found)
            )
            gone = found if found is not None and (silent or found.process.is_dead) else None
            taken = await ownership.take(
                self._engine, self.owner.gateway, this_process(), lease_ms=self._terms.lease_ms, instead_of=gone
            )
            if taken is None:
                return False
            self._rely(taken, asked_at_s, anew=True)
            self.owner.epoch = taken.epoch
            log.info("gateway_taken", gateway=self.owner.gateway, epoch=taken.epoch)
            return True

    async def _renew(self) -> None:
        async with self._asking:
            if self._handed_back:
                return
            asked_at_s = self._clock.monotonic_s()
            held = await ownership.renew(self._engine, self.owner, lease_ms=self._terms.lease_ms)
            self._rely(held, asked_at_s, anew=self._clock.monotonic_s() >= self._rely_until_s)

    async def _found(self) -> Gateway | None:
        found = await ownership.gateways(self._engine)
        return next((each for each in found if each.name == self.owner.gateway), None)

    def _rely(self, held: Held, asked_at_s: float, *, anew: bool) -> None:
        """Rely on the lease that was asked for then. `anew`: others may have seen that the gateway is nobody's."""
        self._ahead_ms = held.now_ms - round(self._clock.monotonic_s() * 1000)
        self.others, self.shared = held.others, held.shared
        if anew:
            # Others go on at their pace until they know of us, or no longer rely on what they know.
            self._rely_from_s = asked_at_s + (self._terms.relied_on_s if self.others else 0.0)
        self._rely_until_s = asked_at_s + self._terms.relied_on_s


def _lives(before: Gateway, now: Gateway) -> bool:
    """Whether it was renewed, or taken by somebody else."""
    return (before.epoch, before.lease_until_ms) != (now.epoch, now.lease_until_ms) and now.held


def _refused(gateway: Gateway) -> Fault:
    return Fault(
        what=f"The gateway {gateway.name!r} is owned by another engine: {gateway.told}.",
        where="gateway in ivr.toml",
        mend="End that ivr up first; or, if this machine has an Asterisk of its own, give its gateway another name.",
    )


def _silent(gateway: Gateway) -> Fault:
    return Fault(
        what=f"The gateway {gateway.name!r} is owned by another engine: {gateway.told}.",
        where="gateway in ivr.toml",
        mend="It is taken over when that time is over, unless the other engine shows that it lives.",
    )
