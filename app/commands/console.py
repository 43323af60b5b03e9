"""What commands print on. What comes from outside (names of files, titles, cells, logs) can't steer the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from faults import STEERING, visible


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


def put_json(text: str) -> None:
    """Print JSON, which ends with its own line end. Its strings mean what they meant."""
    typer.echo(STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text), nl=False)
