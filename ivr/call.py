"""Carry out a call: the machine's steps on a session, its events back, everything into the journal.

    opening -> which flow, which person -> answer -> Begun -> (steps -> AGI -> event) until End -> IVR_DONE

After a fault of ours IVR_DONE stays unset: on the hotline the dialplan then tries the second engine and the local
fallback, which apologises and offers the operator. A subscriber we rang has no such fallback and is told goodbye here.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from ivr.agi.session import CallStopped, Played, Session
from ivr.amd import is_machine
from ivr.flow.machine import Machine
from ivr.flow.model import KEYPAD, Flow, Say
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
from ivr.journal import CallJournal, Journal, Leg
from ivr.settings import Settings
from people.numbers import dial_string, mask_phone, normal_form
from people.store.calls import OutboundCall
from prompts.languages import Language
from prompts.voice import FALLBACK, Clip, Voice

log = structlog.get_logger()

#: Making a clip that should have been ready may take so long; the caller hears silence meanwhile.
RENDER_S = 4.0
#: Asterisk ends a playback within a packet's time; only a transfer keeps it longer.
RESUME_S = 1.0
#: Asterisk waits for audio from the phone's answer on; the engine has the call up to so much later, after AMD.
_HEADSTART_MS = 5000
#: Said when the engine ends a call that the flow would have gone on with.
GOODBYE = "fallback.goodbye"


class NoFlow(Exception):
    """Nothing says how this call is to be answered; a fault of the settings."""


def wall_clock_ms() -> int:
    """UTC in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def new_call_id(now_ms: int) -> str:
    """An id of its own; ids of later calls sort later, which keeps the database's index compact."""
    return f"c{now_ms:012x}{uuid.uuid4().hex[:19]}"


class Answering:
    """The FastAGI server's handler: one `__call__` per answered call."""

    def __init__(
        self,
        settings: Settings,
        flows: Mapping[str, Flow],
        voice: Voice,
        journal: Journal,
        find_outbound: Callable[[str], Awaitable[OutboundCall | None]],
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._settings = settings
        self._machines = {name: Machine(flow) for name, flow in flows.items()}
        self._voice = voice
        self._journal = journal
        self._find_outbound = find_outbound
        self._now_ms = now_ms
        numbers = settings.hotline.numbers
        self._flow_of_number = {normal_form(number, settings.region): flow for number, flow in numbers.items()}

    async def __call__(self, session: Session) -> None:
        """Carry one call out. Faults are told to the caller here; nothing but cancellation comes out."""
        call: _Call | None = None
        try:
            call = await self._open(session)
            if call is not None:
                await call.run()
            session.finish()
        except CallStopped as stop:
            await self._goodbye(session, call, stop)
        except asyncio.CancelledError:
            if call is not None:
                call.end("drain")
            raise
        except NoFlow as error:
            log.error("call.no_flow", uniqueid=session.opening.uniqueid, what=str(error))
            await self._fail(session, call)
        except Exception:
            # A fault of ours or of a flow ends this call only.
            log.exception("call.fault", uniqueid=session.opening.uniqueid, call=call and call.id)
            await self._fail(session, call)

    # ------------------------------------------------------------ beginnings

    async def _open(self, session: Session) -> _Call | None:
        """The call to carry out; None when there is nothing to say. Raises NoFlow."""
        script, args = session.opening.script, session.opening.args
        if script == "inbound":
            return await self._open_inbound(session, args[0] if args else "")
        if script == "outbound":
            status, cause = (*args, "", "")[:2]
            return await self._open_outbound(session, status, cause)
        raise NoFlow(f"the dialplan asks for the service {script!r}; the engine has inbound and outbound")

    async def _open_inbound(self, session: Session, dialled: str) -> _Call:
        settings, started_at_ms = self._settings, self._now_ms()
        alive = await session.answer()
        caller = normal_form(session.opening.caller, settings.region)
        numbers = self._flow_of_number
        flow = numbers.get(normal_form(dialled, settings.region)) or numbers.get("*", "")
        return self._begin(
            session,
            Leg(
                id=new_call_id(started_at_ms),
                tenant=settings.tenant,
                direction="inbound",
                attempt_id=None,
                uniqueid=session.opening.uniqueid,
                phone=caller,
                dialled=dialled,
                flow=flow,
                language=settings.language,
                amd="",
                started_at_ms=started_at_ms,
                answered_at_ms=self._now_ms() if alive else None,
            ),
            settings.language,
            {"caller": caller},
        )

    async def _open_outbound(self, session: Session, status: str, cause: str) -> _Call | None:
        settings, now_ms = self._settings, self._now_ms()
        attempt_id = session.opening.uniqueid
        found = await self._find_outbound(attempt_id)
        if found is None:
            raise NoFlow(f"no attempt {attempt_id!r} was planned")
        call = self._begin(
            session,
            Leg(
                id=new_call_id(now_ms),
                tenant=settings.tenant,
                direction="outbound",
                attempt_id=attempt_id,
                uniqueid=attempt_id,
                phone=found.phone,
                dialled="",
                flow=found.flow,
                language=found.language,
                amd=f"{status}-{cause}" if status else "",
                started_at_ms=now_ms,
                answered_at_ms=now_ms,
            ),
            found.language,
            {"caller": found.phone, **found.variables},
        )
        if is_machine(status, cause):
            call.end("flow")
            return None
        return call

    def _begin(self, session: Session, leg: Leg, language: Language, variables: Mapping[str, str]) -> _Call:
        return _Call(
            session=session,
            machines=self._machines,
            speech=_Speech(session, self._voice),
            journal=self._journal.begin(leg),
            settings=self._settings,
            begun=Begun(language=language, variables=variables),
            now_ms=self._now_ms,
        )

    # ------------------------------------------------------------ ends that the flow did not choose

    async def _goodbye(self, session: Session, call: _Call | None, stop: CallStopped) -> None:
        log.info("call.stopped", uniqueid=session.opening.uniqueid, reason=stop.reason)
        try:
            if await session.resume(RESUME_S):
                await self._say(session, call, GOODBYE)
        except CallStopped:
            # Told to stop for a second reason while saying goodbye.
            pass
        finally:
            if call is not None:
                call.end(stop.reason)
            session.finish()

    async def _fail(self, session: Session, call: _Call | None) -> None:
        """End a call that can't go on through a fault of ours."""
        try:
            if session.opening.script != "inbound":
                await self._say(session, call, GOODBYE)
                session.finish()
        except Exception:
            log.exception("call.no_goodbye", uniqueid=session.opening.uniqueid)
        finally:
            if call is not None:
                call.fault("engine")
                call.end("fault")
            session.abort_unless_finished()

    async def _say(self, session: Session, call: _Call | None, text: str) -> None:
        language = self._settings.language if call is None else call.language
        await _Speech(session, self._voice).text(Say(text=text), language, {}, "")


class _Speech:
    """Speaks texts on one session and measures how far they were heard."""

    __slots__ = ("_measured", "_session", "_voice")

    def __init__(self, session: Session, voice: Voice) -> None:
        self._session = session
        self._voice = voice
        self._measured = False

    async def text(
        self, say: Say, language: Language, variables: Mapping[str, str], stop_keys: str
    ) -> tuple[Heard, str]:
        """One text: how much of it was heard, and the key that stopped it or ""."""
        values = variables
        if say.values:
            values = {**variables, **{name: by[language] for name, by in say.values.items() if language in by}}
        clips = self._voice.clips(language, say.text, values)
        if clips is None:
            clips = await self._render(language, say.text, values)
        length_ms = sum(clip.samples for clip in clips) // 8
        heard_ms, key, ignored, ended = 0, "", "", Ended.PLAYED if clips else Ended.FAULT
        if clips and clips[0].wide and not self._measured:
            self._measured = True
            await self._session.measure_positions(str(clips[0].path), clips[0].length_ms)
        for clip in clips:
            played = await self._session.stream_file(str(clip.path), KEYPAD)
            while played.ended is Ended.KEY and played.key not in stop_keys:
                ignored += played.key
                played = await self._go_on(clip, played.position_ms)
            if played.ended is Ended.PLAYED:
                heard_ms += clip.length_ms
                continue
            heard_ms += played.position_ms
            if played.ended is not Ended.FAULT:
                key, ended = played.key, played.ended
                break
            # The rest of the sentence is still worth hearing.
            log.error("call.audio_missing", path=str(clip.path), text=say.text, language=language)
            ended = Ended.FAULT
        heard = Heard(text=say.text, heard_ms=heard_ms, length_ms=length_ms, ended=ended, ignored=ignored)
        return heard, key

    async def _go_on(self, clip: Clip, position_ms: int) -> Played:
        """Play the rest of `clip` after a key that Asterisk stopped it for, though the flow would not."""
        if position_ms >= clip.length_ms:
            return Played(Ended.PLAYED, position_ms)
        return await self._session.stream_file(str(clip.path), KEYPAD, position_ms)

    async def _render(self, language: Language, text: str, values: Mapping[str, str]) -> tuple[Clip, ...]:
        log.warning("call.audio_late", text=text, language=language)
        try:
            async with asyncio.timeout(RENDER_S):
                return await self._voice.render(language, text, values)
        except TimeoutError:
            log.error("call.audio_too_late", text=text, language=language, seconds=RENDER_S)
            return self._voice.clips(language, f"{text}{FALLBACK}", {}) or ()


@dataclass(kw_only=True, slots=True)
class _Call:
    session: Session
    machines: Mapping[str, Machine]
    speech: _Speech
    journal: CallJournal
    settings: Settings
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
        if not leg.flow:
            raise NoFlow(f"hotline.numbers of ivr.toml has no flow for the dialled number {mask_phone(leg.dialled)!r}")
        machine = self.machines.get(leg.flow)
        if machine is None:
            raise NoFlow(f"there is no flow {leg.flow!r} in dialplans/")
        try:
            await self._walk(machine)
        except CallStopped:
            self._note_heard(machine)
            raise

    async def _walk(self, machine: Machine) -> None:
        event: Event = self.begun if not self.session.hung_up else HungUp()
        state = State()
        while True:
            state, steps = machine.advance(state, event)
            self.state = state
            for step in steps:
                if isinstance(step, Note):
                    self.journal.note(step, self.now_ms())
                    if step.kind is NoteKind.LANGUAGE:
                        # The local fallback speaks it, should the engine die.
                        await self.session.set_variable("IVR_LANGUAGE", step.value)
                elif isinstance(step, Speak):
                    event = await self._speak(step)
                elif isinstance(step, Listen):
                    event = await self.session.wait_for_digit(step.seconds)
                elif isinstance(step, TransferTo):
                    event = await self._transfer(step)
                else:
                    await self._finish(step)
                    return

    async def _finish(self, step: End) -> None:
        if self.session.lost:
            self.fault("link_lost", step.node)
            self.end("fault")
            return
        # Asked only where it may be so, for each question costs time.
        lasted_ms = self.now_ms() - (self.journal.leg.answered_at_ms or self.now_ms())
        may_be = step.reason == "hang_up" and lasted_ms >= self.settings.trunk.rtp_timeout_s * 1000 - _HEADSTART_MS
        self.end("no_audio" if may_be and await self.session.ended_for_silence() else step.reason)

    def _note_heard(self, machine: Machine) -> None:
        """Keep what was heard of a speech that the engine stopped, but for the text that was cut."""
        if self.heard and self.state is not None:
            for step in machine.advance(self.state, HungUp(heard=tuple(self.heard)))[1]:
                if isinstance(step, Note):
                    self.journal.note(step, self.now_ms())

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
            log.error("call.no_destination", call=self.id, destination=step.destination, where="ivr.toml: destinations")
            self.fault(f"destination: {step.destination}", step.node)
            return TransferEnded(answered=False)
        dialled = dial_string(normal_form(number, self.settings.region), self.settings.trunk.dial_format)
        # Option g: when the destination hangs up, the call comes back to us.
        await self.session.execute("Dial", f"PJSIP/{dialled}@trunk,30,g")
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
