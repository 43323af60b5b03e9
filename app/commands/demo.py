"""`ivr demo`: show the main job from end to end, every figure held against the operator's record."""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import debroot
from app.commands.asterisk import install_progress
from app.commands.bars import print_rendered, speech_bar
from app.commands.console import plain_console
from app.commands.logs import log_to
from app.commands.serving import Terminal, TerminalReporter
from app.demo.comparison import Line
from app.demo.run import Onlooker, Result, run
from app.demo.site import make_site
from app.service.running import site_running
from ivr.settings import Site
from outbound.clock import Clock
from outbound.following import Standing
from people.store import postgres
from people.store.roles import set_up
from prompts.render import RenderReport, Told
from reports.page import render_html
from reports.terminal import render_terminal


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the demo's site is made, anew each time.")
    ] = Path("demo-site"),
    on_postgres: Annotated[
        bool, typer.Option("--postgres", help="On a PostgreSQL that is started for the demo, instead of SQLite.")
    ] = False,
) -> None:
    """Show the main job: hotline calls, a promo campaign, its report, all checked against the operator's own record.

    Exit status 1 when any figure differs. Nothing is left running.
    """
    console = plain_console(soft_wrap=True)
    began = time.monotonic()
    with _database(console) if on_postgres else nullcontext("") as database:
        site = make_site(folder, database=database)
        log_to(site.var / "ivr.log")
        running = functools.partial(site_running, reporter=TerminalReporter(Terminal(console)))
        result = uvloop.run(run(site, running, _Terminal(console), clock=Clock()))
        _show(result, site, console)
    if not on_postgres:
        console.print(f"What happened on each call: ivr calls --site {escape(str(site.folder))}")
    if result.differences:
        console.print(f"[red]{result.differences} of {result.facts} facts differ.[/red]")
        raise typer.Exit(1)
    console.print(f"[green]All {result.facts} facts agree[/green]; it took {time.monotonic() - began:.0f} s.")


@contextmanager
def _database(console: Console) -> Iterator[str]:
    """The URL of a database of the demo's own in PostgreSQL, which is gone after the block."""
    console.rule("Starting a PostgreSQL, without root")
    program = postgres.system_program()
    if program is None:
        with install_progress(console) as report:
            program = postgres.fetched_program(report)
    with postgres.running(program) as cluster:
        yield asyncio.run(set_up(cluster.url(), database="ivr", password=secrets.token_urlsafe(24)))


class _Terminal(Onlooker):
    def __init__(self, console: Console) -> None:
        self._console = console

    def stage(self, title: str) -> None:
        self._console.rule(title)

    def said(self, text: str) -> None:
        self._console.print(text, markup=False)

    @contextmanager
    def installing(self) -> Iterator[debroot.Reporter | None]:
        with install_progress(self._console) as report:
            yield report

    @contextmanager
    def rendering(self) -> Iterator[Told]:
        with speech_bar(self._console) as told:
            yield told

    def rendered(self, report: RenderReport) -> None:
        print_rendered(report, self._console)

    @contextmanager
    def dialling(self) -> Iterator[Callable[[Standing, int], None]]:
        with self._console.status("dialling ...") as status:
            yield lambda standing, calls: status.update(_line(standing, calls))


def _line(standing: Standing, calls: int) -> str:
    progress = standing.progress
    return (
        f"{progress.waiting} waiting, {progress.dialling} being called, {progress.done} done; "
        f"{calls} calls with the engine"
    )


def _show(result: Result, site: Site, console: Console) -> None:
    """The report, also as a page, and every fact as both sides have it."""
    console.rule("The report")
    page = site.folder / "report.html"
    language, title = site.settings.language, site.settings.title
    page.write_text(render_html(result.report, language=language, title=title), "utf-8")
    console.print(render_terminal(result.report, language=language, title=title))
    console.rule("The operator's record against the engine's, line by line")
    console.print(_table(result.lines))
    console.print(f"\nThe report as a web page: {escape(str(page))}")


def _table(lines: Mapping[str, Sequence[Line]]) -> Table:
    table = Table("who", "what", "the operator", "the engine", "", box=None, pad_edge=False)
    for who, facts in lines.items():
        for n, fact in enumerate(facts):
            mark = "[green]=[/green]" if fact.agree else "[red]differs[/red]"
            table.add_row("" if n else who, fact.what, fact.operator, fact.engine, mark)
    return table
