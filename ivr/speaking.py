"""Speak one text on a session, and measure how much of it was heard. Knows no flow and no journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ivr.agi.session import CallStopped, Played, Session
from ivr.flow.model import KEYPAD, Say
from ivr.flow.steps import Ended, Heard
from prompts.languages import Language
from prompts.voice import FALLBACK, Clip, Voice

log = structlog.get_logger()

#: Making a clip that should have been ready may take so long; the caller hears silence meanwhile.
RENDER_S = 4.0


class Speech:
    """Speaks texts on one session and measures how far they were heard."""

    __slots__ = ("_measured", "_session", "_voice", "cut")

    def __init__(self, session: Session, voice: Voice) -> None:
        self._session = session
        self._voice = voice
        self._measured = False
        #: How much was heard of the text that was being spoken when the engine ended the call.
        self.cut: Heard | None = None

    async def text(
        self, say: Say, language: Language, variables: Mapping[str, str], stop_keys: str
    ) -> tuple[Heard, str]:
        """One text: how much of it was heard, and the key that stopped it or "".

        When the engine ends the call meanwhile, `cut` says how much.
        """
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
            try:
                played = await self._session.stream_file(str(clip.path), KEYPAD)
                while played.ended is Ended.KEY and played.key not in stop_keys:
                    ignored += played.key
                    played = await self._go_on(clip, played.position_ms)
            except (CallStopped, asyncio.CancelledError):
                heard_ms += min(self._session.cut_ms, clip.length_ms)
                if heard_ms or ignored:
                    self.cut = Heard(
                        text=say.text, heard_ms=heard_ms, length_ms=length_ms, ended=Ended.STOPPED, ignored=ignored
                    )
                raise
            if played.ended is Ended.PLAYED:
                heard_ms += clip.length_ms
                continue
            heard_ms += max(0, min(played.position_ms, clip.length_ms))
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
