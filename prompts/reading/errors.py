"""What can be wrong with a text or with the values given to it.

AuthorError
├── TemplateError   the sentence itself is malformed; every reading of it fails
└── ReadingError    a value is missing or can't be read; a fallback sentence may be spoken instead
    └── UnforeseenError   the reading itself has a fault, which must cost one sentence and not the call
"""

from __future__ import annotations

from faults import AuthorError, Fault


class TemplateError(AuthorError):
    """The sentence is malformed, whatever its values."""

    def __init__(self, what: str, mend: str, where: str | None = None) -> None:
        super().__init__(Fault(what=what, mend=mend, where=where))


class ReadingError(AuthorError):
    """A value is missing or can't be read as its type."""

    def __init__(self, what: str, mend: str, where: str | None = None) -> None:
        super().__init__(Fault(what=what, mend=mend, where=where))


class UnforeseenError(ReadingError):
    """The reading failed on a sentence that it should have read."""

    def __init__(self, language: str, text: str, error: Exception) -> None:
        what = f"The {language} sentence {shown(text)} can't be read: {type(error).__name__}."
        super().__init__(what, "Say it in other words, and report this sentence.")


def shown(value: str) -> str:
    """The value in quotes, cut to 40 characters, for a message."""
    return f'"{value if len(value) <= 40 else value[:39] + "…"}"'
