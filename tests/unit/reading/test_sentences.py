"""Every sentence of the lists reads word for word as an educated speaker says it.

A list gives one reading or, where several are right, all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
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


@lru_cache
def sentences(path: Path) -> list[Sentence]:
    language = path.stem.rpartition("_")[2]
    rows = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe one
    return [
        Sentence(
            language, row["text"], row["vars"], (right,) if isinstance(right := row["read"], str) else tuple(right)
        )
        for row in rows
    ]


#: Collecting, which each process does, only counts what there is to read.
LISTS = {path: len(re.findall("^- ", path.read_text("utf-8"), re.M)) for path in sorted(HERE.glob("*.yaml"))}


def words(text: str) -> list[str]:
    """The words, whatever their case, punctuation, hyphens, and ё or е."""
    plain = text.lower().replace("ё", "е").replace("-", " ").replace("'", "").replace("’", "")
    return re.findall(r"[^\W_]+", plain)


@pytest.mark.parametrize(
    ("path", "at"),
    [
        pytest.param(path, at, id=f"{path.stem}-{at}")
        for path, count in LISTS.items()
        for at in range(0, count, AT_ONCE)
    ],
)
def test_reads_as_spoken(path: Path, at: int) -> None:
    assert len(sentences(path)) == LISTS[path]
    wrong = []
    for each in sentences(path)[at : at + AT_ONCE]:
        said = read(each.language, each.text, each.values)
        if words(said) not in map(words, each.readings) or re.search(r"[\d$€₽₴%°№#/&@+]", said):
            wrong.append(f"{each.text!r} with {each.values}\n   is read {said!r}\n   and not {each.readings}")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_lists_are_long_enough_to_mean_something(language: str) -> None:
    assert sum(count for path, count in LISTS.items() if path.stem.endswith(language)) >= 250
