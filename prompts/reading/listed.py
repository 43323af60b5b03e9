"""Tables of words are written as text with blanks between."""

from __future__ import annotations


def listed(words: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(words.split())
