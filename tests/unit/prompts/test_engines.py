"""The engines themselves: they really speak, and say clearly when they can't."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

import debroot
from faults import AuthorError, MachineError
from prompts.engines.choice import Speaker, engines, speakers
from prompts.engines.engine import EngineAwayError, UnspeakableError
from prompts.engines.espeak import Espeak
from prompts.engines.gtts import GoogleTranslate
from prompts.engines.piper import Piper
from prompts.engines.rhvoice import RHVoice

WORDS = {"ru": "Добрый день", "uk": "Добрий день", "en": "Good afternoon"}


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize("language", WORDS)
def test_espeak_speaks(language: str) -> None:
    speech = Espeak().synthesise(language, WORDS[language], Espeak().voices(language)[0], 1.0)
    slower = Espeak().synthesise(language, WORDS[language], Espeak().voices(language)[0], 0.7)
    assert 0.4 < len(speech.samples) / speech.rate < 3
    assert len(slower.samples) > len(speech.samples) * 1.15


@pytest.mark.usefixtures("speech")
def test_espeak_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_CACHE", str(debroot.cache_dir()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert len(Espeak().synthesise("en", "hello", "en", 1.0).samples)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("speech")
def test_rhvoice_knows_which_voices_it_has() -> None:
    rhvoice = RHVoice()
    assert {language: rhvoice.away(language) for language in WORDS} == dict.fromkeys(WORDS)
    assert rhvoice.away("fr") == "It has no voice for fr."
    # The library itself would speak with another voice, and say nothing of it.
    with pytest.raises(EngineAwayError, match="no ru voice 'slt', only"):
        rhvoice.synthesise("ru", "Добрый день", "slt", 1.0)


def test_an_engine_that_is_not_here_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ivr prompt engines --install rhvoice" in str(RHVoice().away("ru"))
    assert "ivr prompt engines --install espeak" in str(Espeak().away("ru"))
    assert "pip install" in str(Piper().away("ru"))
    with pytest.raises(MachineError, match="apt-get is missing"):
        RHVoice().install(lambda _what, _percent: None)
    for engine in (RHVoice(), Espeak(), Piper()):
        with pytest.raises(EngineAwayError):
            engine.synthesise("ru", "Добрый день", "", 1.0)


@pytest.mark.usefixtures("speech")
def test_the_choice_names_engine_and_voice_and_keeps_others_in_reserve() -> None:
    chosen = speakers("ru", "espeak", "", 0.9)
    assert chosen[0] == Speaker(engine="espeak", language="ru", voice="ru", speed=0.9)
    assert "rhvoice" in {speaker.engine for speaker in chosen}
    assert speakers("ru", "auto", "irina")[0].voice == "irina"
    assert speakers("uk")[0].engine == "rhvoice"


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("engine", "voice"), [("festival", ""), ("rhvoice", "nobody"), ("espeak", "slt"), ("gtts", "de"), ("auto", "irena")]
)
def test_an_unknown_engine_or_voice_is_the_authors_error(engine: str, voice: str) -> None:
    with pytest.raises(AuthorError, match="Use "):
        speakers("ru", engine, voice)


def test_a_voice_of_an_engine_that_is_not_here_yet_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_CACHE", str(tmp_path))
    assert all(speaker.engine != "rhvoice" for speaker in speakers("ru", "rhvoice", "irina"))


# ---------------------------------------------------------------- gTTS against a Google of our own


@contextmanager
def google(*answers: tuple[int, str]) -> Iterator[tuple[GoogleTranslate, list[bytes]]]:
    """A server that gives these answers in turn, the last one for ever; the bodies that it was asked."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, text = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield GoogleTranslate(f"http://127.0.0.1:{server.server_port}/", again_s=0), asked
        finally:
            server.shutdown()
            thread.join()


def answer(seconds: float) -> str:
    """What Google answers: a line of JSON in JSON with an MP3 in base64."""
    mp3 = io.BytesIO()
    soundfile.write(mp3, 0.3 * np.sin(np.arange(int(24000 * seconds)) / 20), 24000, format="MP3")
    inner = json.dumps([base64.b64encode(mp3.getvalue()).decode()])
    return ")]}'\n\n" + json.dumps([["wrb.fr", "jQ1olc", inner, None]], separators=(",", ":")) + "\n"


def test_gtts_decodes_what_google_says() -> None:
    with google((200, answer(1.0))) as (gtts, asked):
        assert gtts.away("ru") is None
        speech = gtts.synthesise("ru", "Добрый день", "ru", 1.0)
    assert len(speech.samples) / speech.rate == pytest.approx(1.0, abs=0.1)
    assert len(asked) == 1
    assert b"u0414" in asked[0]


def test_gtts_tries_again_when_google_is_busy_or_sends_no_audio() -> None:
    with google((429, ""), (200, '[["wrb.fr","jQ1olc",null]]'), (200, answer(0.5))) as (gtts, asked):
        assert len(gtts.synthesise("ru", "Добрый день", "ru", 1.0).samples) > 0
    assert len(asked) == 3


@pytest.mark.parametrize("reply", [(200, ""), (200, '"jQ1olc","[\\"\\"]"'), (503, "busy"), (403, "no")])
def test_gtts_that_gives_no_speech_is_away_and_that_is_remembered(reply: tuple[int, str]) -> None:
    with google(reply) as (gtts, _):
        with pytest.raises(EngineAwayError):
            gtts.synthesise("ru", "Добрый день", "ru", 1.0)
        assert gtts.away("ru") is not None


def test_gtts_takes_no_audio_that_is_none() -> None:
    broken = '"jQ1olc","[\\"' + base64.b64encode(b"no mp3").decode() + '\\"]"'
    with google((200, broken)) as (gtts, _), pytest.raises(UnspeakableError):
        gtts.synthesise("ru", "Добрый день", "ru", 1.0)


@pytest.mark.parametrize("text", ["…", "!", " - "])
def test_gtts_is_not_asked_to_speak_marks(text: str) -> None:
    with google((200, answer(1))) as (gtts, asked), pytest.raises(UnspeakableError):
        gtts.synthesise("ru", text, "ru", 1.0)
    assert asked == []


def test_gtts_without_a_network_is_asked_once() -> None:
    with google((200, "")) as (gtts, _):
        pass  # The port is closed now.
    assert "can't be reached" in str(gtts.away("ru"))
    with pytest.raises(EngineAwayError):
        gtts.synthesise("ru", "Добрый день", "ru", 1.0)
    # It is not asked again, so that a sentence after the other need not wait for it.
    with socket.create_server(("127.0.0.1", urlsplit(gtts._url).port or 0)):
        assert "can't be reached" in str(gtts.away("ru"))


def test_every_engine_keeps_its_name() -> None:
    assert {name: engine.name for name, engine in engines().items()} == {
        name: name for name in ("gtts", "rhvoice", "piper", "espeak")
    }
