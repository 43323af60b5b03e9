"""Every sentence of the lists reads word for word as an educated speaker says it.

A list gives one reading or, where several are right, all of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from prompts.reading import LANGUAGE_CODES, read

HERE = Path(__file__).parent
#: libyaml's, where PyYAML was built with it: the lists are long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SENTENCES = [
    (language, row["text"], row["vars"], row["read"])
    for language in LANGUAGE_CODES
    for path in sorted(HERE.glob(f"*{language}.yaml"))
    for row in yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe one
]


def words(text: str) -> list[str]:
    """The words, whatever their case, punctuation, hyphens, and ё or е."""
    plain = text.lower().replace("ё", "е").replace("-", " ").replace("'", "").replace("’", "")
    return re.findall(r"[^\W_]+", plain)


@pytest.mark.parametrize(("language", "text", "values", "expected"), SENTENCES)
def test_reads_as_spoken(language: str, text: str, values: dict[str, str], expected: str | list[str]) -> None:
    right = [expected] if isinstance(expected, str) else expected
    said = read(language, text, values)
    assert words(said) in [words(each) for each in right]
    assert not re.search(r"[\d$€₽₴%°№#/&@+]", said)


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_lists_are_long_enough_to_mean_something(language: str) -> None:
    assert sum(each[0] == language for each in SENTENCES) >= 250
