"""Sentences: what the author of a texts file gets, and is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import AuthorError
from prompts.sentences import Sentence, load_sentences


def test_keys_are_joined_and_a_leaf_may_have_a_fallback(tmp_path: Path) -> None:
    (tmp_path / "ru.yaml").write_text(
        "promo:\n  offer:\n    text: Скидка {d:percent}.\n    fallback: Скидка!\n  bye: >\n    До\n    свидания!\n",
        "utf-8",
    )
    sentences = load_sentences(tmp_path)
    path = tmp_path / "ru.yaml"
    assert sentences.get("ru", "promo.offer") == Sentence("Скидка {d:percent}.", "Скидка!", path, 2)
    assert sentences.get("ru", "promo.bye") == Sentence("До свидания!", None, path, 5)
    assert sentences.get("uk", "promo.bye") is None
    assert sentences.keys() == ("promo.bye", "promo.offer")
    assert [(language, key) for language, key, _ in sentences] == [("ru", "promo.offer"), ("ru", "promo.bye")]


def test_a_later_folder_overrides_key_by_key(tmp_path: Path) -> None:
    shipped, site = tmp_path / "shipped", tmp_path / "site"
    shipped.mkdir()
    site.mkdir()
    (shipped / "en.yaml").write_text("a: one\nb: two\n")
    (site / "en.yaml").write_text("b: three\n")
    sentences = load_sentences(shipped, site)
    found = {key: sentence.text for _, key, sentence in sentences}
    assert found == {"a": "one", "b": "three"}


def test_every_fault_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "ru.yaml").write_text("a: один\na: два\nb:\nc:\n  text: три\n  tone: soft\nd: [x]\n", "utf-8")
    (tmp_path / "uk.yaml").write_bytes("a: привіт".encode("cp1251"))
    (tmp_path / "en.yaml").write_text("a: price: 10\n")
    with pytest.raises(AuthorError) as caught:
        load_sentences(tmp_path)
    told = [(Path(str(fault.where)).name, fault.line, fault.what) for fault in caught.value.faults]
    assert told == [
        ("ru.yaml", 2, "a is there twice."),
        ("ru.yaml", 3, "b has no words in its text."),
        ("ru.yaml", 6, "c has 'tone' beside its text."),
        ("ru.yaml", 7, "d has no words in its text."),
        ("uk.yaml", 1, "The file is not UTF-8; it may have been saved as Windows-1251."),
        ("en.yaml", 1, "This is no YAML: mapping values are not allowed here."),
    ]


def test_a_sentence_called_text_in_a_map_of_maps_is_no_leaf(tmp_path: Path) -> None:
    (tmp_path / "en.yaml").write_text("menu:\n  text:\n    first: One.\n")
    assert load_sentences(tmp_path).keys() == ("menu.text.first",)
