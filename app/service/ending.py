"""The order in which a site ends, in one place. Knows its parts by what it asks of them, and no clock but the loop's.

    1  nobody is dialled any more; who calls us now hears the local fallback
    2  what is claimed and does not ring is given back; what rings is hung up and given back
    3  calls in progress finish
    4  those that last too long are told goodbye; FastAGI is closed
    5  the last outcomes are settled; the worker is closed, its gateway handed back, then its link to Asterisk closed
    6  the journal is written down
    7  Asterisk ends when its last call is over

A step that fails or takes too long is told, and never keeps those after it from being taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

#: A database that is locked may hold the giving back up for so long.
GIVE_BACK_S = 20.0
#: Asterisk tells of the end of a call within a moment.
SETTLE_S = 5.0
CLOSE_S = 20.0
#: What all steps but the calls may take together.
CLOSING_S = GIVE_BACK_S + SETTLE_S + 5 * CLOSE_S


class Dialling(Protocol):
    def stop_claiming(self) -> None: ...

    async def give_back(self) -> None: ...

    async def calls_ended(self, within_s: float) -> None: ...

    async def close(self) -> None: ...


class Answering(Protocol):
    def refuse_callers(self) -> None: ...

    async def calls_ended(self, within_s: float) -> None: ...

    async def close_calls(self) -> None: ...

    async def close_journal(self) -> None: ...


class Gateway(Protocol):
    async def hand_back(self) -> None: ...


class Link(Protocol):
    async def aclose(self) -> None: ...


class Asterisk(Protocol):
    async def stop(self, grace_s: float) -> None: ...


@dataclass(kw_only=True)
class Parts:
    """What there is to end; None: it was not started, or is somebody else's."""

    dialling: Dialling | None = None
    answering: Answering | None = None
    gateway: Gateway | None = None
    link: Link | None = None
    asterisk: Asterisk | None = None


async def end(parts: Parts, *, within_s: float, now: asyncio.Event) -> None:
    """End all parts in order. Calls may finish within `within_s`, or until `now` is set; they are told goodbye then."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    dialling, answering = parts.dialling, parts.answering
    async with _step("stop_claiming", None):
        if dialling is not None:
            dialling.stop_claiming()
        if answering is not None:
            answering.refuse_callers()
    async with _step("give_back", GIVE_BACK_S):
        if dialling is not None:
            await dialling.give_back()
    async with _step("calls", None):
        calls = [part.calls_ended(until_s - loop.time()) for part in (answering, dialling) if part is not None]
        await _unless(now, asyncio.gather(*calls))
    async with _step("goodbye", CLOSE_S):
        if answering is not None:
            await answering.close_calls()
    async with _step("settle", SETTLE_S + CLOSE_S):
        if dialling is not None:
            await dialling.calls_ended(SETTLE_S)
            await dialling.close()
    async with _step("gateway", CLOSE_S):
        if parts.gateway is not None:
            await parts.gateway.hand_back()
    async with _step("link", CLOSE_S):
        if parts.link is not None:
            await parts.link.aclose()
    async with _step("journal", CLOSE_S):
        if answering is not None:
            await answering.close_journal()
    async with _step("asterisk", None):
        if parts.asterisk is not None:
            if not now.is_set():
                # Callers of the fallback, and those who talk to an operator, are still with it.
                await _unless(now, parts.asterisk.stop(max(0.0, until_s - loop.time())))
            if now.is_set():
                await parts.asterisk.stop(0)


async def _unless(now: asyncio.Event, what: Awaitable[object]) -> None:
    """Await `what`, or let it be when `now` is set."""
    doing = asyncio.ensure_future(what)
    hurried = asyncio.ensure_future(now.wait())
    try:
        await asyncio.wait({doing, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            await doing
    finally:
        for task in (doing, hurried):
            task.cancel()
        await asyncio.gather(doing, hurried, return_exceptions=True)


@contextlib.asynccontextmanager
async def _step(name: str, within_s: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError:
        log.error("end_step_too_long", step=name, seconds=within_s)
    except Exception:
        log.exception("end_step_failed", step=name)
    else:
        log.info("end_step", step=name)
