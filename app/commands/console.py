"""The console that commands print on."""

from __future__ import annotations

from rich.console import Console


def plain_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that changes nothing in what it is given but its markup.

    It makes no emoji of `:100:` in "ivr.toml:100: ..." and colours no number. `soft_wrap` leaves
    long lines to the terminal.
    """
    return Console(highlight=False, emoji=False, stderr=stderr, soft_wrap=soft_wrap)
