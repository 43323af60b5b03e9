"""Make one attempt: send the Originate, gather what Asterisk says of the channel, settle it.

The intent was committed before (ledger.claim). Nothing here sends an Originate a second time. An attempt that Asterisk
stays silent about is not given up here: outbound.gateway.recovery asks for live channels and reads Asterisk's records.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import structlog
from panoramisk.message import Message
from sqlalchemy.exc import SQLAlchemyError

from ivr.amd import is_machine
from ivr.trunks import SiteTrunk
from outbound.attempts import Claim, Settlement
from outbound.campaigns import Rules
from outbound.clock import Clock
from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import AmiError, NotSent, Refused
from outbound.gateway.records import Records
from outbound.gateway.trunks import Trunks
from outbound.gateway.watch import Watch, from_events, from_learned
from outbound.ledger import Ledger
from outbound.plan.outcome import ANSWERED, Outcome
from outbound.plan.recovery import Journalled, Learned, Record
from outbound.plan.trunks import Signs, not_taken
from outbound.trouble import Trouble
from people.numbers import dial_string, mask_phone
from people.store.ownership import GatewayLost

log = structlog.get_logger(__name__)

#: When one of OriginateResponse and Hangup has come, the other may be on its way for so long; a record, too.
SECOND_EVENT_S = 3.0
#: Between tries to write an outcome while the database refuses (disk full, locked).
_WRITE_AGAIN_S = 1.0
#: An Asterisk that leaves an Originate unanswered for so long is sent no other: it would ring them all when it wakes.
_HUNG_AFTER_S = 1.0
#: Between looks at what rings while everything is given back.
_GIVE_BACK_EVERY_S = 0.1
_RINGING, _UP = "5", "6"


class Dialer:
    """Attempts in flight, by id: send, watch, outcome, settle."""

    def __init__(self, *, ami: Ami, ledger: Ledger, trunks: Trunks, clock: Clock, asterisk_log: Path) -> None:
        self._ami, self._ledger, self._trunks, self._clock = ami, ledger, trunks, clock
        self._log_folder = asterisk_log
        self.watched: dict[str, Watch] = {}
        #: When each Originate was sent that Asterisk has not answered yet, the oldest first.
        self._unanswered: dict[str, float] = {}
        #: One was never answered: until one is, they are sent one at a time.
        self._hung = False
        self._abandoned = asyncio.Event()
        self._writing = Trouble(event="ledger_refuses", clock=clock)
        self._asking = Trouble(event="originate_refused", clock=clock)
        ami.on_up(self._saw_nothing)
        ami.register_event("Newstate", self._newstate)
        ami.register_event("DialState", self._dial_state)
        ami.register_event("OriginateResponse", self._originate_response)
        ami.register_event("Hangup", self._hangup)
        ami.register_event("UserEvent", self._user_event)

    # ------------------------------------------------------------ send

    @property
    def ready(self) -> bool:
        """Whether Asterisk is there and takes what it is sent."""
        if not self._unanswered:
            return self._ami.up
        oldest_s = next(iter(self._unanswered.values()))
        return self._ami.up and not self._hung and self._clock.monotonic_s() <= oldest_s + _HUNG_AFTER_S

    def send(self, claim: Claim, rules: Rules) -> Watch:
        """Send the Originate in this instant; `attend` to it then. Raises NotSent when it surely was not."""
        if not self._ami.up:
            raise NotSent("the link to Asterisk is down")
        if (trunk := self._trunks.find(claim.trunk)) is None:
            raise NotSent(f"the trunk {claim.trunk} is gone")
        try:
            answer = self._ami.send_action(_originate(claim, rules, trunk))
        except ValueError as error:
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(Refused(str(error)))
        now_s = self._clock.monotonic_s()
        self._unanswered[claim.attempt_id] = now_s
        watch = Watch(claim=claim, rules=rules, sent_at_s=now_s, answer=answer)
        self.watched[claim.attempt_id] = watch
        log.info("dial", attempt=claim.attempt_id, lead=claim.lead_id, phone=mask_phone(claim.phone), trunk=claim.trunk)
        return watch

    def adopt(self, claim: Claim, rules: Rules) -> Watch:
        """Watch, from now on, an attempt that an earlier engine sent, or that was lost from sight; `attend` to it."""
        watch = self.watched[claim.attempt_id] = Watch(claim=claim, rules=rules, blind=True)
        self._ledger.ours.add(claim.attempt_id)
        return watch

    async def attend(self, watch: Watch) -> None:
        """Watch the attempt to its end and settle it; return early when all is abandoned."""
        attempt_id = watch.claim.attempt_id
        try:
            if watch.answer is not None:
                await self._taken(watch, watch.answer)
            end = await self._watch_to_end(watch)
            if end is not None:
                end = self._by_another(watch, end)
            if end is not None and await self._written(lambda: self._ledger.settle(end)):
                log.info("settled", attempt=attempt_id, outcome=end.outcome.value, by=end.settled_by, cause=end.cause)
        finally:
            self._unanswered.pop(attempt_id, None)
            self.watched.pop(attempt_id, None)
            # Not settled: whoever looks for what was lost finds it.
            self._ledger.ours.discard(attempt_id)

    async def _taken(self, watch: Watch, answer: Awaitable[Message]) -> None:
        """Wait for Asterisk's answer to the Originate: it is no more than that."""
        attempt_id = watch.claim.attempt_id
        try:
            await self._ami.answered(answer, "Originate")
        except Refused as error:
            self._asking.met(error, attempt=attempt_id)
            self._hung = False
            watch.learned = Learned(outcome=Outcome.FAILED, settled_by="none")
        except AmiError as error:
            # Whether it rings is told by events, or learned from the records.
            log.info("originate_unanswered", attempt=attempt_id, error=str(error))
            watch.blind = self._hung = True
        else:
            self._asking.over()
            self._hung = False
            self._ledger.dialled(watch.claim, self._clock.now_ms())
        self._unanswered.pop(attempt_id, None)

    async def release(self, claim: Claim) -> None:
        """The Originate was never sent: the lead waits again."""
        await self._written(lambda: self._ledger.release(claim))

    # ------------------------------------------------------------ what others know of it

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

    def in_flight(self, *, after_ring_s: float | None) -> list[Claim]:
        """Those that are in flight for longer than their phones ring and so much more; None: all."""
        now_s = self._clock.monotonic_s()
        return [
            watch.claim
            for watch in self.watched.values()
            if after_ring_s is None
            or watch.sent_at_s is None
            or now_s - watch.sent_at_s > watch.rules.ring_s + after_ring_s
        ]

    # ------------------------------------------------------------ the end of the engine

    async def give_back(self, *, within_s: float) -> None:
        """Hang up whatever is not answered, until each is answered or gone. An answer that crosses it is served.

        Without a link nothing can be hung up: it stays in flight, for the next start to settle.
        """
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(within_s):
                while ringing := [each for each in self.watched.values() if each.answered_at_ms is None]:
                    await self._hang_up(ringing)
                    await self._clock.sleep(_GIVE_BACK_EVERY_S)

    async def _hang_up(self, ringing: list[Watch]) -> None:
        try:
            live = await self._ami.live_channels()
            for watch in ringing:
                channel = live.get(watch.claim.attempt_id)
                if channel is None or watch.answered_at_ms is not None:
                    continue
                if channel.channelstate == _UP:
                    self._answered(watch)
                    continue
                watch.given_up = True
                await self._ami.action({"Action": "Hangup", "Channel": channel.channel, "Cause": "16"})
        except Refused:
            pass  # it was gone before
        except AmiError as error:
            log.info("give_back_without_link", error=str(error))

    def abandon(self) -> None:
        """Watch no longer: what is in flight stays so in the ledger, for the next start to settle.

        Tasks come to their end by themselves; a cancelled one would tear its database connection.
        """
        self._abandoned.set()
        for watch in self.watched.values():
            watch.changed.set()

    # ------------------------------------------------------------ events

    def _saw_nothing(self, _ami: Ami, _event: Message) -> None:
        """The link is up again: who knows what was missed while it was down."""
        self._hung = False
        for watch in self.watched.values():
            watch.blind = True

    def _newstate(self, _ami: Ami, event: Message) -> None:
        if watch := self.watched.get(event.uniqueid):
            if event.channelstate == _UP:
                self._answered(watch)
            elif event.channelstate == _RINGING:
                watch.rang = True

    def _dial_state(self, _ami: Ami, event: Message) -> None:
        """A sound before the answer is no state of a channel: it is told of here alone."""
        if event.dialstatus in ("RINGING", "PROGRESS") and (watch := self.watched.get(event.destuniqueid)):
            watch.rang = True

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
            watch.hung_up_at_ms = self._clock.now_ms()
            watch.changed.set()

    def _user_event(self, _ami: Ami, event: Message) -> None:
        if event.userevent == "AMD" and (watch := self.watched.get(event.attempt)):
            watch.machine = is_machine(event.status, event.cause)
        elif event.userevent == "Fallback" and (watch := self.watched.get(event.attempt)):
            watch.fallback = True

    def _answered(self, watch: Watch) -> None:
        if watch.answered_at_ms is None:
            watch.answered_at_ms = self._clock.now_ms()

    # ------------------------------------------------------------ the end

    @property
    def stuck(self) -> bool:
        """Every call is over, and the database takes nothing of them."""
        return self._writing.what is not None and all(watch.over for watch in self.watched.values())

    async def _watch_to_end(self, watch: Watch) -> Settlement | None:
        while watch.learned is None and not watch.heard_both:
            if self._abandoned.is_set():
                return None
            try:
                async with self._clock.timeout(SECOND_EVENT_S if watch.heard_one else None):
                    await watch.changed.wait()
            except TimeoutError:
                break
            watch.changed.clear()
        if watch.learned is not None:
            return from_learned(watch, watch.learned, now_ms=self._clock.now_ms())
        return await self._from_events(watch)

    def _by_another(self, watch: Watch, end: Settlement) -> Settlement:
        """The end of the attempt; where its trunk took no call and another carries the number, one that costs nothing.

        Nobody is rung twice: of what was not seen from its beginning to its end it is not known.
        """
        name, claim = watch.claim.trunk, watch.claim
        if watch.blind or watch.given_up or watch.learned is not None or watch.answered_at_ms is not None:
            return end
        signs = Signs(
            rang=watch.rang,
            no_channel=watch.no_channel,
            sip_status=watch.sip_status,
            silent=name in self._trunks.silent,
        )
        if not not_taken(signs):
            self._trunks.took(name)
            return end
        why = "Asterisk has no channel for it" if watch.no_channel else f"SIP {watch.sip_status} before any ringing"
        if not self._trunks.instead_of(name, claim.phone, claim.tenant, why):
            return end
        log.info("by_another_trunk", attempt=claim.attempt_id, trunk=name, sip_status=watch.sip_status)
        return replace(end, spared=True, rest_ms=0)

    async def _from_events(self, watch: Watch) -> Settlement:
        """What the events say, and what other witnesses say where events may have been missed."""
        attempt_id, detects = watch.claim.attempt_id, watch.rules.machines == "detect"
        in_journal = False
        if watch.blind or watch.given_up or watch.fallback:
            journalled = await self._read_journal(attempt_id)
            if journalled is not None and journalled.answered_at_ms is not None:
                in_journal = True
                watch.answered_at_ms = watch.answered_at_ms or journalled.answered_at_ms
                watch.machine = journalled.machine if watch.machine is None else watch.machine
        unsure = not in_journal or (detects and watch.machine is None)
        if watch.blind and watch.answered_at_ms is not None and unsure and (record := await self._recorded(attempt_id)):
            watch.machine = record.machine if watch.machine is None else watch.machine
            watch.fallback = watch.fallback or record.fallback
        return from_events(watch, in_journal=in_journal, now_ms=self._clock.now_ms())

    # ------------------------------------------------------------ the witnesses

    async def _read_journal(self, attempt_id: str) -> Journalled | None:
        found: dict[str, Journalled] = {}

        async def read() -> None:
            found.update(await self._ledger.journalled([attempt_id]))

        await self._written(read)
        return found.get(attempt_id)

    async def _recorded(self, attempt_id: str) -> Record | None:
        """Asterisk's record of the call: whether a machine took it, whether the fallback spoke; None: there is none."""
        records = Records(self._log_folder, {attempt_id})
        until_s = self._clock.monotonic_s() + SECOND_EVENT_S
        while True:
            record = (await asyncio.to_thread(records.read)).get(attempt_id)
            if record is not None or self._abandoned.is_set() or self._clock.monotonic_s() >= until_s:
                return record
            await self._clock.sleep(_WRITE_AGAIN_S / 4)

    async def _written(self, write: Callable[[], Awaitable[None]]) -> bool:
        """Write to the ledger, again and again while the database refuses: an outcome must not be lost.

        False: it still refused when all was abandoned, or the gateway is another's by now.
        """
        while True:
            try:
                await write()
            except GatewayLost:
                return False
            except (SQLAlchemyError, OSError) as error:
                self._writing.met(error, again_in_s=_WRITE_AGAIN_S)
                if self._abandoned.is_set():
                    return False
                with contextlib.suppress(TimeoutError):
                    async with self._clock.timeout(_WRITE_AGAIN_S):
                        await self._abandoned.wait()
            else:
                self._writing.over()
                return True


def _number(text: str) -> int | None:
    """The first number in a header such as "486" or "SIP 486"; None when there is none."""
    found = re.search(r"\d+", text)
    return int(found[0]) if found else None


def _originate(claim: Claim, rules: Rules, trunk: SiteTrunk) -> dict[str, str]:
    fields = {
        "Action": "Originate",
        "ActionID": claim.attempt_id,
        "ChannelId": claim.attempt_id,
        "Channel": f"PJSIP/{dial_string(claim.phone, trunk.how.dial_format)}@{trunk.endpoint}",
        "Context": "promo",
        "Exten": "detect" if rules.machines == "detect" else "direct",
        "Priority": "1",
        "Timeout": str(rules.ring_s * 1000),
        "Async": "true",
        # In which language the dialplan speaks when there is no engine.
        "Variable": f"IVR_LANGUAGE={claim.language}",
    }
    return fields | ({"CallerID": trunk.how.caller_id} if trunk.how.caller_id else {})
