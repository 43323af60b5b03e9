"""Which files of a site's folder callers hear, and what keeps them from being published."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from faults import AuthorError
from ivr.site import init_site
from ivr.versions.folder import faults_in, hashes, look


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return init_site(tmp_path / "shop", {"trunk.host": "127.0.0.1"}).folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def record(path: Path, level: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * np.sin(np.arange(8000) / 5), 8000)


def test_what_is_heard_and_no_more(folder: Path) -> None:
    write(folder / "prompts/texts/ru.yaml", "")
    write(folder / "prompts/dictionary/uk.yaml", "Sony: Соні\n")
    record(folder / "prompts/recordings/ru/fragments/да.wav", 0.5)
    for other in ("dialplans/notes.txt", "prompts/texts/ru.yaml~", "prompts/recordings/ru/list.xlsx", "people.csv"):
        write(folder / other, "x")
    names = {each.name for each in look(folder)}
    shipped = {f"shipped/{part}/{language}.yaml" for part in ("texts", "dictionary") for language in ("ru", "uk", "en")}
    assert names - shipped == {
        "dialplans/hotline.yaml",
        "dialplans/promo.yaml",
        "prompts/texts/ru.yaml",
        "prompts/dictionary/uk.yaml",
        "prompts/recordings/ru/fragments/да.wav",
    }
    assert shipped - names <= {"shipped/dictionary/en.yaml"}
    assert faults_in(folder) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text(path.read_text() + "# a word\n"),
        # The same size and time, but another file.
        lambda path: (path.with_name("other").write_bytes(path.read_bytes()), path.with_name("other").rename(path)),
        os.utime,
        lambda path: path.unlink(),
    ],
)
def test_every_change_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    before = look(folder)
    assert look(folder) == before
    change(folder / "dialplans/promo.yaml")
    assert look(folder) != before


def test_what_has_not_changed_is_not_read_again(folder: Path) -> None:
    known = {each: "as before" for each in look(folder) if each.name != "dialplans/promo.yaml"}
    found = hashes(look(folder), known)
    assert [name for name, hash in found.items() if hash != "as before"] == ["dialplans/promo.yaml"]
    assert found == hashes(look(folder), known)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("dialplans/promo.yaml", "flow: promo\nkind: nothing\n", "kind"),
        ("prompts/texts/ru.yaml", "promo: {offer: ''}\n", "has no words"),
        ("prompts/dictionary/ru.yaml", "- Sony\n", "no map of words"),
        ("prompts/recordings/ru/promo.offer.wav", "RIFF", "no sound that can be read"),
    ],
)
def test_a_fault_in_any_of_them_is_told(folder: Path, name: str, text: str, fault: str) -> None:
    write(folder / name, text)
    found = faults_in(folder)
    assert {each.where for each in found} == {folder / name}
    assert any(fault in each.what for each in found)


def test_a_recording_that_is_quiet_or_never_played_keeps_nothing_back(folder: Path) -> None:
    record(folder / "prompts/recordings/ru/promo.keys.wav", 0.002)
    write(folder / "prompts/recordings/ru/fragments/list.txt", "x")
    assert faults_in(folder) == []


def test_a_file_that_can_not_be_read_is_told(folder: Path) -> None:
    path = folder / "prompts/texts/ru.yaml"
    os.mkfifo(path)
    with pytest.raises(AuthorError, match="it is a pipe"):
        hashes(look(folder), {})
