"""Match what was typed against the keys that are asked for. Pure; knows no clock, silence is told to it."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, auto

#: The keys of a telephone keypad.
KEYPAD = "0123456789*#"


class Match(Enum):
    #: More digits may follow: wait for them.
    INCOMPLETE = auto()
    COMPLETE = auto()
    INVALID = auto()


def match_key(keys: Collection[str], typed: str, *, silent: bool = False) -> Match:
    """What `typed` means to a menu with `keys`.

    A key that also begins a longer key ("1" beside "12") is incomplete until the caller falls silent.
    """
    if not silent and any(key != typed and key.startswith(typed) for key in keys):
        return Match.INCOMPLETE
    return Match.COMPLETE if typed in keys else Match.INVALID


def match_digits(
    typed: str, *, min_digits: int, max_digits: int, terminator: str | None, silent: bool = False
) -> tuple[Match, str]:
    """What `typed` means to a gather, and the digits in it without the terminator.

    Silence completes what is long enough. Any key that is neither a digit nor the terminator is invalid.
    """
    ended = terminator is not None and typed.endswith(terminator)
    digits = typed[:-1] if ended else typed
    if digits and not (digits.isascii() and digits.isdigit()):
        return Match.INVALID, digits
    if ended or silent or len(digits) >= max_digits:
        return (Match.COMPLETE if min_digits <= len(digits) <= max_digits else Match.INVALID), digits
    return Match.INCOMPLETE, digits
