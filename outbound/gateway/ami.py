"""The link to Asterisk's manager interface: panoramisk's Manager and protocol, with what they get wrong mended.

It owns the connection: log-in, reconnection, and one ordered queue of events. It never sends an action a second time:
an Originate that was sent and not answered may be ringing somebody's phone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl as tls
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from panoramisk.manager import Manager
from panoramisk.message import Message

from faults import Fault, PeerError
from outbound.clock import Clock
from outbound.gateway.ami_protocol import AmiError, AmiProtocol, NotSent, OutcomeUnknown, Refused, checked
from outbound.trouble import Trouble

log = structlog.get_logger(__name__)

#: Reading stops while so many events wait for their callbacks; TCP then holds Asterisk back.
MAX_WAITING_EVENTS = 10_000

#: Told of an event (headers by name, any case; "" when missing) or of a log-in.
Callback = Callable[["Ami", Message], Awaitable[None] | None]


class Ami(Manager):  # type: ignore[misc]  # panoramisk has no types
    """A link that is made again when it is lost. Construct it inside the running loop."""

    protocol: AmiProtocol | None
    pinger: asyncio.Task[None] | None

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        secret: str,
        clock: Clock | None = None,
        ssl: tls.SSLContext | bool = False,
        answer_s: float = 5.0,
        ping_every_s: float = 5.0,
        reconnect_first_s: float = 0.2,
        reconnect_most_s: float = 15.0,
    ) -> None:
        super().__init__(
            host=host, port=port, username=username, secret=secret, ssl=ssl or None, loop=asyncio.get_running_loop()
        )
        self.callbacks.clear()  # panoramisk's own re-sends unanswered actions
        self.patterns.clear()
        self.clock = clock or Clock()
        self._link = Trouble(event="ami_unreachable", clock=self.clock)
        self._answer_s, self._ping_every_s = answer_s, ping_every_s
        self._reconnect_s = (reconnect_first_s, reconnect_most_s)
        self._waiting: asyncio.Queue[tuple[Callback, Message]] = asyncio.Queue()
        self._on_up: list[Callback] = []
        self._wanted_names: dict[bytes, bool] = {}
        self._lost, self._first_login = asyncio.Event(), self.loop.create_future()
        self._booted: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # ------------------------------------------------------------ the link

    async def open(self, *, within_s: float = 20.0) -> None:
        """Connect and log in. Raises PeerError when the login is refused, or no Asterisk answers within `within_s`."""
        self._tasks = [asyncio.create_task(self._stay_connected()), asyncio.create_task(self._deliver())]
        try:
            async with self.clock.timeout(within_s):
                await asyncio.shield(self._first_login)
        except TimeoutError:
            raise PeerError(self._fault("does not answer", "Is Asterisk running? See: ivr doctor.")) from None
        finally:
            if not self.up:
                await self.aclose()

    async def watch(self) -> None:
        """Return never, but raise when one of the link's own tasks is dead: no event would come any more."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a task of the link to Asterisk has ended")

    async def aclose(self) -> None:
        """Close for good."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.close()

    @property
    def up(self) -> bool:
        """Logged in, and nothing says that the link is lost."""
        return bool(self.authenticated) and self.protocol is not None and not self.protocol.closed

    def on_up(self, callback: Callback) -> None:
        """Call `callback` after every log-in, in order with the events."""
        self._on_up.append(callback)

    def _fault(self, what: str, mend: str) -> Fault:
        place = f"{self.config['host']}:{self.config['port']}"
        return Fault(what=f"Asterisk's manager interface {what}.", where=place, mend=mend)

    async def _stay_connected(self) -> None:
        first_s, most_s = self._reconnect_s
        delay_s = first_s
        while True:
            self._lost.clear()
            up_at_s = None
            try:
                await self._connect_once()
                up_at_s = self.clock.monotonic_s()
                await self._lost.wait()
                self._link.met(NotSent("the link was lost"))
            except PeerError as error:
                delay_s = most_s
                self._link.met(error, user=self.config["username"])
                if not self._first_login.done():
                    self._first_login.set_exception(error)
            except (OSError, TimeoutError, AmiError) as error:
                self._link.met(error)
            self.authenticated = False
            self.close()
            if up_at_s is not None and self.clock.monotonic_s() - up_at_s > most_s:
                delay_s = first_s
            await self.clock.sleep(delay_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing
            delay_s = min(delay_s * 2, most_s)

    async def _connect_once(self) -> None:
        async with self.clock.timeout(self._answer_s):
            _, self.protocol = await self.loop.create_connection(
                lambda: AmiProtocol(self), self.config["host"], self.config["port"], ssl=self.config["ssl"]
            )
        self._booted = self.loop.create_future()
        login = {"Action": "Login", "Username": self.config["username"], "Secret": self.config["secret"]}
        try:
            await self._answer({**login, "Events": "on"}, within_s=self._answer_s)
        except Refused as error:
            what = f"refused the login of {self.config['username']!r}: {error}"
            raise PeerError(self._fault(what, "Compare the secrets on both sides.")) from error
        # A starting Asterisk takes logins before its trunks are loaded; FullyBooted says that they are.
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout(self._answer_s):
                await self._booted
        if self.protocol.closed:
            raise NotSent("the link was lost during the login")
        self.authenticated = True
        self.pinger = asyncio.create_task(self._keep_alive(self.protocol))
        for callback in self._on_up:
            self._waiting.put_nowait((callback, Message({"Event": "FullyBooted"})))
        if not self._first_login.done():
            self._first_login.set_result(None)
        self._link.over()
        log.info("ami_up", version=self.protocol.version)

    async def _keep_alive(self, protocol: AmiProtocol) -> None:
        """Ping until the link is gone: a peer that vanished without a word closes no socket."""
        while not protocol.closed:
            await self.clock.sleep(self.clock.to_beat_s(self._ping_every_s))
            try:
                await self._answer({"Action": "Ping"}, within_s=self._answer_s)
            except AmiError:
                # While we ourselves do not read, a missing answer is no proof.
                if protocol.transport.is_reading():
                    log.warning("ami_ping_unanswered")
                    protocol.transport.abort()
                    return

    def connection_lost(self, _error: Exception | None) -> None:
        self.authenticated = False
        self._lost.set()

    def connect(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("use open()")

    # ------------------------------------------------------------ actions

    async def action(self, fields: Mapping[str, str], *, within_s: float | None = None) -> Message:
        """Asterisk's answer. Raises NotSent, OutcomeUnknown or Refused; ValueError for fields that can't be sent."""
        if not self.up:
            raise NotSent("the link to Asterisk is down")
        answer: Message = await self._answer(fields, within_s=within_s or self._answer_s)
        return answer

    async def listing(self, fields: Mapping[str, str], *, within_s: float | None = None) -> list[Message]:
        """The events of an action that answers with a list, such as CoreShowChannels; errors as for `action`."""
        if not self.up:
            raise NotSent("the link to Asterisk is down")
        answers: list[Message] = await self._answer(fields, within_s=within_s or self._answer_s, as_list=True)
        return answers[1:-1]

    async def live_channels(self) -> dict[str, Message]:
        """The channels that exist now, by Uniqueid."""
        return {str(row.uniqueid): row for row in await self.listing({"Action": "CoreShowChannels"})}

    async def answered(self, future: Awaitable[Any], name: str, *, within_s: float | None = None) -> Any:
        """Asterisk's answer to what `send_action` sent, an action of that name. Raises OutcomeUnknown or Refused."""
        try:
            async with self.clock.timeout(within_s or self._answer_s):
                return await future
        except TimeoutError:
            raise OutcomeUnknown(f"no answer to {name} within {within_s or self._answer_s} s") from None

    async def _answer(self, fields: Mapping[str, str], *, within_s: float, as_list: bool = False) -> Any:
        future = self.send_action(dict(fields), as_list=as_list)
        return await self.answered(future, fields["Action"], within_s=within_s)

    def send_action(self, action: dict[str, str], as_list: bool = False, **more: str) -> asyncio.Future[Any]:
        """Send one action; the future of its answer. Raises ValueError when a field would break the protocol."""
        if self.protocol is None:
            raise NotSent("the link to Asterisk is down")
        return self.protocol.submit(checked({**action, **more}, as_list=as_list))

    # ------------------------------------------------------------ events

    def wants(self, data: bytes) -> bool:
        """Whether somebody listens for the event, told from its first line alone: parsing costs 30 times as much."""
        name = data[7 : end if (end := data.find(b"\r\n")) >= 0 else None].strip()
        if name == b"FullyBooted":
            return True
        if name not in self._wanted_names:
            if len(self._wanted_names) > 1000:
                self._wanted_names.clear()
            text = name.decode("utf-8", "replace")
            self._wanted_names[name] = any(regexp.match(text) for _, regexp in self.patterns)
        return self._wanted_names[name]

    def register_event(self, pattern: str, callback: Callback | None = None) -> Any:
        self._wanted_names = {}
        return super().register_event(pattern, callback)

    def dispatch(self, event: Message) -> None:
        """Put an event in the queue. Order is kept; a callback that fails harms neither the others nor the link."""
        name = str(event.event)
        if name == "FullyBooted" and self._booted is not None and not self._booted.done():
            self._booted.set_result(None)
        for pattern, regexp in self.patterns:
            if regexp.match(name):
                for callback in self.callbacks[pattern]:
                    self._waiting.put_nowait((callback, event))
        transport = self.protocol.transport if self.protocol is not None else None
        if transport is not None and self._waiting.qsize() >= MAX_WAITING_EVENTS and not transport.is_closing():
            transport.pause_reading()

    async def _deliver(self) -> None:
        while True:
            callback, event = await self._waiting.get()
            try:
                result = callback(self, event)
                if result is not None:
                    await result
            except Exception:
                log.exception("ami_callback_failed", event_name=str(event.event))
            if self._waiting.qsize() <= MAX_WAITING_EVENTS // 2 and self.protocol is not None:
                transport = self.protocol.transport
                if not transport.is_closing() and not transport.is_reading():
                    transport.resume_reading()

    def close(self) -> None:
        """Drop the present connection."""
        if self.pinger is not None:
            self.pinger.cancel()
            self.pinger = None
        if self.protocol is not None:
            self.protocol.close()
