"""Foreign letters and signs as a language's own voice can say them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from faults import AuthorError
from prompts.pronunciation import SHIPPED, load_pronunciation


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("ru", "Телевизор Sony, холодильник LG.", "Телевизор Сони, холодильник эл джи."),
        ("ru", "SONY и sony", "Сони и Сони"),
        ("ru", "Bang & Olufsen", "Банг энд Олуфсен"),
        ("ru", "OLED55 за 5%", "олед 55 за 5 процентов"),
        ("ru", "Zorbex", "Зорбекс"),
        ("ru", "QZX", "кью зет экс"),
        ("ru", "Sonyа", "Сониа"),
        ("uk", "Bosch і Zorbex", "Бош і Зорбекс"),
        ("uk", "Грюндік", "Грюндік"),
        ("en", "Hello, Иван Щукин!", "Hello, Ivan Shchukin!"),
        ("en", "Сергій Мар'яненко", "Sergiy Maryanenko"),
        ("en", "A Sony TV", "A Sony T V"),
        ("en", "Two Sony TVs", "Two Sony tee veez"),
        ("en", "José Łukasz Weiß", "Jose Lukasz Weiss"),
        ("ru", "Łukasz", "Лукасз"),
        ("ru", "Андрій Їжак, Євген Ґудзь, м'ята", "Андрий Йижак, Евген Гудзь, мъята"),
        ("ru", "О'Коннор", "О'Коннор"),
        ("ru", unicodedata.normalize("NFD", "Сергей Ёлкин"), "Сергей Ёлкин"),
        ("uk", "девʼять, дев’ять, дев'ять", "дев'ять, дев'ять, дев'ять"),
        ("uk", "Чёрный Пётр, Эдуард Ёлкин", "Чорний Пьотр, Едуард Йолкин"),
    ],
)
def test_spoken(language: str, written: str, spoken: str) -> None:
    assert load_pronunciation(language, SHIPPED).spoken(written) == spoken


@pytest.mark.parametrize(
    ("language", "text", "strange"),
    [
        ("ru", "Иван Łukasz Їжак, O'Neil", ""),
        ("uk", "Олена Чёрная, José", ""),
        ("en", "Иван Łukasz", ""),
        ("ru", "王小明", "王小明"),
        ("uk", "علي и Иван", "علي"),
        ("en", "Γιώργος", "γιώρος"),
    ],
)
def test_letters_that_no_voice_of_the_language_knows(language: str, text: str, strange: str) -> None:
    assert load_pronunciation(language, SHIPPED).unsayable(text) == strange


def test_the_dictionary_of_a_site_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "ru.yaml").write_text("sony: Сонька\nZorbex: Зорбэкс\n", "utf-8")
    pronunciation = load_pronunciation("ru", SHIPPED, tmp_path)
    assert pronunciation.spoken("Sony Zorbex LG") == "Сонька Зорбэкс эл джи"
    assert pronunciation.unknown("Sony Zorbex Quux") == ["Quux"]


@pytest.mark.parametrize("text", ["- Sony", "Sony: [Сони]", "yes: да", "a: 'b", "55: много"])
def test_a_file_that_is_no_dictionary_is_a_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "ru.yaml").write_text(text, "utf-8")
    with pytest.raises(AuthorError) as caught:
        load_pronunciation("ru", tmp_path)
    assert caught.value.faults[0].where == tmp_path / "ru.yaml"


def test_every_shipped_dictionary_speaks_its_own_letters_only() -> None:
    for language in ("ru", "uk", "en"):
        pronunciation = load_pronunciation(language, SHIPPED)
        for said in pronunciation.words.values():
            assert pronunciation.spoken(said).lower() == said.lower()
