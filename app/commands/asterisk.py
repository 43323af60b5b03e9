"""`ivr asterisk …`: fetch the Asterisk beside the engine, look at it, talk to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

import debroot
from app.commands.console import plain_console, put
from app.commands.options import SiteFolder
from faults import Fault, MachineError
from ivr.asterisk import conf, program, running
from ivr.asterisk.program import Program
from ivr.settings import Site
from ivr.settings_files import load_site

app = typer.Typer(no_args_is_help=True)

_ANSWER_S = 5.0
_STAGES = {"index": "Reading the package index", "download": "Downloading", "unpack": "Unpacking"}


@contextmanager
def install_progress(console: Console) -> Iterator[debroot.Reporter]:
    """A bar on the terminal, and what moves it."""
    columns = (TextColumn("{task.description:26}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def report(progress: debroot.Progress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bar.add_task(_STAGES[progress.stage], total=100)
            bar.update(tasks[progress.stage], completed=progress.percent)

        yield report


@app.command()
def install() -> None:
    """Fetch a current Asterisk from Debian, without root; an interrupted download goes on where it stopped."""
    console = plain_console()
    present = program.embedded_program()
    if present is None:
        with install_progress(console) as report:
            present = program.install(report)
    console.print(f"Asterisk {present.version} is in {program.root_folder()}.", highlight=False)


@app.command()
def status(site: SiteFolder = Path()) -> None:
    """Whether this site's Asterisk runs, which one it is, and its calls. Exit status 1 when it does not run."""
    loaded = load_site(site)
    if not asyncio.run(_status(loaded)):
        raise typer.Exit(1)


async def _status(site: Site) -> bool:
    console = plain_console()
    home = conf.site_home(site)
    found = site_program(site)
    present = running.adopt(home, found)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("Asterisk", f"{found.version} ({found.kind})")
    if present is None:
        table.add_row("state", "[red]not running[/red]; it starts with: ivr up")
    elif not await present.answers(_ANSWER_S):
        table.add_row("state", f"[red]does not answer[/red], process {present.pid}; ivr up ends it and starts another")
    else:
        lines = (await present.command("core show channels count")).splitlines()
        uptime = (await present.command("core show uptime")).splitlines()
        table.add_row("state", f"[green]running[/green], process {present.pid}")
        table.add_row("up for", uptime[0].rpartition(": ")[2] if uptime else "?")
        table.add_row("calls", next((line.split()[0] for line in lines if "active call" in line), "?"))
    settings = site.settings.asterisk
    table.add_row("SIP", f"{settings.sip_host}:{settings.sip_port}/udp, RTP {settings.rtp_start}-{settings.rtp_end}")
    table.add_row("AMI", f"{settings.ami_host}:{settings.ami_port}")
    table.add_row("folder", str(home.folder))
    console.print(table, highlight=False)
    return present is not None


@app.command()
def log(
    site: SiteFolder = Path(),
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 40,
    errors: Annotated[bool, typer.Option("--errors", "-e", help="Only warnings and errors.")] = False,
) -> None:
    """The last lines of Asterisk's log."""
    home = conf.site_home(load_site(site))
    if not home.messages.exists():
        raise MachineError(Fault(what="Asterisk has not logged yet.", where=home.messages, mend="Start it: ivr up."))
    if errors:
        last = running.errors_in(home.messages)[-lines:]
    else:
        with home.messages.open(encoding="utf-8", errors="replace") as text:
            last = [line.rstrip("\n") for line in deque(text, maxlen=lines)]
    for line in last:
        put(line)


@app.command()
def render(
    site: SiteFolder = Path(),
    into: Annotated[Path | None, typer.Option("--into", help="A folder instead of the site's own.")] = None,
) -> None:
    """Write the configuration of this site's Asterisk, to read or to use with an Asterisk of your own."""
    loaded = load_site(site)
    home = conf.site_home(loaded)
    mode = loaded.settings.asterisk.mode
    files = conf.site_files(loaded, program.find("auto" if mode == "external" else mode))
    if into is not None:
        running.write_files(into, files)
    elif running.running_pid(home) is None:
        running.write_configuration(home, files)
    else:
        # What it runs with must stay what `ivr up` compares with.
        what = "This site's Asterisk is running with the configuration that is there."
        raise MachineError(Fault(what=what, where=home.etc, mend="Give another folder with --into, or stop it first."))
    put(f"{len(files)} files in {into or home.etc}")


@app.command()
def console(
    line: Annotated[str, typer.Option("--execute", "-x", help='Such as "core show channels".')],
    site: SiteFolder = Path(),
) -> None:
    """Run a command on Asterisk's console and show its answer."""
    loaded = load_site(site)
    home = conf.site_home(loaded)
    if running.running_pid(home) is None:
        raise MachineError(Fault(what="This site's Asterisk is not running.", mend="Start it: ivr up."))
    put(asyncio.run(running.console(home, site_program(loaded), line)).rstrip("\n"))


@app.command()
def stop(
    site: SiteFolder = Path(),
    grace: Annotated[
        float, typer.Option("--grace", min=0, help="Seconds that calls may go on; new ones are refused.")
    ] = 0,
) -> None:
    """Stop this site's Asterisk, such as one that a killed engine left behind."""
    loaded = load_site(site)
    present = running.adopt(conf.site_home(loaded), site_program(loaded))
    if present is None:
        put("It is not running.")
    else:
        asyncio.run(present.stop(grace_s=grace))
        put(f"Asterisk (process {present.pid}) has ended.")


def site_program(site: Site) -> Program:
    """The Asterisk that this site runs with. Raises MachineError when there is none, or somebody else starts it."""
    mode = site.settings.asterisk.mode
    if mode == "external":
        what = 'asterisk.mode is "external": somebody else starts it.'
        raise MachineError(Fault(what=what, where=site.folder / "ivr.toml", mend="Look at it with its own tools."))
    return program.find(mode)
