"""`ivr prompt …` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from app.commands.main import main
from app.commands.prompt import app
from faults import AuthorError, UserError
from ivr.site import init_site

SENTENCE = "Всего {price:money} до {until:date}."
VALUES = ["--var", "price=1201.50", "--var", "until=2026-12-01"]


@pytest.fixture
def site(tmp_path: Path) -> str:
    folder = tmp_path / "site"
    init_site(folder, {"trunk.host": "127.0.0.1"})
    (folder / "prompts/texts/ru.yaml").write_text("ours: {text: 'Ждём вас, {name:name}!', fallback: Ждём вас!}\n")
    return str(folder)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_say_shows_the_fragments(site: str) -> None:
    shown = run("say", SENTENCE, *VALUES, "--fragments", "--site", site)
    assert shown == "Всего тысяча двести один рубль пятьдесят копеек,\nдо первого декабря.\n"
    assert run("say", "ours", "--var", "name=Иван", "--fragments", "--site", site) == "Ждём вас, Иван!\n"
    assert run("say", "ours.fallback", "--fragments", "--site", site) == "Ждём вас!\n"


@pytest.mark.usefixtures("speech")
def test_say_writes_what_callers_hear(site: str, tmp_path: Path) -> None:
    out = tmp_path / "said.wav"
    run("say", SENTENCE, *VALUES, "--out", str(out), "--site", site)
    samples, rate = soundfile.read(out)
    assert rate == 8000
    assert 3 < len(samples) / rate < 8


def test_list_shows_every_sentence_and_whether_its_audio_is_there(site: str) -> None:
    shown = run("list", "--site", site)
    assert "promo.offer" in shown
    assert "by values" in shown
    assert "missing" in shown


def test_engines_says_what_works_and_how_to_get_the_rest() -> None:
    shown = " ".join(run("engines").split())
    for words in ("RHVoice", "espeak-ng", "gTTS", "piper", "pip install"):
        assert words in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("say", "{price:monney}"),
        ("say", "{price:money}"),
        ("say", "Да.", "-l", "fr"),
        ("say", "..."),
        ("say", "", "--fragments"),
        ("say", "Да.", "--site", "no/such/site"),
        ("list", "--lang", "fr"),
        ("engines", "--install", "festival"),
    ],
)
def test_a_mistake_is_told_with_its_mend(arguments: tuple[str, ...]) -> None:
    with pytest.raises(AuthorError) as caught:
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert caught.value.faults[0].mend


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize("out", ["said", "said.xyz", "said.raw", "no/such/folder/said.wav"])
def test_a_sound_file_that_can_not_be_written_is_told_with_its_mend(site: str, tmp_path: Path, out: str) -> None:
    arguments = ["say", "Да.", "--out", str(tmp_path / out), "--site", site]
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert caught.value.faults[0].where == tmp_path / out
    assert not (tmp_path / out).exists()


def test_a_line_number_between_colons_stays_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ivr.toml").write_text("\n" * 99 + "[trunk\n")
    monkeypatch.setattr("sys.argv", ["ivr", "prompt", "list", "--site", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    # Rich would make a picture of it.
    assert "ivr.toml:100:" in capsys.readouterr().err
