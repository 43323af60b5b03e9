"""What commands print on. What comes from outside (names of files, titles, cells, logs) can't steer the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

#: Control characters but for line end and tab, and those that turn the direction of writing.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """`text` with every character that would steer a terminal written out: ESC as `\\x1b`."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class PlainConsole(Console):
    """Styles are ours; texts are shown as `visible` has them."""

    def render_str(self, text: str, **how: Any) -> Text:
        # Before it is measured, so that it has the room it takes.
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def plain_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that changes nothing in what it is given but its markup.

    It makes no emoji of `:100:` in "ivr.toml:100: ..." and colours no number. `soft_wrap` leaves
    long lines to the terminal.
    """
    return PlainConsole(highlight=False, emoji=False, stderr=stderr, soft_wrap=soft_wrap)


def put(text: str, **how: Any) -> None:
    """Print `text` as it stands, without markup and wrapping."""
    typer.echo(visible(text), **how)
