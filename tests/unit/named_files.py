"""Every reader of a file that the user names, for the tests that give them what they do not expect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from faults import AuthorError, Fault
from ivr.flow.load import check_flow_file
from ivr.lab.subscribers import load_subscribers
from ivr.settings_files import load_site
from people.contacts import open_contacts
from people.do_not_call import import_file
from prompts.pronunciation import load_pronunciation
from prompts.recordings import Recordings
from prompts.sentences import SHIPPED, load_sentences

SENTENCES = load_sentences(SHIPPED)

#: Takes the path of a file; gives its faults, or raises AuthorError with them.
Reader = Callable[[Path], list[Fault]]


def flow(path: Path) -> list[Fault]:
    return check_flow_file(path, SENTENCES, ("operator",))[1]


def texts(path: Path) -> list[Fault]:
    load_sentences(path.parent)
    return []


def dictionary(path: Path) -> list[Fault]:
    load_pronunciation("ru", path.parent).spoken("Слово и word.")
    return []


def site(path: Path) -> list[Fault]:
    for name in ("ivr.toml", "secrets.toml"):
        if path.name != name and not (path.parent / name).exists():
            (path.parent / name).write_text("", "utf-8")
    load_site(path.parent)
    return []


def contacts(path: Path) -> list[Fault]:
    list(open_contacts(path, region="RU", language="ru").rows())
    return []


def subscribers(path: Path) -> list[Fault]:
    load_subscribers(path)
    return []


def do_not_call(path: Path) -> list[Fault]:
    # The file is read before the database is asked.
    asyncio.run(import_file(None, path, region="RU", now_ms=0))  # type: ignore[arg-type]
    return []


def recording(path: Path) -> list[Fault]:
    return Recordings(path.parents[1]).faults()


READERS: dict[str, tuple[Reader, str]] = {
    "flow": (flow, "flow.yaml"),
    "texts": (texts, "ru.yaml"),
    "dictionary": (dictionary, "ru.yaml"),
    "settings": (site, "ivr.toml"),
    "secrets": (site, "secrets.toml"),
    "contacts": (contacts, "people.csv"),
    "subscribers": (subscribers, "subscribers.csv"),
    "do_not_call": (do_not_call, "list.txt"),
    "recording": (recording, "ru/bye.wav"),
}
YAML = ("flow", "texts", "dictionary")


def faults(kind: str, path: Path) -> list[Fault]:
    try:
        return READERS[kind][0](path)
    except AuthorError as error:
        return list(error.faults)


def place(kind: str, folder: Path) -> Path:
    path = folder / READERS[kind][1]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
