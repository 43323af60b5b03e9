"""Make one attempt: send the Originate, gather what Asterisk says of the channel, settle it.

The intent was committed before (ledger.claim). Nothing here sends an Originate a second time. An attempt that Asterisk
stays silent about is not given up here: outbound.gateway.recovery asks for live channels and reads Asterisk's records.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

import structlog
from panoramisk.message import Message
from sqlalchemy.exc import DBAPIError

from ivr.amd import is_machine
from ivr.settings import Trunk
from outbound.campaigns import Rules
from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import AmiError, NotSent, Refused
from outbound.ledger import Claim, Ledger, Settlement
from outbound.plan.outcome import ANSWERED, Outcome, decide
from outbound.plan.recovery import Learned
from outbound.plan.retry import next_due_ms
from people.numbers import dial_string, mask_phone

log = structlog.get_logger(__name__)

#: When one of OriginateResponse and Hangup has come, the other may be on its way for so long.
SECOND_EVENT_S = 3.0
#: Between tries to write an outcome while the database refuses (disk full, locked).
_WRITE_AGAIN_S = 1.0
_UP = "6"


@dataclass(kw_only=True)
class Watch:
    """What is known of one attempt in flight."""

    claim: Claim
    rules: Rules
    answered_at_ms: int | None = None
    #: AMD's verdict; None: it has not spoken.
    machine: bool | None = None
    reason: int | None = None
    cause: int | None = None
    sip_status: int | None = None
    hung_up_at_ms: int | None = None
    #: Settled from elsewhere.
    learned: Learned | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def heard_both(self) -> bool:
        return self.hung_up_at_ms is not None and (self.reason is not None or self.answered_at_ms is not None)

    @property
    def heard_one(self) -> bool:
        """The end is certain, and the second event is only an addition to it."""
        return self.hung_up_at_ms is not None or self.reason not in (None, ANSWERED)


class Dialer:
    """Attempts in flight, by id."""

    def __init__(self, *, ami: Ami, ledger: Ledger, trunk: Trunk, clock_ms: Callable[[], int]) -> None:
        self._ami, self._ledger, self._trunk, self._clock_ms = ami, ledger, trunk, clock_ms
        self.watched: dict[str, Watch] = {}
        self._abandoned = False
        ami.register_event("Newstate", self._newstate)
        ami.register_event("OriginateResponse", self._originate_response)
        ami.register_event("Hangup", self._hangup)
        ami.register_event("UserEvent", self._user_event)

    async def dial(self, claim: Claim, rules: Rules) -> None:
        """Make the attempt and return when it is settled, or released because it surely was not sent."""
        watch = self._begin(claim, rules)
        try:
            try:
                await self._ami.action(self._originate(claim, rules))
            except NotSent:
                await self._written(lambda: self._ledger.release(claim))
                return
            except Refused as error:
                log.warning("originate_refused", attempt=claim.attempt_id, error=str(error))
                watch.learned = Learned(outcome=Outcome.FAILED, settled_by="none")
            except AmiError as error:
                log.warning("originate_unanswered", attempt=claim.attempt_id, error=str(error))
            else:
                self._ledger.dialled(claim.attempt_id, self._clock_ms())
            await self._watch_to_end(watch)
        finally:
            self.watched.pop(claim.attempt_id, None)

    def adopt(self, claim: Claim, rules: Rules) -> Coroutine[None, None, None]:
        """Watch, from now on, an attempt that an earlier engine dialled; await it to settle it."""
        watch = self._begin(claim, rules)

        async def settled() -> None:
            try:
                await self._watch_to_end(watch)
            finally:
                self.watched.pop(claim.attempt_id, None)

        return settled()

    def seen_live(self, attempt_id: str, *, up: bool) -> None:
        """The channel exists; `up`: it was answered, perhaps while the link was lost."""
        if up and (watch := self.watched.get(attempt_id)):
            self._answered(watch)

    def learn(self, attempt_id: str, learned: Learned) -> None:
        """What became of an attempt that is watched, found in the records."""
        watch = self.watched.get(attempt_id)
        if watch is not None:
            watch.learned = learned
            watch.changed.set()

    def abandon(self) -> None:
        """Watch no longer: what is in flight stays so in the ledger, for the next start to settle.

        Tasks come to their end by themselves; a cancelled one would tear its database connection.
        """
        self._abandoned = True
        for watch in self.watched.values():
            watch.changed.set()

    def _begin(self, claim: Claim, rules: Rules) -> Watch:
        watch = self.watched[claim.attempt_id] = Watch(claim=claim, rules=rules)
        return watch

    def _originate(self, claim: Claim, rules: Rules) -> dict[str, str]:
        fields = {
            "Action": "Originate",
            "ActionID": claim.attempt_id,
            "ChannelId": claim.attempt_id,
            "Channel": f"PJSIP/{dial_string(claim.phone, self._trunk.dial_format)}@trunk",
            "Context": "promo",
            "Exten": "detect" if rules.machines == "detect" else "direct",
            "Priority": "1",
            "Timeout": str(rules.ring_s * 1000),
            "Async": "true",
        }
        log.info("dial", attempt=claim.attempt_id, lead=claim.lead_id, phone=mask_phone(claim.phone))
        return fields | ({"CallerID": self._trunk.caller_id} if self._trunk.caller_id else {})

    # ------------------------------------------------------------ events

    def _newstate(self, _ami: Ami, event: Message) -> None:
        if event.channelstate == _UP and (watch := self.watched.get(event.uniqueid)):
            self._answered(watch)

    def _originate_response(self, _ami: Ami, event: Message) -> None:
        # A channel that could not be made has no Uniqueid; the ActionID is the same.
        if watch := self.watched.get(event.actionid or event.uniqueid):
            watch.reason = _number(event.reason) or 0
            if watch.reason == ANSWERED:
                self._answered(watch)
            watch.changed.set()

    def _hangup(self, _ami: Ami, event: Message) -> None:
        if watch := self.watched.get(event.uniqueid):
            watch.cause, watch.sip_status = _number(event.cause), _number(event.techcause)
            watch.hung_up_at_ms = self._clock_ms()
            watch.changed.set()

    def _user_event(self, _ami: Ami, event: Message) -> None:
        if event.userevent == "AMD" and (watch := self.watched.get(event.attempt)):
            watch.machine = is_machine(event.status, event.cause)

    def _answered(self, watch: Watch) -> None:
        if watch.answered_at_ms is None:
            watch.answered_at_ms = self._clock_ms()

    # ------------------------------------------------------------ the end

    async def _watch_to_end(self, watch: Watch) -> None:
        while watch.learned is None and not watch.heard_both:
            if self._abandoned:
                return
            try:
                async with asyncio.timeout(SECOND_EVENT_S if watch.heard_one else None):
                    await watch.changed.wait()
            except TimeoutError:
                break
            watch.changed.clear()
        end = self._from_learned(watch, watch.learned) if watch.learned else await self._from_events(watch)
        await self._written(lambda: self._ledger.settle(end))
        log.info("settled", attempt=end.attempt_id, outcome=end.outcome.value, by=end.settled_by, cause=end.cause)

    def _from_learned(self, watch: Watch, learned: Learned) -> Settlement:
        claim, outcome = watch.claim, learned.outcome
        if outcome is Outcome.HUMAN and watch.machine:
            # AMD's verdict was heard before the link was lost; Asterisk's records do not hold it.
            outcome = Outcome.MACHINE
        ended_at_ms = learned.ended_at_ms or self._clock_ms()
        return Settlement(
            attempt_id=claim.attempt_id,
            lead_id=claim.lead_id,
            number=claim.number,
            outcome=outcome,
            settled_by=learned.settled_by,
            ended_at_ms=ended_at_ms,
            dialled_at_ms=learned.dialled_at_ms,
            answered_at_ms=learned.answered_at_ms,
            cause=learned.cause,
            next_due_ms=_next_due_ms(outcome, claim, watch.rules, ended_at_ms),
        )

    async def _from_events(self, watch: Watch) -> Settlement:
        claim, rules = watch.claim, watch.rules
        answered_at_ms, machine = watch.answered_at_ms, watch.machine
        if answered_at_ms is None or (machine is None and rules.machines == "detect"):
            # Our journal is the second witness of an answer and of AMD's verdict.
            journalled = (await self._ledger.journalled([claim.attempt_id])).get(claim.attempt_id)
            if journalled is not None:
                answered_at_ms = answered_at_ms or journalled.answered_at_ms
                machine = journalled.machine if machine is None else machine
        ended_at_ms = watch.hung_up_at_ms or self._clock_ms()
        outcome = decide(
            reason=watch.reason,
            cause=watch.cause,
            sip_status=watch.sip_status,
            answered=answered_at_ms is not None,
            machine=bool(machine),
        )
        return Settlement(
            attempt_id=claim.attempt_id,
            lead_id=claim.lead_id,
            number=claim.number,
            outcome=outcome,
            settled_by="events",
            ended_at_ms=ended_at_ms,
            dialled_at_ms=claim.planned_at_ms,
            answered_at_ms=answered_at_ms,
            reason=watch.reason,
            cause=watch.cause,
            sip_status=watch.sip_status,
            next_due_ms=_next_due_ms(outcome, claim, rules, ended_at_ms),
        )

    async def _written(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write to the ledger, again and again while the database refuses: an outcome must not be lost."""
        while True:
            try:
                return await write()
            except DBAPIError as error:
                log.error("ledger_refuses", error=str(error.orig), again_in_s=_WRITE_AGAIN_S)
                if self._abandoned:
                    return None
                await asyncio.sleep(_WRITE_AGAIN_S)


def _next_due_ms(outcome: Outcome, claim: Claim, rules: Rules, ended_at_ms: int) -> int | None:
    return next_due_ms(
        outcome,
        attempts=claim.number,
        max_attempts=rules.max_attempts,
        retry_after_s=rules.retry_after_s,
        ended_at_ms=ended_at_ms,
    )


def _number(text: str) -> int | None:
    """The first number in a header such as "486" or "SIP 486"; None when there is none."""
    found = re.search(r"\d+", text)
    return int(found[0]) if found else None
