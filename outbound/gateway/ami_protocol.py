"""Asterisk's manager protocol over panoramisk's: bytes to messages, answers to actions. Opens no connection.

AmiError
├── NotSent         the action surely never left; it may be tried again
├── OutcomeUnknown  it was sent, and no answer came before the link was lost or the time was over
└── Refused         Asterisk answered with an error
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

log = structlog.get_logger(__name__)

#: Asterisk reads a manager line into 1024 bytes, its line end and a zero included.
MAX_LINE_BYTES = 1021
#: A message that does not end by then is garbage, or not from an Asterisk.
MAX_MESSAGE_BYTES = 256 * 1024


class AmiError(Exception):
    """The action has no good answer."""


class NotSent(AmiError):
    """There was no link; nothing was sent."""


class OutcomeUnknown(AmiError):
    """The action was sent; whether Asterisk took it is not known."""


class Refused(AmiError):
    """Asterisk refused the action."""


class Listener(Protocol):
    """Who hears of events and of the end of the link."""

    def wants(self, data: bytes) -> bool: ...

    def dispatch(self, event: Message) -> None: ...

    def connection_lost(self, error: Exception | None) -> None: ...


def checked(fields: dict[str, str], *, as_list: bool) -> Action:
    """The action, ready to be sent. Raises ValueError when a field would break the protocol or block the link."""
    action = Action(fields, as_list=as_list)
    if fields["Action"].lower() == "originate" and fields.get("Async", "").lower() != "true":
        raise ValueError("an Originate without Async: true blocks the link until the phone is answered")
    for name, value in action.items():
        line = f"{name}: {value}"
        if any(letter in line for letter in "\r\n\0"):
            raise ValueError(f"line end in {name}")
        if len(line.encode()) > MAX_LINE_BYTES:
            raise ValueError(f"{name} is longer than Asterisk reads")
    return action


class AmiProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Bytes to messages. A message is decoded when it is whole, so a letter is never cut in two."""

    factory: Listener
    version: str | None
    responses: dict[str, Action]
    closed: bool
    transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._received = bytearray()

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.factory, self.encoding = self._listener, "utf-8"

    def data_received(self, data: bytes) -> None:
        searched = max(0, len(self._received) - 3)
        self._received += data
        if self.version is None and self._received and not self._received.startswith(b"A"):
            self._give_up("ami_no_greeting")
            return
        if self.version is None and (end := self._received.find(b"\r\n")) >= 0:
            self.version = self._received[:end].decode("utf-8", "replace").partition("/")[2]
            del self._received[: end + 2]
            searched = 0
        if (end := self._received.rfind(b"\r\n\r\n", searched)) >= 0:
            whole = bytes(self._received[:end])
            del self._received[: end + 4]
            for message in whole.split(b"\r\n\r\n"):
                self._message_received(message)
        if len(self._received) > MAX_MESSAGE_BYTES:
            self._give_up("ami_message_too_long")

    def _give_up(self, why: str) -> None:
        log.error(why, bytes=len(self._received))
        self._received.clear()
        self.transport.abort()

    def _message_received(self, data: bytes) -> None:
        data = data.strip()
        if data.startswith(b"Event: ") and b"\r\nActionID: " not in data and not self.factory.wants(data):
            return
        try:
            message = Message.from_line(data.decode("utf-8", "replace"))
            if message is not None:
                self.handle_message(message)
        except Exception:
            # Whatever a peer sends, the next message is still read.
            log.exception("ami_message_unreadable", bytes=len(data))

    def handle_message(self, message: Message) -> None:
        """An answer goes to its action, a list's events too; every other event is dispatched, ActionID or not."""
        action = self.responses.get(message.id) or self.responses.get(message.action_id)
        is_event = "event" in message
        if action is None or (is_event and not (action.as_list and action.responses)):
            if is_event:
                self.factory.dispatch(message)
            return
        refused = not is_event and not message.success
        if refused and not action.future.done():
            action.future.set_exception(Refused(str(message.message)))
        elif not action.add_message(message):
            return
        self.forget(action)

    def submit(self, action: Action) -> asyncio.Future[Any]:
        """Send an action; the future of its answer. Raises NotSent."""
        if self.closed or self.transport.is_closing():
            raise NotSent("the link to Asterisk is down")
        future: asyncio.Future[Any] = self.send(action, as_list=action.as_list)
        future.add_done_callback(lambda _: self.forget(action))
        return future

    def forget(self, action: Action) -> None:
        self.responses.pop(action.id, None)
        self.responses.pop(action.action_id, None)

    def close(self) -> None:
        """Close the link. What was sent and not answered has an unknown outcome, and is not kept for later."""
        unanswered, self.responses = list(self.responses.values()), {}
        for action in unanswered:
            if not action.future.done():
                action.future.set_exception(OutcomeUnknown(f"the link was lost after {action['Action']} was sent"))
        super().close()
