"""The clips that speak a text: sentences, their reading, fragments, recordings, synthesis and the cache put together.

    key and values -> sentence -> reading -> fragments -> pronunciation -> stress -> hash -> clip in the cache, or a job

Implements prompts.voice.Voice. `clips` is quick and makes nothing; `render` and prompts.render make what is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import astuple, dataclass, field
from pathlib import Path

import structlog

from prompts import audio, g722, pronunciation, sentences
from prompts.cache import AudioCache
from prompts.engines.choice import AUTO, Speaker, provide, speakers
from prompts.engines.engine import Progress
from prompts.fragments import Fragment
from prompts.phrases import Phrases
from prompts.recordings import Recordings
from prompts.sentences import LANGUAGES, load_sentences
from prompts.stress import load_stress
from prompts.voice import FALLBACK, Clip
from prompts.worker import Job, Result
from prompts.workers import Workers

log = structlog.get_logger(__name__)

#: How often it is looked whether a clip that is always the same is there still; Asterisk tells of one that is not.
_LOOK_EVERY_S = 5.0
#: How long an engine that failed is passed over.
_AWAY_S = 300.0
#: Hashes remembered.
_MOST = 400_000


@dataclass(frozen=True, kw_only=True)
class Speech:
    """How texts are to sound: the section `prompts` of ivr.toml."""

    #: By language; "auto" where nothing is said.
    engine: Mapping[str, str] = field(default_factory=dict)
    voice: Mapping[str, str] = field(default_factory=dict)
    speed: float = 1.0
    #: Pauses between sentences and parts of them, as a factor of the usual ones.
    pause: float = 1.0
    level_lufs: float = -21.0
    cache_max_mb: int = 2000
    #: The trunk speaks G.722: every clip is there in wideband, too.
    wide: bool = False


class Library:
    """The voice of a site. Close it, for it may have worker processes."""

    def __init__(
        self,
        *,
        folder: Path,
        texts: Sequence[Path] = (sentences.SHIPPED,),
        dictionaries: Sequence[Path] = (pronunciation.SHIPPED,),
        recordings: Path | None = None,
        speech: Speech | None = None,
        workers: Workers | None = None,
    ) -> None:
        """`folder` is the cache; of `texts` and `dictionaries` later folders override.

        Raises AuthorError with every fault of the texts and dictionaries.
        """
        self.speech = speech or Speech()
        self.sentences = load_sentences(*texts)
        self.recordings = Recordings(recordings)
        #: Every clip has its .g722 beside it.
        self.wide = self.speech.wide and g722.available()
        if self.speech.wide and not self.wide:
            log.warning("wideband_away", why="The package G722 is not here: Asterisk makes G.722 of narrowband speech.")
        self.cache = AudioCache(folder, self.speech.cache_max_mb * 1_000_000, wide=self.wide)
        known = {language: pronunciation.load_pronunciation(language, *dictionaries) for language in LANGUAGES}
        self.phrases = Phrases(self.sentences, known)
        self.workers = workers or Workers()
        self._own_workers = workers is None
        self._speakers: dict[str, tuple[Speaker, ...]] = {}
        self._away_until: dict[Speaker, float] = {}
        self._static: dict[tuple[str, str], tuple[Clip, ...]] = {}
        self._look_again_s: dict[tuple[str, str], float] = {}
        self._names: dict[tuple[Fragment, Speaker | None], str | None] = {}
        self._making: dict[str, Future[Result]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the worker processes, unless they are somebody else's; see Workers.close."""
        if self._own_workers:
            self.workers.close()

    # ------------------------------------------------------------ who speaks

    def provide(self, progress: Progress = lambda _what, _percent: None) -> None:
        """Fetch the speech engines that the texts' languages need and that are not here yet.

        Raises MachineError when a language can't be spoken at all after that.
        """
        for language, texts in self.sentences.by_language.items():
            if texts:
                provide(language, self.speech.engine.get(language, AUTO), progress)
        self._speakers.clear()

    def speakers(self, language: str) -> tuple[Speaker, ...]:
        """Who speaks the language, the first choice first. Raises AuthorError when the settings name nobody known."""
        if (known := self._speakers.get(language)) is None:
            asked = self.speech.engine.get(language, AUTO)
            known = speakers(language, asked, self.speech.voice.get(language, ""), self.speech.speed)
            self._speakers[language] = known
        return known

    def present(self, language: str) -> tuple[Speaker | None, ...]:
        """Those of `speakers` that have not failed lately; (None,) when only recordings can be played."""
        now = time.monotonic()
        return tuple(who for who in self.speakers(language) if self._away_until.get(who, 0.0) <= now) or (None,)

    def pass_over(self, speaker: Speaker, why: str) -> None:
        """Take the next engine for some minutes."""
        log.warning("speech_engine_away", engine=speaker.engine, language=speaker.language, why=why)
        self._away_until[speaker] = time.monotonic() + _AWAY_S

    # ------------------------------------------------------------ the voice of a call

    def clips(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...] | None:
        """See Voice.clips."""
        known = self._static.get((language, text))
        if known is not None and self._are_there((language, text), known):
            return known
        fragments = self.phrases.fragments(language, text, values)
        for speaker in self.speakers(language) or (None,):
            found = self.found(fragments, speaker)
            if found is not None:
                if self.phrases.always_the_same(language, text):
                    self._static[language, text] = found
                return found
        return None

    def _are_there(self, key: tuple[str, str], clips: tuple[Clip, ...]) -> bool:
        """Whether files that were there are so still; looked at now and again, since each look costs every call."""
        now_s = time.monotonic()
        if now_s >= self._look_again_s.get(key, 0.0):
            if not all(os.path.exists(f"{clip.path}.alaw") for clip in clips):  # noqa: PTH110 - quick
                return False
            self._look_again_s[key] = now_s + _LOOK_EVERY_S
        return True

    async def render(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...]:
        """See Voice.render."""
        ready = self.clips(language, text, values)
        if ready is not None:
            return ready
        fragments = self.phrases.fragments(language, text, values)
        why = "no speech engine is here; see: ivr prompt engines"
        for speaker in self.present(language):
            jobs = [job for fragment in fragments if (job := self.job(fragment, speaker)) is not None]
            # Shielded: another call may wait for the same clip.
            making = [asyncio.shield(asyncio.wrap_future(self.make(job))) for job in jobs]
            failed = [result for result in await asyncio.gather(*making) if result.failure is not None]
            found = self.found(fragments, speaker)
            if found is not None:
                return found
            if failed:
                why = failed[0].why
            if speaker is not None and any(result.failure == "away" for result in failed):
                self.pass_over(speaker, why)
        log.warning("text_not_spoken", language=language, text=text, why=why)
        sentence = self.sentences.get(language, text)
        if sentence is not None and sentence.fallback is not None:
            return await self.render(language, f"{text}{FALLBACK}", {})
        return ()

    # ------------------------------------------------------------ fragments and clips

    def found(self, fragments: Sequence[Fragment], speaker: Speaker | None) -> tuple[Clip, ...] | None:
        """The clips of all fragments in this voice, or None when one is missing."""
        clips = []
        for fragment in fragments:
            name = self.name(fragment, speaker)
            clip = None if name is None else self.cache.find(name)
            if clip is None:
                return None
            clips.append(clip)
        return tuple(clips)

    def name(self, fragment: Fragment, speaker: Speaker | None) -> str | None:
        """Hash of everything that the clip's sound depends on; None: nobody to speak it, and no recording of it."""
        try:
            return self._names[fragment, speaker]
        except KeyError:
            pass
        recording = self.recordings.of(fragment)
        speech = self.speech
        facts: list[object] = [audio.VERSION, speech.level_lufs, self._tail_ms(fragment), self.wide]
        name = None
        if recording is not None:
            name = _hash([*facts, recording.content])
        elif speaker is not None:
            name = _hash([*facts, *astuple(speaker), speech.pause, self.voiced(fragment)])
        if len(self._names) > _MOST:
            self._names.clear()
        self._names[fragment, speaker] = name
        return name

    @staticmethod
    def voiced(fragment: Fragment) -> str:
        """What is sent to the voice: the words with their stress marked where it is known."""
        return load_stress(fragment.language).marked(fragment.text)

    def job(self, fragment: Fragment, speaker: Speaker | None) -> Job | None:
        """What makes the clip of that fragment; None when nobody can."""
        name = self.name(fragment, speaker)
        if name is None:
            return None
        recording = self.recordings.of(fragment)
        return Job(
            clip=name,
            folder=str(self.cache.folder),
            text=self.voiced(fragment),
            speaker=None if recording else speaker,
            recording=str(recording.path) if recording else "",
            level_lufs=self.speech.level_lufs,
            tail_ms=self._tail_ms(fragment),
            pause=self.speech.pause,
            wide=self.wide,
        )

    def _tail_ms(self, fragment: Fragment) -> int:
        return round(fragment.pause_ms * self.speech.pause)

    def make(self, job: Job) -> Future[Result]:
        """Have a clip made. Whoever asks for the same one meanwhile waits for the same result."""
        with self._lock:
            making = self._making.get(job.clip)
            if making is None or making.cancelled():
                making = self._making[job.clip] = self.workers.submit(job)
                making.add_done_callback(lambda _: self._made(job.clip))
        return making

    def _made(self, clip: str) -> None:
        # Not under the lock: a future that is over already calls back at once, from within `make`.
        self._making.pop(clip, None)


def _hash(facts: list[object]) -> str:
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]
