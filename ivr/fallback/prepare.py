"""Prepare the fallback while the engine is well: the files that the dialplan plays when it is not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from prompts.languages import LANGUAGES
from prompts.voice import Clip, Voice

log = structlog.get_logger()

#: What the dialplan says by itself; keys of prompts/texts under `fallback.`, names of the files.
TEXTS = ("apology", "noted", "operators_busy", "wait", "goodbye", "promo")
#: What may lie beside a clip's path. None of them has a header, so that clips may be joined byte by byte.
_FORMS = (".alaw", ".ulaw", ".sln", ".g722")


async def prepare_fallback(voice: Voice, folder: Path) -> tuple[str, ...]:
    """Put each text, in each language, into `folder` as LANGUAGE/TEXT.

    Returns the texts ("language key") that no engine could speak; a file of an earlier time stays.
    """
    missing: list[str] = []
    for language in LANGUAGES:
        for text in TEXTS:
            key = f"fallback.{text}"
            if clips := await voice.render(language, key, {}):
                # Copies, because the cache may drop a clip that no call has used for long.
                _join(clips, folder / language / text)
            else:
                missing.append(f"{language} {key}")
    if missing:
        log.warning("fallback.silent_texts", texts=missing)
    return tuple(missing)


def _join(clips: Sequence[Clip], to: Path) -> None:
    """Make one file of the clips in each form that all of them have, in one step: a call may play it meanwhile."""
    to.parent.mkdir(parents=True, exist_ok=True)
    for form in _FORMS:
        sources = [clip.path.with_name(clip.path.name + form) for clip in clips]
        joined = to.with_name(to.name + form)
        if not all(source.exists() for source in sources):
            joined.unlink(missing_ok=True)
            continue
        beside = to.with_name(f"{to.name}.part")
        with beside.open("wb") as file:
            for source in sources:
                with source.open("rb") as clip:
                    shutil.copyfileobj(clip, file)
        beside.replace(joined)
