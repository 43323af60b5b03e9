"""Prepare the fallback while the engine is well: its audio and its plan."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import structlog

from ivr.fallback.plan import TEXTS, Plan
from ivr.settings import Settings
from people.numbers import dial_string, normal_form
from prompts.languages import LANGUAGES
from prompts.voice import Clip, Voice

log = structlog.get_logger()

#: The destination of ivr.toml that the fallback offers.
OPERATOR = "operator"
#: What may lie beside a clip's path.
_FORMS = (".alaw", ".ulaw", ".sln", ".g722")


async def prepare_fallback(settings: Settings, voice: Voice, *, plan: Path, spool: Path) -> tuple[str, ...]:
    """Write the plan at `plan`, its audio beside it. Returns the texts ("language key") that no engine could speak."""
    audio: dict[str, dict[str, tuple[str, ...]]] = {}
    missing: list[str] = []
    for language in LANGUAGES:
        for text in TEXTS:
            key = f"fallback.{text}"
            clips = await voice.render(language, key, {})
            if clips:
                # Copies, because the cache may drop a clip that no call has used for long.
                folder = plan.with_suffix("") / language
                audio.setdefault(language, {})[text] = tuple(_copies(clips, folder, text))
            else:
                missing.append(f"{language} {key}")
    number = settings.destinations.get(OPERATOR, "")
    dialled = dial_string(normal_form(number, settings.region), settings.trunk.dial_format)
    Plan(
        audio=audio,
        language=settings.language,
        spool=str(spool),
        operator=f"PJSIP/{dialled}@trunk" if dialled else "",
    ).write(plan)
    if missing:
        log.warning("fallback.silent_texts", texts=missing)
    return tuple(missing)


def _copies(clips: Iterable[Clip], folder: Path, text: str) -> Iterable[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips, 1):
        copy = folder / f"{text}-{number}"
        for form in _FORMS:
            source = clip.path.with_name(clip.path.name + form)
            if source.exists():
                beside = copy.with_name(f"{copy.name}.part")
                shutil.copyfile(source, beside)
                beside.replace(copy.with_name(copy.name + form))
        yield str(copy)
