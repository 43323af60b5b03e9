"""Walk one call through its flow: the machine's steps on the session, its events back, everything into the journal.

    Begun -> (steps -> AGI -> event) until End

How a call begins, and ends that the flow did not choose, are `ivr.answering`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ivr.agi.session import CallStopped, Session
from ivr.flow.machine import Machine
from ivr.flow.model import Say
from ivr.flow.state import State
from ivr.flow.steps import (
    Begun,
    End,
    Ended,
    Event,
    Heard,
    HungUp,
    Listen,
    Note,
    NoteKind,
    Speak,
    Spoken,
    TransferEnded,
    TransferTo,
)
from ivr.journal import CallJournal
from ivr.settings import Settings
from ivr.speaking import Speech
from ivr.trunks import InUse
from ivr.versions.loaded import LoadedVersion
from people.numbers import dial_string, normal_form
from prompts.languages import Language

log = structlog.get_logger()

#: Asterisk waits for audio from the phone's answer on; the engine has the call up to so much later, after AMD.
_HEADSTART_MS = 5000


#: Said in place of an opt-out's confirmation, when the opt-out could not be kept.
NOT_KEPT = Say(text="fallback.opt_out_not_kept")


class NoFlow(Exception):
    """Nothing says how this call is to be answered; a fault of the settings."""


@dataclass(kw_only=True, slots=True)
class Call:
    session: Session
    version: LoadedVersion
    speech: Speech
    journal: CallJournal
    settings: Settings
    trunks: InUse
    begun: Begun
    now_ms: Callable[[], int]
    state: State | None = None
    #: Texts of the speech in progress that are over.
    heard: list[Heard] = field(default_factory=list)
    over: bool = False

    @property
    def id(self) -> str:
        return self.journal.leg.id

    @property
    def language(self) -> Language:
        return self.begun.language if self.state is None else self.state.language

    async def run(self) -> None:
        """Walk the call through its flow until it is over. Raises NoFlow, and whatever a fault of ours raises."""
        leg = self.journal.leg
        machine = self.version.machines.get(leg.flow)
        if machine is None:
            where = "dialplans/" if self.version.number is None else f"version {self.version.number}"
            raise NoFlow(f"there is no flow {leg.flow!r} in {where}")
        try:
            await self._walk(machine)
        except (CallStopped, asyncio.CancelledError):
            self._note_heard(machine)
            raise

    async def _walk(self, machine: Machine) -> None:
        event: Event = self.begun if not self.session.hung_up else HungUp()
        state = State()
        while True:
            state, steps = machine.advance(state, event)
            self.state = state
            kept = True
            for step in steps:
                if isinstance(step, Note):
                    kept = await self._note(step) and kept
                elif isinstance(step, Speak):
                    event = await self._speak(step if kept else step._replace(say=(NOT_KEPT,)))
                elif isinstance(step, Listen):
                    event = await self.session.wait_for_digit(step.seconds)
                elif isinstance(step, TransferTo):
                    event = await self._transfer(step)
                else:
                    await self._finish(step)
                    return

    async def _note(self, note: Note) -> bool:
        """Keep `note`; False when it must not be confirmed to the caller."""
        if note.kind is NoteKind.OPT_OUT:
            return await self.journal.opt_out(note, self.now_ms())
        self.journal.note(note, self.now_ms())
        if note.kind is NoteKind.LANGUAGE:
            # The local fallback speaks it, should the engine die.
            await self.session.set_variable("IVR_LANGUAGE", note.value)
        return True

    async def _finish(self, step: End) -> None:
        if self.session.lost:
            self.fault("link_lost", step.node)
            self.end("fault")
            return
        # Asked only where it may be so, for each question costs time.
        lasted_ms = self.now_ms() - (self.journal.leg.answered_at_ms or self.now_ms())
        may_be = step.reason == "hang_up" and lasted_ms >= self.trunks.shortest_rtp_timeout_s * 1000 - _HEADSTART_MS
        self.end("no_audio" if may_be and await self.session.ended_for_silence() else step.reason)

    def _note_heard(self, machine: Machine) -> None:
        """Keep what was heard of a speech that the engine stopped."""
        heard = [*self.heard, *([self.speech.cut] if self.speech.cut else [])]
        if heard and self.state is not None:
            for step in machine.advance(self.state, HungUp(heard=tuple(heard)))[1]:
                if isinstance(step, Note):
                    self.journal.note(step, self.now_ms())

    def goodbye_heard(self, heard: Heard) -> None:
        """Keep what was heard of a text that is none of the flow's."""
        if not self.over:
            self.journal.note(Note(kind=NoteKind.HEARD, node="", value=heard.text, heard=heard), self.now_ms())

    async def _speak(self, step: Speak) -> Spoken | HungUp:
        heard = self.heard = []
        key = ""
        for say in step.say:
            one, key = await self.speech.text(say, step.language, step.variables, step.stop_keys)
            heard.append(one)
            if one.ended is Ended.HANG_UP:
                return HungUp(heard=tuple(heard))
            if one.ended is Ended.FAULT:
                self.fault(f"audio: {say.text}", step.node)
            if key:
                break
        self.heard = []
        return Spoken(heard=tuple(heard), key=key or None)

    async def _transfer(self, step: TransferTo) -> TransferEnded | HungUp:
        number = self.settings.destinations.get(step.destination)
        if number is None:
            whose = self.journal.leg.tenant
            log.error("call.no_destination", call=self.id, tenant=whose, destination=step.destination)
            self.fault(f"destination: {step.destination}", step.node)
            return TransferEnded(answered=False)
        number = normal_form(number, self.settings.region)
        carrying = self.trunks.carrying(number, tenant=self.journal.leg.tenant)
        if not carrying:
            log.error("call.no_trunk", call=self.id, destination=step.destination)
            self.fault(f"trunk: {step.destination}", step.node)
            return TransferEnded(answered=False)
        dialled = f"{dial_string(number, carrying[0].how.dial_format)}@{carrying[0].endpoint}"
        # Option g: when the destination hangs up, the call comes back to us.
        await self.session.execute("Dial", f"PJSIP/{dialled},30,g")
        if self.session.hung_up:
            return HungUp()
        return TransferEnded(answered=await self.session.get_variable("DIALSTATUS") == "ANSWER")

    def fault(self, what: str, node: str = "") -> None:
        """Something went wrong on our side."""
        if not self.over:
            self.journal.note(Note(kind=NoteKind.FAULT, node=node, value=what), self.now_ms())

    def end(self, ended_by: str) -> None:
        """The call is over; a second end changes nothing."""
        if not self.over:
            self.over = True
            self.journal.end(ended_by, self.language, self.now_ms())
