"""Prepare the fallback while the engine is well: its audio, its plan, and the launcher that Asterisk starts."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import structlog

from ivr.fallback.plan import TEXTS, Plan
from ivr.flow.model import LANGUAGES
from ivr.phones import dial_string
from ivr.settings import Settings
from prompts.voice import Voice

log = structlog.get_logger()

#: The destination of ivr.toml that the fallback offers.
OPERATOR = "operator"


def launcher(plan: Path, python: Path | None = None) -> str:
    """The text of the executable that the dialplan's `AGI(<launcher>,${IVR_DIALLED})` starts; mode 0755."""
    # -I: neither the folder Asterisk happens to run in nor PYTHONPATH may shadow pyst2's package `asterisk`.
    words = [str(python or sys.executable), "-I", "-m", "ivr.fallback.script", str(plan)]
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


async def prepare_fallback(settings: Settings, voice: Voice, *, plan: Path, spool: Path) -> tuple[str, ...]:
    """Write the plan at `plan`. Returns the texts, as "language key", that no engine could speak."""
    audio: dict[str, dict[str, tuple[str, ...]]] = {}
    missing: list[str] = []
    for language in LANGUAGES:
        for text in TEXTS:
            key = f"fallback.{text}"
            clips = await voice.render(language, key, {})
            if clips:
                audio.setdefault(language, {})[text] = tuple(str(clip.path) for clip in clips)
            else:
                missing.append(f"{language} {key}")
    number = settings.destinations.get(OPERATOR, "")
    dialled = dial_string(number, settings.trunk.dial_format, settings.region) if number else ""
    Plan(
        audio=audio,
        language=settings.language,
        spool=str(spool),
        operator=f"PJSIP/{dialled}@trunk" if dialled else "",
    ).write(plan)
    if missing:
        log.warning("fallback.silent_texts", texts=missing)
    return tuple(missing)
