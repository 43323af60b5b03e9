"""The voice of a site: clips that are ready, clips on demand, and everything rendered before a campaign."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from structlog.testing import capture_logs

from faults import MachineError
from prompts.audio import loudness, trimmed
from prompts.check import check
from prompts.g711 import from_alaw
from prompts.library import Library
from prompts.render import Spoken, render_all
from prompts.voice import Voice
from prompts.worker import Job
from prompts.workers import Workers
from tests.unit.prompts.conftest import open_library

LANGUAGES = ("ru", "uk", "en")
VALUES = {"name": "Иван", "price": "29990", "until": "2026-12-01"}


async def test_a_text_is_made_once_and_then_ready(library: Library) -> None:
    voice: Voice = library
    assert voice.clips("ru", "offer", VALUES) is None
    made = await voice.render("ru", "offer", VALUES)
    assert voice.clips("ru", "offer", VALUES) == made == await voice.render("ru", "offer", VALUES)
    assert len(made) == 2
    for clip in made:
        assert clip.path.is_absolute()
        assert clip.samples == clip.path.with_name(f"{clip.path.name}.alaw").stat().st_size
        assert 500 < clip.length_ms < 6000


async def test_many_calls_that_want_the_same_text_make_it_once(library: Library) -> None:
    with capture_logs() as logs:
        made = await asyncio.gather(*(library.render("ru", "plain", {}) for _ in range(20)))
    assert len(set(made)) == 1
    assert len(list(library.cache.folder.rglob("*.alaw"))) == 1
    assert [log for log in logs if log["log_level"] == "warning"] == []


async def test_a_call_that_gives_up_does_not_take_the_clip_from_another(library: Library) -> None:
    impatient = asyncio.create_task(library.render("ru", "plain", {}))
    patient = asyncio.create_task(library.render("ru", "plain", {}))
    await asyncio.sleep(0)
    impatient.cancel()
    assert len(await patient) == 1


async def test_nothing_to_say_is_no_clip_and_no_wait(library: Library) -> None:
    assert library.clips("ru", "unheard_of", {}) == ()
    assert await library.render("ru", "unheard_of", {}) == ()


@pytest.mark.usefixtures("speech")
async def test_without_any_engine_there_is_silence_and_a_warning(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_workers: Workers
) -> None:
    monkeypatch.setenv("IVR_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("prompts.engines.choice.ORDER", ("rhvoice",))
    library = open_library(site, shared_workers)
    with capture_logs() as logs:
        assert await library.render("ru", "plain", {}) == ()
    assert logs[-1]["event"] == "text_not_spoken"
    report = render_all(library, [Spoken("ru", "plain")])
    assert ["no speech engine is here" in failed.why for failed in report.failed] == [True]
    library.close()


async def test_words_that_no_engine_can_make_are_replaced_by_the_fallback_sentence(
    site: Path, speech: None, shared_workers: Workers
) -> None:
    well = open_library(site, shared_workers)
    polite = await well.render("ru", "hello.fallback", {})
    crashing = open_library(site, Workers(command=("false",)))
    assert polite
    assert await crashing.render("ru", "hello", {"name": "Иван"}) == polite
    well.close()
    crashing.workers.close()


def campaign(leads: int) -> list[Spoken]:
    return [
        Spoken(language, text, {"name": f"Иван{'ва'[lead % 2]}", "price": str(100 + lead % 3), "until": "2026-12-01"})
        for lead in range(leads)
        for language in LANGUAGES
        for text in ("hello", "offer", "plain")
    ]


def test_a_campaign_makes_each_different_fragment_once(library: Library) -> None:
    steps: list[tuple[int, int]] = []
    report = render_all(library, campaign(2000), done=lambda *step: steps.append(step), pin="campaign-1")
    # Two names, three prices, one date and one plain sentence in each of three languages.
    assert (report.distinct, report.made, report.cached, report.failed) == (21, 21, 0, ())
    assert steps[0] == (0, 21)
    assert steps[-1] == (21, 21)
    assert {language: who and who.engine for language, who in report.speakers.items()} == dict.fromkeys(
        LANGUAGES, "rhvoice"
    )
    again = render_all(library, campaign(2000))
    assert (again.distinct, again.made, again.cached) == (21, 0, 21)
    assert len(library.cache.pinned()) == 21
    # What is pinned stays, however small the cache has to be.
    library.cache.max_bytes = 0
    for path in library.cache.folder.rglob("*.*law"):
        path.touch()
    assert library.cache.trim() == 0
    levels = []
    for each in campaign(6):
        for clip in library.clips(each.language, each.text, each.values) or ():
            pcm = from_alaw(clip.path.with_name(f"{clip.path.name}.alaw").read_bytes()) / 32768
            levels.append(loudness(trimmed(pcm)))
            assert np.abs(pcm).max() < 0.95
    assert max(levels) - min(levels) < 1.0


def test_an_engine_that_goes_away_is_replaced_for_the_whole_language(
    site: Path, speech: None, shared_workers: Workers
) -> None:
    library = open_library(site, shared_workers)
    first = library.speakers("ru")[0]
    library.pass_over(first, "test")
    report = render_all(library, [Spoken("ru", "plain"), Spoken("ru", "hello"), Spoken("en", "plain")])
    assert {language: who and who.engine for language, who in report.speakers.items()} == {
        "ru": "espeak",
        "en": "rhvoice",
    }
    assert library.clips("ru", "plain", {}) is not None
    library.close()


def test_rendering_ends_without_a_report_when_the_library_is_closed(site: Path, speech: None) -> None:
    hangs = "import sys, time; sys.stdin.readline(); time.sleep(1000)"
    workers = Workers(1, command=(sys.executable, "-c", hangs))
    library = open_library(site, workers)
    closing = threading.Thread(target=workers.close)
    told: list[tuple[int, int]] = []

    def done(made: int, of: int) -> None:
        told.append((made, of))
        # The second time, all is on its way.
        if len(told) == 2:
            closing.start()

    with pytest.raises(RuntimeError, match="workers are closed"):
        render_all(library, campaign(2), done=done)
    closing.join()


_CAMPAIGN = """
import sys
import threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.unit.prompts.conftest import open_library
from prompts.render import Spoken, render_all
library = open_library(Path(sys.argv[1]))
wanted = [Spoken("en", "hello", {"name": f"John {chr(65 + n // 26)}{chr(97 + n % 26)}"}) for n in range(30)]
report = render_all(library, wanted, done=lambda done, of: print(done, flush=True))
print("made", report.made, "cached", report.cached, flush=True)
library.close()
"""


@pytest.mark.usefixtures("speech")
def test_rendering_that_was_killed_goes_on_where_it_was(site: Path) -> None:
    command = [sys.executable, "-c", _CAMPAIGN, str(site), str(Path(__file__).parents[3])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line.strip() == "5":
                killed.send_signal(signal.SIGKILL)
                break
    whole = len(list((site / "audio").rglob("*.alaw")))
    assert 5 <= whole < 30
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()[-1].split()
    made, cached = int(words[1]), int(words[3])
    # The workers may have finished what they had in hand after their parent was gone.
    assert made + cached == 30
    assert whole <= cached <= whole + 4
    assert len(list((site / "audio").rglob("*.sln"))) == 30


_FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
exec(sys.argv[3])
"""


@pytest.mark.usefixtures("speech")
def test_a_full_disk_stops_rendering_with_a_clear_error(site: Path) -> None:
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", _FULL, str(site), root, _CAMPAIGN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "MachineError" in done.stderr
    assert "The disk takes no file of this size" in done.stderr
    assert list((site / "audio").rglob("*.alaw")) == []
    assert list((site / "audio").rglob("*.tmp")) == []


# ---------------------------------------------------------------- recordings, export, check


def tone(path: Path, seconds: float = 1.0, rate: int = 44100, level: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, level * np.sin(2 * np.pi * 440 * time), rate)


async def test_a_recording_replaces_the_synthesis(site: Path, library: Library, shared_workers: Workers) -> None:
    spoken = await library.render("ru", "plain", {})
    tone(site / "recordings/ru/plain.wav", 2.0)
    tone(site / "recordings/ru/fragments/до первого декабря.wav", 1.5, 48000)
    fresh = open_library(site, shared_workers)
    recorded = await fresh.render("ru", "plain", {})
    assert recorded != spoken
    assert abs(recorded[0].length_ms - 2000) < 450
    offer = await fresh.render("ru", "offer", VALUES)
    assert abs(offer[1].length_ms - 1500) < 450
    fresh.close()


def test_a_bad_recording_is_a_clear_fault_and_its_sentence_is_synthesised(
    site: Path, speech: None, shared_workers: Workers
) -> None:
    (site / "recordings/ru").mkdir(parents=True)
    (site / "recordings/ru/plain.wav").write_bytes(b"RIFF no sound at all")
    tone(site / "recordings/en/plain.wav", 0.01)
    tone(site / "recordings/en/plane.wav")
    tone(site / "recordings/uk/offer.wav")
    library = open_library(site, shared_workers)
    report = render_all(library, [Spoken("ru", "plain")])
    # Synthesised instead: a caller hears words, not silence.
    assert (report.made, report.failed) == (1, ())
    told = {Path(str(fault.where)).relative_to(site): fault.what for fault in check(library, []).faults}
    assert told.keys() == {
        Path("recordings") / name for name in ("ru/plain.wav", "en/plain.wav", "en/plane.wav", "uk/offer.wav")
    }
    library.close()


def test_check_finds_what_callers_would_notice(site: Path, speech: None, shared_workers: Workers) -> None:
    (site / "texts/ru.yaml").write_text(
        "hello: {text: 'Здравствуйте, {name:name}!', fallback: 'Здравствуйте, {name:name}!'}\n"
        "offer: {text: 'Он стоит {price:money}.'}\nplain: Нажмите 1\nbrand: Это Zorbex.\n"
        f"long: {'Слово за словом. ' * 60}\nscript: Это 王小明.\n"
        "torn: {text: 'До {until:date} за {until:money}.', fallback: До встречи.}\n",
        "utf-8",
    )
    library = open_library(site, shared_workers)
    wanted = [Spoken("ru", key) for key in ("plain", "brand", "long", "script")]
    first = check(library, wanted)
    render_all(library, wanted)
    second = check(library, wanted)
    whats = "\n".join(f"{fault.line} {fault.what}" for fault in second.faults)
    for expected in (
        "1 The fallback of hello has the variable name.",
        "2 offer has until in one language, but not in all.",
        "3 plain has '1', which is not spoken.",
        "6 script has '王', which is not spoken.",
        "4 brand has a foreign word, Zorbex.",
        "4 brand is missing in uk.",
        "5 long takes ",
        "7 torn can't be read in ru: until is a date and a money at one time.",
    ):
        assert expected in whats
    assert sum("has no audio yet" in fault.what for fault in first.faults) == 4
    assert "has no audio yet" not in whats
    assert second.levels is not None
    assert second.levels == pytest.approx((-21, -21), abs=0.5)
    library.close()


def test_check_hears_what_is_silent_quiet_or_clipped(library: Library) -> None:
    render_all(library, [Spoken(language, "plain") for language in LANGUAGES])
    for language, level in (("ru", 0.0), ("uk", 0.01), ("en", 1.0)):
        clips = library.clips(language, "plain", {})
        assert clips
        square = level * 32767 * np.sign(np.sin(np.arange(8000) / 3))
        library.cache.put(clips[0].path.name, square.astype(np.int16))
    faults = [fault.what for fault in check(library, [Spoken(each, "plain") for each in LANGUAGES]).faults]
    assert [what.split(":")[0] for what in faults] == [
        "The audio of plain is silent.",
        "The audio of plain is too quiet",
        "The audio of plain is clipped.",
        "The audio of plain is too loud",
    ]


def test_a_job_is_the_same_for_the_same_sound_only(library: Library) -> None:
    def clip(fragments: object = None, **values: str) -> str:
        fragment = library.phrases.fragments("ru", "hello", values)[0]
        job = library.job(fragment, library.speakers("ru")[0])
        assert isinstance(job, Job)
        return job.clip

    assert clip(name="Иван") == clip(name="Иван")
    assert clip(name="Иван") != clip(name="Анна")


def test_render_raises_machine_error_in_process_too(site: Path, speech: None, shared_workers: Workers) -> None:
    library = open_library(site, shared_workers)
    (site / "audio").write_text("in the way")
    with pytest.raises(MachineError, match="can't be written"):
        render_all(library, [Spoken("ru", "plain")])
    library.close()
