"""Bars on the terminal while speech is fetched and made, and what it came to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from prompts.engines.choice import engines
from prompts.library import Library
from prompts.render import RenderReport, Spoken, Told, provide_and_render


@contextmanager
def speech_bar(console: Console, what: str = "Speech engines") -> Iterator[Told]:
    """A bar that shows `what`, then what is told; at the end it is gone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield Told(
            fetching=lambda what, percent: bar.update(task, description=what, completed=percent, total=100),
            made=lambda done, of: bar.update(task, description="Rendering", completed=done, total=of),
        )


def render_with_bar(library: Library, wanted: Iterable[Spoken], pin: str, console: Console) -> RenderReport:
    """Make what is missing, with a bar, and say what it came to."""
    with speech_bar(console) as told:
        report = provide_and_render(library, wanted, pin=pin, told=told)
    print_rendered(report, console)
    return report


def print_rendered(report: RenderReport, console: Console) -> None:
    for language, who in report.speakers.items():
        if who is not None:
            console.print(f"{language}: {engines()[who.engine].title}, voice {who.voice}")
    console.print(
        f"{report.distinct} fragments: {report.made} made, {report.cached} were there, {len(report.failed)} failed; "
        f"{report.seconds:.1f} s."
    )
    for failed in report.failed:
        console.print(f"[red]failed:[/red] {failed.language}: {escape(failed.words)}: {escape(failed.why)}")
