"""The signs of stress: U+0301 after the vowel, which voices know, and "+" before it, which authors can type."""

from __future__ import annotations

import re
from functools import lru_cache

from prompts.reading.nouns import parses
from prompts.reading.template import STRESS

MARK = STRESS
VOWELS = "аеёиоуыэюяіїє"
_PLUS = re.compile(
    rf"(?<![\w+])([А-Яа-яЁёІіЇїЄєҐґ'’ʼ-]*)\+([{VOWELS}])([А-Яа-яЁёІіЇїЄєҐґ'’ʼ-]*)(?![\w+])", re.IGNORECASE
)


def plain(text: str) -> str:
    """The text without its marks of stress."""
    return text.replace(MARK, "")


def marked(word: str, at: int) -> str:
    """The word with the vowel of that index stressed."""
    return f"{word[: at + 1]}{MARK}{word[at + 1 :]}"


@lru_cache(maxsize=4096)
def written(language: str, text: str) -> str:
    """The text with the author's "зв+онит" as "зво́нит"; "кофе+эклер", a sum of two words, stays."""
    if "+" not in text or language == "en":
        return text

    def sign(found: re.Match[str]) -> str:
        before, vowel, after = found.groups()
        if _is_word(language, before) and _is_word(language, vowel + after) and not _is_word(language, plain_of(found)):
            return found[0]
        return f"{before}{vowel}{MARK}{after}"

    return _PLUS.sub(sign, text)


def plain_of(found: re.Match[str]) -> str:
    return "".join(found.groups())


def _is_word(language: str, word: str) -> bool:
    return len(word) > 1 and parses(language, word.lower())[0].is_known
