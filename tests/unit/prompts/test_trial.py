"""A text that no value makes readable is found before a call, and costs a call that sentence at most."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from prompts import pronunciation
from prompts.phrases import Phrases
from prompts.reading import Kind, read
from prompts.sentences import LANGUAGES, SHIPPED, Sentences, load_sentences
from prompts.trial import EXAMPLES, trial, unreadable

TEXTS = """
good: {text: "До {until:date}, {name:name}!", fallback: "До встречи."}
torn: {text: "До {until:date} за {until:money}.", fallback: "До встречи."}
spare: {text: "До {until:date}.", fallback: "Скидка {n:percent}, {n:weekday}."}
malformed: "До {until:dat}."
"""


@pytest.fixture
def sentences(tmp_path: Path) -> Sentences:
    (tmp_path / "ru.yaml").write_text(TEXTS, "utf-8")
    return load_sentences(tmp_path)


def test_a_text_that_no_value_fits_is_told_with_its_line(sentences: Sentences, tmp_path: Path) -> None:
    found = {fault.line: fault for fault in unreadable(sentences)}
    assert {line: fault.where for line, fault in found.items()} == dict.fromkeys((3, 4), tmp_path / "ru.yaml")
    assert found[3].what == "torn can't be read in ru: until is a date and a money at one time."
    assert "n is a percent and a weekday" in found[4].what
    assert [fault.line for fault in unreadable(sentences, {"good", "spare"})] == [4]


def test_every_shipped_sentence_can_be_read() -> None:
    assert list(unreadable(load_sentences(SHIPPED))) == []


def test_one_variable_may_have_several_types_that_a_value_fits() -> None:
    assert trial("ru", "{n:count день}, {n:ordinal день}, {n:digits}") is None
    assert trial("uk", "{d:date}, {d:weekday}") is None


@pytest.mark.parametrize("kind", Kind)
def test_every_example_is_one(kind: Kind) -> None:
    noun = " x" if kind is Kind.COUNT else ""
    for language in LANGUAGES:
        for value in EXAMPLES[kind]:
            assert read(language, f"{{x:{kind}{noun}}}", {"x": value})


def test_a_fault_of_the_reading_costs_one_sentence(sentences: Sentences, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {each: pronunciation.load_pronunciation(each, pronunciation.SHIPPED) for each in LANGUAGES}
    phrases = Phrases(sentences, known)
    values = {"until": "2026-12-01", "name": "Анна"}

    def failing(literal: str, following: str) -> str:
        return literal[len(following) + 1_000]

    monkeypatch.setattr("prompts.reading.reading.fitted", failing)
    with capture_logs() as logs:
        for _ in range(2):
            assert [each.text for each in phrases.fragments("ru", "good", values)] == ["До встречи."]
    assert [(each["event"], each["text"]) for each in logs] == [("sentence_unreadable", "good")]
    assert "IndexError" in logs[0]["why"]
    told = [fault for fault in unreadable(sentences, {"good"}) if "IndexError" in fault.what]
    assert [(fault.where, fault.line) for fault in told] == [(sentences.by_language["ru"]["good"].where, 2)]
