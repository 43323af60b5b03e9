"""The languages that callers are spoken to in."""

from __future__ import annotations

from typing import Literal

Language = Literal["ru", "uk", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "uk", "en")
