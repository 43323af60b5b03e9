"""Speech engines for tests: fetched once into the shared cache, as a user's would be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prompts.engines.choice import engines
from prompts.library import Library, Speech
from prompts.workers import Workers

TEXTS = {
    "ru": """
hello: {text: "Здравствуйте, {name:name}!", fallback: Здравствуйте!}
offer: {text: "Он стоит {price:money} до {until:date}.", fallback: Цену подскажут в магазине.}
plain: Спасибо за звонок.
""",
    "uk": """
hello: {text: "Вітаємо, {name:name}!", fallback: Вітаємо!}
offer: {text: "Він коштує {price:money} до {until:date}.", fallback: Ціну підкажуть у магазині.}
plain: Дякуємо за дзвінок.
""",
    "en": """
hello: {text: "Hello, {name:name}!", fallback: Hello!}
offer: {text: "It costs {price:money} until {until:date}.", fallback: Ask for its price in the shop.}
plain: Thank you for calling.
""",
}


@pytest.fixture(scope="session")
def speech() -> None:
    """The off-line engines are here."""
    for name in ("rhvoice", "espeak"):
        engines()[name].install(lambda _what, _percent: None)


@pytest.fixture(scope="session")
def shared_workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    for language, text in TEXTS.items():
        (tmp_path / "texts" / f"{language}.yaml").write_text(text, "utf-8")
    return tmp_path


@pytest.fixture
def library(site: Path, speech: None, shared_workers: Workers) -> Iterator[Library]:
    """Three sentences in three languages, spoken by the default off-line voices; nothing is made yet."""
    opened = open_library(site, shared_workers)
    yield opened
    opened.close()


def open_library(site: Path, workers: Workers | None = None) -> Library:
    asked = dict.fromkeys(TEXTS, "rhvoice")
    return Library(
        folder=site / "audio",
        texts=[site / "texts"],
        recordings=site / "recordings",
        speech=Speech(engine=asked),
        workers=workers,
    )
