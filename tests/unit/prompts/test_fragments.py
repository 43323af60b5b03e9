"""Where sentences are cut: one variable a fragment, at pauses, the words that lead to it with it."""

from __future__ import annotations

import pytest

from prompts.fragments import assembled, cuts, spoken_sentences
from prompts.reading import parse
from prompts.reading.template import Literal


def cut(language: str, text: str) -> list[str]:
    """The fragments of a text, its variables left as their names."""
    parts = [piece.text if isinstance(piece, Literal) else f"<{piece.name}>" for piece in parse(text)]
    plan = cuts(language, text)
    return [assembled(each, parts, last=index == len(plan) - 1)[0] for index, each in enumerate(plan)]


@pytest.mark.parametrize(
    ("language", "text", "fragments"),
    [
        ("ru", "Одно. Второе! Третье?", ["Одно. Второе! Третье?"]),
        ("ru", "Здравствуйте, {n:name}! Мы рады. Ждём.", ["Здравствуйте, <n>!", "Мы рады. Ждём."]),
        (
            "ru",
            "Телевизор дешевле на {d:percent} до {u:date}.",
            ["Телевизор дешевле на <d>,", "до <u>."],
        ),
        (
            "ru",
            "{p:name} дешевле на {d:percent}.",
            ["<p>,", "дешевле на <d>."],
        ),
        (
            "ru",
            "До {u:date} включительно {p:name} дешевле на {d:percent}.",
            ["До <u> включительно,", "<p>,", "дешевле на <d>."],
        ),
        (
            "ru",
            "До {u:date}, включительно, всю технику для кухни и дома мы отдаём дешевле.",
            ["До <u>, включительно,", "всю технику для кухни и дома мы отдаём дешевле."],
        ),
        (
            "ru",
            "Экран в {s:measure} для вас дешевле на {d:percent}.",
            ["Экран в <s>,", "для вас дешевле на <d>."],
        ),
        (
            "ru",
            "{n:name}, только до {u:date} в магазине {a:address} он стоит {p:money}. Ждём!",
            ["<n>,", "только до <u>,", "в магазине <a>,", "он стоит <p>.", "Ждём!"],
        ),
        (
            "ru",
            "Телевизоры — на {t:percent}, машины — на {w:percent}.",
            ["Телевизоры — на <t>,", "машины — на <w>."],
        ),
        ("ru", "Скидка {d:percent} — {p:money}.", ["Скидка <d>,", "<p>."]),
        ("uk", "Ми працюємо з {a:time} до {b:time} щодня.", ["Ми працюємо з <a> до <b> щодня."]),
        ("en", "{a:count shop} {b:name}", ["<a>,", "<b>"]),
        ("en", "Hello, {n:name}! It is {p:money} until {u:date}.", ["Hello, <n>!", "It is <p>,", "until <u>."]),
        ("en", "Write {{this}} to {n:name}", ["Write {this} to <n>"]),
        ("en", "({n:name})", ["(<n>)"]),
    ],
)
def test_cuts(language: str, text: str, fragments: list[str]) -> None:
    assert cut(language, text) == fragments


def test_long_words_before_a_pause_are_made_once_for_all_values() -> None:
    long = "Если вы давно хотели обновить домашнюю технику и ждали удобного случая, то до {u:date} у нас скидки."
    assert cut("ru", long) == [
        "Если вы давно хотели обновить домашнюю технику и ждали удобного случая,",
        "то до <u> у нас скидки.",
    ]


def test_no_fragment_has_two_variables_but_a_range_has() -> None:
    text = "С {a:date} по {b:date} и с {c:date} по {d:date} {n:name} платит {p:money} {q:percent}."
    assert [each.variables for each in cuts("ru", text)] == [("a", "b"), ("c", "d"), ("n",), ("p",), ("q",)]


def test_silence_follows_the_mark_and_none_is_made_where_there_is_none() -> None:
    text = "{n:name}, скидка {d:percent} до {u:date}. Ждём!"
    parts = [piece.text if isinstance(piece, Literal) else "слово" for piece in parse(text)]
    plan = cuts("ru", text)
    pauses = [assembled(each, parts, last=each is plan[-1])[1] for each in plan]
    assert pauses == [150, 20, 350, 350]


def test_a_preposition_that_the_reading_changed_stays_whole() -> None:
    text = "Приходите {n:name} в {d:weekday}."
    plan = cuts("ru", text)
    said = ["Приходите ", "Иван", " во ", "вторник", "."]
    assert [assembled(each, said, last=each is plan[-1])[0] for each in plan] == ["Приходите Иван,", "во вторник."]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Главное меню — девять. Оператор — ноль.", [("Главное меню — девять.", 350), ("Оператор — ноль.", 0)]),
        ("Здравствуйте! Чем помочь? Ждём…", [("Здравствуйте!", 350), ("Чем помочь?", 350), ("Ждём…", 0)]),
        ("«Привет!» Сказала она.", [("«Привет!»", 350), ("Сказала она.", 0)]),
        # A full stop that ends no sentence.
        ("Москва, ул. Мира, стр. 2. Ждём вас.", [("Москва, ул. Мира, стр. 2. Ждём вас.", 0)]),
        ("Нажмите один", [("Нажмите один", 0)]),
        ("Спасибо. …", [("Спасибо. …", 0)]),
    ],
)
def test_the_sentences_of_a_fragment_and_the_silence_after_each(text: str, sentences: list[tuple[str, int]]) -> None:
    assert spoken_sentences(text) == sentences
