"""gTTS: Google Translate's voice, on-line. The text is sent to Google.

The package builds the request; sending it is ours, because gTTS 2.5 does not verify TLS, leaves an empty file behind a
failure, and takes an answer without audio for success.
"""

from __future__ import annotations

import base64
import io
import re
import socket
import time
from typing import Final
from urllib.parse import urlsplit

import requests
import soundfile
from gtts import gTTS

from prompts.engines.engine import EngineAwayError, Progress, Speech, UnspeakableError

HOST: Final = "translate.google.com"
_URL: Final = f"https://{HOST}/_/TranslateWebserverUi/data/batchexecute"
#: Seconds to connect, and between two packets of the answer.
_TIMEOUT: Final = (2.0, 10.0)
_TRIES: Final = 3
#: How long an unreachable Google is remembered.
_AWAY_S: Final = 300.0


class GoogleTranslate:
    name = "gtts"
    title = "gTTS (Google Translate), on-line"
    local = False

    def __init__(self, url: str = _URL, again_s: float = 1.0) -> None:
        self._url = url
        self._again_s = again_s
        self._away_until = 0.0
        self._reached_until = 0.0

    def voices(self, language: str) -> tuple[str, ...]:
        """Google has one voice for a language; the names choose its accent or its slow manner."""
        return {"ru": ("ru",), "uk": ("uk",), "en": ("en",)}.get(language, ())

    def away(self, language: str) -> str | None:
        if not self.voices(language):
            return f"It has no voice for {language}."
        now = time.monotonic()
        if now < self._reached_until:
            return None
        if now >= self._away_until:
            try:
                # A proxy, when there is one, does the connecting; it is tried with the first sentence.
                if not requests.utils.get_environ_proxies(self._url):
                    host = urlsplit(self._url)
                    socket.create_connection((host.hostname, host.port or 443), timeout=_TIMEOUT[0]).close()
                self._reached_until = now + _AWAY_S
                return None
            except OSError:
                self._away_until = now + _AWAY_S
        return f"{HOST} can't be reached. Check the network, or use an off-line engine."

    def install(self, progress: Progress) -> None:
        """Nothing to install: the package comes with the engine."""

    def synthesise(self, language: str, text: str, voice: str, speed: float) -> Speech:
        if not any(letter.isalnum() for letter in text):
            raise UnspeakableError("there are no words in it")
        bodies = gTTS(text, lang=voice, slow=speed < 0.8, lang_check=False).get_bodies()
        sound = b"".join(self._ask(body) for body in bodies)
        try:
            samples, rate = soundfile.read(io.BytesIO(sound), dtype="float64")
        except soundfile.SoundFileError as error:
            raise UnspeakableError(f"Google's answer is no audio: {error}") from error
        if not len(samples):
            raise UnspeakableError("Google's answer has no sound in it")
        return Speech(samples, int(rate))

    def _ask(self, body: str) -> bytes:
        """The MP3 of one part. Tries again when Google is busy or answers without audio."""
        why = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(self._again_s * attempt)
            try:
                answer = requests.post(self._url, data=body, headers=gTTS.GOOGLE_TTS_HEADERS, timeout=_TIMEOUT)
            except requests.ConnectionError as error:
                # Not tried again: off-line must be quick.
                self._forget()
                raise EngineAwayError(f"{HOST} can't be reached: {type(error).__name__}.") from error
            except requests.RequestException as error:
                why = type(error).__name__
                continue
            if answer.status_code in (403, 404):
                self._forget()
                raise EngineAwayError(f"Google refuses: HTTP status {answer.status_code}.")
            found = re.search(r'jQ1olc","\[\\"([A-Za-z0-9+/=]+)\\"]', answer.text)
            if answer.ok and found and (audio := base64.b64decode(found[1])):
                return audio
            why = "an answer without audio" if answer.ok else f"HTTP status {answer.status_code}"
        self._forget()
        raise EngineAwayError(f"Google gave no speech after {_TRIES} tries: {why}.")

    def _forget(self) -> None:
        self._reached_until = 0.0
        self._away_until = time.monotonic() + _AWAY_S
