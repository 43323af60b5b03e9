"""The FastAGI server: takes connections, gives each call to the handler, ends them in good order."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import structlog

from faults import Fault, MachineError
from ivr.agi.refusals import EVERY_S, Refusals
from ivr.agi.session import Session

log = structlog.get_logger()

#: Carries one call out; has called `session.finish()` when the caller was served.
Handler = Callable[[Session], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    #: Headers must be complete by then.
    header_timeout_s: float = 5.0
    #: A call longer than this is told goodbye and ended.
    max_call_s: float = 900.0
    #: Connections at one time; the dialplan looks after the callers beyond.
    max_connections: int = 2000
    #: How long a call may take to say goodbye when it is stopped.
    goodbye_s: float = 10.0


def _wait_for_headers(listening: int) -> None:
    """Let the kernel wake us when a peer has sent something, not when it has connected: one wake-up less a call."""
    with socket.socket(fileno=os.dup(listening)) as same:
        same.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()


class FastAgiServer:
    """start -> (calls) -> drain or stop. Made inside the running loop."""

    def __init__(self, handler: Handler, *, key: str, limits: Limits | None = None) -> None:
        """`key` is what the site's dialplan sends along (Site.agi_key); an opening without it never becomes a call."""
        self._handler = handler
        self._key = key
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[Session] = set()
        self._calls: dict[Session, asyncio.Task[None]] = {}
        self._refusals = Refusals()
        self._telling: asyncio.TimerHandle | None = None

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return len(self._calls)

    @property
    def port(self) -> int:
        """Where it listens, when started with port 0. Raises RuntimeError when it does not listen."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the FastAGI server does not listen")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises MachineError when the place is taken or not ours."""
        try:
            # The backlog holds a burst of calls that come while the loop is at something else.
            self._server = await self._loop.create_server(self._connect, host, port, backlog=1024)
            for listening in self._server.sockets:
                _wait_for_headers(listening.fileno())
        except OSError as error:
            raise MachineError(
                Fault(
                    what=f"FastAGI can't listen on {host}:{port}: {error.strerror or error}.",
                    where="ivr.toml: agi.host, agi.port",
                    mend="Stop what listens there (ss -ltnp shows it; maybe another ivr up), or choose another port.",
                )
            ) from error
        log.info("agi.listening", host=host, port=self.port)

    async def drain(self, seconds: float) -> None:
        """Take no new calls; let those in progress finish within `seconds`, then tell them goodbye, then end."""
        if self._server is not None:
            self._server.close()
            self._server = None
        log.info("agi.draining", calls=len(self._calls), seconds=seconds)
        await self._wait(seconds)
        for session in self._calls:
            session.stop("drain")
        await self._wait(self._limits.goodbye_s)
        late = list(self._calls.values())
        for task in late:
            task.cancel()
        for session in list(self._connections):
            session.abort()
        await asyncio.gather(*late, return_exceptions=True)
        # One that was cut off before its first step.
        self._calls.clear()
        if self._telling is not None:
            self._telling.cancel()
            self._tell_refusals()
        log.info("agi.drained", cut_off=len(late))

    async def stop(self) -> None:
        """The same with no time to finish: calls in progress are told goodbye at once."""
        await self.drain(0)

    async def _wait(self, seconds: float) -> None:
        if self._calls:
            await asyncio.wait(self._calls.values(), timeout=seconds)

    def _connect(self) -> asyncio.Protocol:
        if len(self._connections) >= self._limits.max_connections:
            self._refused("too many connections", f"more than {self._limits.max_connections}")
            return _Refusal()
        session = Session(
            self._begin,
            self._connections.discard,
            self._refused,
            key=self._key,
            header_timeout_s=self._limits.header_timeout_s,
        )
        self._connections.add(session)
        return session

    def _refused(self, why: str, detail: str) -> None:
        if count := self._refusals.count(why, self._loop.time()):
            log.warning("agi.refused", why=why, detail=detail, count=count)
        elif self._telling is None:
            self._telling = self._loop.call_later(EVERY_S, self._tell_refusals)

    def _tell_refusals(self) -> None:
        self._telling = None
        for why, count in self._refusals.take(self._loop.time()).items():
            log.warning("agi.refused", why=why, count=count)

    def _begin(self, session: Session) -> None:
        self._calls[session] = self._loop.create_task(self._carry_out(session))

    async def _carry_out(self, session: Session) -> None:
        limit = self._loop.call_later(self._limits.max_call_s, session.stop, "limit")
        try:
            await self._handler(session)
        except Exception:
            # The link closes without IVR_DONE below, so the dialplan's fallback looks after the caller.
            log.exception("call.failed", uniqueid=session.opening.uniqueid)
        finally:
            limit.cancel()
            session.abort_unless_finished()
            del self._calls[session]
