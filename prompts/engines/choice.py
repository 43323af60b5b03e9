"""Which engine speaks which language here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import structlog

from faults import AuthorError, Fault, MachineError
from prompts.engines.engine import Engine, Progress
from prompts.engines.espeak import Espeak
from prompts.engines.gtts import GoogleTranslate
from prompts.engines.piper import Piper
from prompts.engines.rhvoice import RHVoice

log = structlog.get_logger(__name__)

AUTO = "auto"
#: `auto` takes the first that can speak. A piper voice is here only when somebody chose and downloaded it; gTTS comes
#: after RHVoice because it needs the network and sends people's names to Google. Whoever prefers it names it.
ORDER = ("piper", "rhvoice", "gtts", "espeak")


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """Who speaks: what the sound of a text depends on, apart from the text."""

    engine: str
    language: str
    voice: str
    #: 1.0 is the voice's own speed.
    speed: float = 1.0


@lru_cache(maxsize=1)
def engines() -> dict[str, Engine]:
    """The engines by name; what they remember, they remember for this process."""
    return {engine.name: engine for engine in (GoogleTranslate(), RHVoice(), Piper(), Espeak())}


def speakers(language: str, engine: str = AUTO, voice: str = "", speed: float = 1.0) -> tuple[Speaker, ...]:
    """Who can speak `language` now, the first choice first; empty when nobody can.

    After the engine that was asked for come the others, for the time when it is away. Raises AuthorError when there is
    no such engine, or no such voice.
    """
    if engine != AUTO and engine not in engines():
        raise AuthorError(
            Fault(
                what=f"There is no speech engine {engine!r}.",
                where=f"prompts.engine.{language}",
                mend=f"Use {', '.join((AUTO, *ORDER))}.",
            )
        )
    known = [each for name in (ORDER if engine == AUTO else (engine,)) for each in engines()[name].voices(language)]
    if voice and known and voice not in known:
        who = "No speech engine" if engine == AUTO else f"The speech engine {engine}"
        raise AuthorError(
            Fault(
                what=f"{who} has a {language} voice {voice!r}.",
                where=f"prompts.voice.{language}",
                mend=f"Use {' or '.join(known)}.",
            )
        )
    found = []
    for name in ORDER if engine == AUTO else (engine, *(name for name in ORDER if name != engine)):
        why = engines()[name].away(language)
        if why is None:
            here = engines()[name].voices(language)
            chosen = voice if voice in here else here[0]
            found.append(Speaker(engine=name, language=language, voice=chosen, speed=speed))
        elif name == engine:
            log.warning("speech_engine_away", engine=name, language=language, why=why)
    if voice and engine == AUTO:
        found.sort(key=lambda speaker: speaker.voice != voice)
    if found:
        log.info("voice_chosen", language=language, engine=found[0].engine, voice=found[0].voice)
    return tuple(found)


def provide(language: str, engine: str, progress: Progress) -> None:
    """Fetch an engine for `language` when the one asked for, or for `auto` a good off-line one, is not here yet.

    Raises MachineError when after that nobody can speak the language.
    """
    wanted = ("rhvoice", "espeak") if engine == AUTO else (engine, "rhvoice", "espeak")
    faults: list[Fault] = []
    for name in dict.fromkeys(wanted):
        if engine == AUTO and engines()["piper"].away(language) is None:
            return
        known = engines().get(name)
        if known is None:
            continue
        if known.away(language) is None:
            return
        try:
            known.install(progress)
        except MachineError as error:
            faults += error.faults
            log.warning("speech_engine_not_installed", engine=name, why=str(error))
        if known.away(language) is None:
            return
    if all(known.away(language) is not None for known in engines().values()):
        what = f"No speech engine can speak {language!r} here."
        raise MachineError([Fault(what=what, mend="See: ivr prompt engines."), *faults])
