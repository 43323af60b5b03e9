"""Every sentence of the lists reads word for word as an educated speaker says it.

A list gives one reading or, where several are right, all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from prompts.reading import LANGUAGE_CODES, read

HERE = Path(__file__).parent
#: libyaml's, where PyYAML was built with it: the lists are long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: So many sentences are a test: to run one takes pytest ten times as long as to read a sentence.
AT_ONCE = 100


@dataclass(frozen=True)
class Sentence:
    language: str
    text: str
    values: dict[str, str]
    #: What is right.
    readings: tuple[str, ...]


def sentences(path: Path) -> list[Sentence]:
    language = path.stem.rpartition("_")[2]
    rows = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe one
    return [
        Sentence(
            language, row["text"], row["vars"], (right,) if isinstance(right := row["read"], str) else tuple(right)
        )
        for row in rows
    ]


LISTS = {path: sentences(path) for path in sorted(HERE.glob("*.yaml"))}


def words(text: str) -> list[str]:
    """The words, whatever their case, punctuation, hyphens, and ё or е."""
    plain = text.lower().replace("ё", "е").replace("-", " ").replace("'", "").replace("’", "")
    return re.findall(r"[^\W_]+", plain)


@pytest.mark.parametrize(
    "some",
    [
        pytest.param(listed[at : at + AT_ONCE], id=f"{path.stem}-{at}")
        for path, listed in LISTS.items()
        for at in range(0, len(listed), AT_ONCE)
    ],
)
def test_reads_as_spoken(some: list[Sentence]) -> None:
    wrong = []
    for each in some:
        said = read(each.language, each.text, each.values)
        if words(said) not in map(words, each.readings) or re.search(r"[\d$€₽₴%°№#/&@+]", said):
            wrong.append(f"{each.text!r} with {each.values}\n   is read {said!r}\n   and not {each.readings}")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_lists_are_long_enough_to_mean_something(language: str) -> None:
    assert sum(each.language == language for listed in LISTS.values() for each in listed) >= 250
