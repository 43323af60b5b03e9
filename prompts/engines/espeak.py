"""espeak-ng: the last resort. Small, understandable, plainly a machine. The machine's own, or Debian's, unpacked."""

from __future__ import annotations

import io
import os
import shutil
import subprocess

import soundfile

import debroot
from prompts.engines.engine import EngineAwayError, Progress, Speech, UnspeakableError

#: Words in a minute at speed 1; espeak-ng's own default (175) is hard to follow on a telephone.
_WORDS_PER_MINUTE = 150
_LONGEST_S = 60


#: PulseAudio's library, which it is linked with and does not need here, would make folders for itself in the temporary
#: one and in the user's own; it can't make them there.
_QUIET = {"PULSE_RUNTIME_PATH": os.devnull}


class Espeak:
    name = "espeak"
    title = "espeak-ng, off-line, the last resort"
    local = True

    def _command(self) -> tuple[tuple[str, ...], dict[str, str]] | None:
        """How to run it, and the environment it needs; None when it is not here."""
        if own := shutil.which("espeak-ng"):
            return (own,), _QUIET
        root = debroot.opened(debroot.cache_dir() / "espeak-ng")
        if root is None:
            return None
        return root.command("usr/bin/espeak-ng"), _QUIET | {
            "ESPEAK_DATA_PATH": str(root.libraries / "espeak-ng-data"),
        }

    def voices(self, language: str) -> tuple[str, ...]:
        return {"ru": ("ru", "ru+f2"), "uk": ("uk", "uk+f2"), "en": ("en", "en-us", "en+f2")}.get(language, ())

    def away(self, language: str) -> str | None:
        if not self.voices(language):
            return f"It has no voice for {language}."
        if self._command() is None:
            return "It is not installed. Install it with: ivr prompt engines --install espeak"
        return None

    def install(self, progress: Progress) -> None:
        if shutil.which("espeak-ng"):
            return
        debroot.fetch(
            ("espeak-ng",),
            debroot.cache_dir() / "espeak-ng",
            suite=debroot.OWN,
            progress=lambda step: progress(f"espeak-ng: {step.stage}", step.percent),
            instead="Install espeak-ng with your system's package manager.",
        )

    def synthesise(self, language: str, text: str, voice: str, speed: float) -> Speech:
        if (reason := self.away(language)) is not None or (found := self._command()) is None:
            raise EngineAwayError(reason or "It is not installed.")
        command, environment = found
        rate = str(round(_WORDS_PER_MINUTE * speed))
        try:
            done = subprocess.run(
                [*command, "-v", voice, "-s", rate, "--stdin", "--stdout"],
                input=text.encode(),
                capture_output=True,
                timeout=_LONGEST_S,
                check=True,
                env={**os.environ, **environment},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineAwayError(f"espeak-ng can't be run: {error}.") from error
        except subprocess.CalledProcessError as error:
            told = error.stderr.decode("utf-8", "replace").strip() or f"it ended with status {error.returncode}"
            raise EngineAwayError(f"espeak-ng failed: {told}.") from error
        if len(done.stdout) <= 44:
            raise UnspeakableError("espeak-ng made no sound of it")
        # Written to a pipe, the header could not know the length.
        samples, sample_rate = soundfile.read(io.BytesIO(_with_length(done.stdout)), dtype="int16")
        return Speech(samples, int(sample_rate))


def _with_length(wav: bytes) -> bytes:
    """The WAV with the true lengths in its header."""
    at = wav.index(b"data") + 4
    lengths = ((len(wav) - 8).to_bytes(4, "little"), (len(wav) - at - 4).to_bytes(4, "little"))
    return wav[:4] + lengths[0] + wav[8:at] + lengths[1] + wav[at + 4 :]
