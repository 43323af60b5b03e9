"""From a key and values to fragments: fallbacks, what is skipped, what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from prompts import pronunciation
from prompts.fragments import Fragment
from prompts.phrases import Phrases
from prompts.reading import Part, read_parts
from prompts.sentences import LANGUAGES, load_sentences

TEXTS = """
hello: {text: "Здравствуйте, {name:name}!", fallback: Здравствуйте!}
price: Телевизор Sony стоит {price:money} до {until:date}.
odd: {text: "До {until:date}.", fallback: "До {until:date} и {name:name}."}
plain: Спасибо. Ждём вас!
nothing: "…"
"""


@pytest.fixture
def phrases(tmp_path: Path) -> Phrases:
    (tmp_path / "ru.yaml").write_text(TEXTS, "utf-8")
    known = {each: pronunciation.load_pronunciation(each, pronunciation.SHIPPED) for each in LANGUAGES}
    return Phrases(load_sentences(tmp_path), known)


def words(fragments: tuple[Fragment, ...]) -> list[str]:
    return [fragment.text for fragment in fragments]


def test_values_are_read_and_brands_are_spoken(phrases: Phrases) -> None:
    found = phrases.fragments("ru", "price", {"price": "29990", "until": "2026-12-01"})
    assert words(found) == [
        "Телевизор Сони стоит двадцать девять тысяч девятьсот девяносто рублей,",
        "до первого декабря.",
    ]


def test_only_a_whole_sentence_without_variables_may_be_replaced_by_a_recording(phrases: Phrases) -> None:
    assert [each.key for each in phrases.fragments("ru", "plain", {})] == ["plain"]
    assert [each.key for each in phrases.fragments("ru", "hello", {})] == ["hello.fallback"]
    assert [each.key for each in phrases.fragments("ru", "hello", {"name": "Иван"})] == [None]


@pytest.mark.parametrize("values", [{}, {"name": ""}, {"name": "  "}, {"name": "王小明"}, {"name": "علي"}])
def test_without_a_name_that_can_be_said_the_greeting_is_polite(phrases: Phrases, values: dict[str, str]) -> None:
    assert words(phrases.fragments("ru", "hello", values)) == ["Здравствуйте!"]


def test_a_name_after_a_missing_one_is_said_again(phrases: Phrases) -> None:
    for name, said in (("Анна", "Здравствуйте, Анна!"), ("", "Здравствуйте!"), ("Пётр", "Здравствуйте, Пётр!")):
        assert words(phrases.fragments("ru", "hello", {"name": name})) == [said]


@pytest.mark.parametrize(("key", "values"), [("price", {"price": "дорого"}), ("odd", {}), ("unheard_of", {})])
def test_what_can_not_be_said_is_left_out_and_logged_once(phrases: Phrases, key: str, values: dict[str, str]) -> None:
    with capture_logs() as logs:
        assert phrases.fragments("ru", key, values) == ()
        assert phrases.fragments("ru", key, values) == ()
    assert [(log["log_level"], log["text"]) for log in logs] == [("warning", key)]


def test_no_words_are_no_fragment(phrases: Phrases) -> None:
    assert phrases.fragments("ru", "nothing", {}) == ()


def test_each_value_is_read_once_whatever_it_is_combined_with(phrases: Phrases) -> None:
    distinct = {
        fragment
        for price in range(1000, 1010)
        for day in range(1, 11)
        for fragment in phrases.fragments("ru", "price", {"price": str(price), "until": f"2026-12-{day:02}"})
    }
    assert len(distinct) == 20


def test_a_value_that_can_not_be_read_is_tried_once(phrases: Phrases, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def reading(language: str, text: str, values: Mapping[str, str]) -> tuple[Part, ...]:
        tried.append(text)
        return read_parts(language, text, values)

    monkeypatch.setattr("prompts.phrases.read_parts", reading)
    for _ in range(5):
        assert words(phrases.fragments("ru", "hello", {"name": "@"})) == ["Здравствуйте!"]
    assert tried == ["Здравствуйте, {name:name}!", "Здравствуйте!"]
    assert words(phrases.fragments("ru", "hello", {"name": "Анна"})) == ["Здравствуйте, Анна!"]
