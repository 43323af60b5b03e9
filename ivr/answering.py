"""Answer a call: whose it is, which flow, which person; and the ends that the flow did not choose.

    opening -> which tenant, which flow, which person -> answer -> ivr.call walks it to its End -> IVR_DONE

After a fault of ours IVR_DONE stays unset: on the hotline the dialplan then tries the second engine and the local
fallback, which apologises and offers the operator. A subscriber we rang has no such fallback and is told goodbye here.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from ivr.agi.session import CallStopped, Session
from ivr.amd import is_machine
from ivr.call import Call, NoFlow
from ivr.flow.model import Say
from ivr.flow.steps import Begun, Heard
from ivr.journal import Journal, Leg
from ivr.speaking import Speech
from ivr.tenants import Served, Tenants
from ivr.trunks import InUse
from ivr.versions.loaded import LoadedVersion
from people.numbers import normal_form
from people.store.calls import OutboundCall
from prompts.languages import Language

log = structlog.get_logger()

#: Asterisk ends a playback within a packet's time; only a transfer keeps it longer.
RESUME_S = 1.0
#: Said when the engine ends a call that the flow would have gone on with.
GOODBYE = "fallback.goodbye"
#: Said to who dialled a number that is nobody's.
UNKNOWN_NUMBER = "fallback.unknown_number"


def wall_clock_ms() -> int:
    """UTC in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def new_call_id(now_ms: int) -> str:
    """An id of its own; ids of later calls sort later, which keeps the database's index compact."""
    # Seeded by the system; nobody gains by guessing one.
    return f"c{now_ms:012x}{random.getrandbits(76):019x}"


class Answering:
    """The FastAGI server's handler: one `__call__` per answered call."""

    def __init__(
        self,
        tenants: Tenants,
        journal: Journal,
        find_outbound: Callable[[str], Awaitable[OutboundCall | None]],
        now_ms: Callable[[], int] = wall_clock_ms,
        *,
        trunks: InUse | None = None,
    ) -> None:
        self._tenants, self._trunks = tenants, trunks or InUse.of(tenants.own.settings)
        self._journal = journal
        self._find_outbound = find_outbound
        self._now_ms = now_ms

    async def __call__(self, session: Session) -> None:
        """Carry one call out. Faults are told to the caller here; nothing but cancellation comes out."""
        call: Call | None = None
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

    async def _open(self, session: Session) -> Call | None:
        """The call to carry out; None when there is nothing to say. Raises NoFlow."""
        script, args = session.opening.script, session.opening.args
        if script == "inbound":
            return await self._open_inbound(session, args[0] if args else "")
        if script == "outbound":
            status, cause = (*args, "", "")[:2]
            return await self._open_outbound(session, status, cause)
        raise NoFlow(f"the dialplan asks for the service {script!r}; the engine has inbound and outbound")

    async def _open_inbound(self, session: Session, dialled: str) -> Call | None:
        started_at_ms = self._now_ms()
        # Already answered by the dialplan, as a rule: there it costs no round trip.
        alive = session.opening.answered or await session.answer()
        meant = self._tenants.meaning(dialled)
        if meant is None:
            # Ours, so it is told in full.
            log.warning("call.unknown_number", uniqueid=session.opening.uniqueid, dialled=dialled)
            await self._say(session, None, UNKNOWN_NUMBER)
            return None
        served = self._served(meant.tenant)
        settings, version = served.settings, served.versions.current
        caller = normal_form(session.opening.caller, settings.region)
        return self._begin(
            session,
            served,
            version,
            Leg(
                id=new_call_id(started_at_ms),
                tenant=meant.tenant,
                direction="inbound",
                attempt_id=None,
                uniqueid=session.opening.uniqueid,
                phone=caller,
                dialled=dialled,
                flow=meant.flow,
                version=version.number,
                language=settings.language,
                amd="",
                started_at_ms=started_at_ms,
                answered_at_ms=self._now_ms() if alive else None,
            ),
            settings.language,
            {"caller": caller},
        )

    async def _open_outbound(self, session: Session, status: str, cause: str) -> Call | None:
        now_ms = self._now_ms()
        attempt_id = session.opening.uniqueid
        found = await self._find_outbound(attempt_id)
        if found is None:
            raise NoFlow(f"no attempt {attempt_id!r} was planned")
        served = self._served(found.tenant)
        version = await served.versions.of(found.version)
        call = self._begin(
            session,
            served,
            version,
            Leg(
                id=new_call_id(now_ms),
                tenant=found.tenant,
                direction="outbound",
                attempt_id=attempt_id,
                uniqueid=attempt_id,
                phone=found.phone,
                dialled="",
                flow=found.flow,
                version=version.number,
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

    def _served(self, tenant: str) -> Served:
        """Raises NoFlow."""
        served = self._tenants.get(tenant)
        if served is None:
            raise NoFlow(f"the tenant {tenant!r} has nothing here that could answer")
        return served

    def _begin(
        self,
        session: Session,
        served: Served,
        version: LoadedVersion,
        leg: Leg,
        language: Language,
        variables: Mapping[str, str],
    ) -> Call:
        return Call(
            session=session,
            version=version,
            speech=Speech(session, version.voice),
            journal=self._journal.begin(leg),
            settings=served.settings,
            trunks=self._trunks,
            begun=Begun(language=language, variables=variables),
            now_ms=self._now_ms,
        )

    # ------------------------------------------------------------ ends that the flow did not choose

    async def _goodbye(self, session: Session, call: Call | None, stop: CallStopped) -> None:
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

    async def _fail(self, session: Session, call: Call | None) -> None:
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

    async def _say(self, session: Session, call: Call | None, text: str) -> None:
        own = self._tenants.own
        version, language = own.versions.current, own.settings.language
        if call is not None:
            version, language = call.version, call.language
        speech = Speech(session, version.voice)
        heard: Heard | None = None
        try:
            heard, _ = await speech.text(Say(text=text), language, {}, "")
        finally:
            # Stopped a second time, for another reason, or cut off.
            heard = heard or speech.cut
            if call is not None and heard is not None:
                call.goodbye_heard(heard)
