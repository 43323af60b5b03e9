"""`ivr lab …`"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.table import Table

from app.commands.console import plain_console, put
from faults import AuthorError, Fault
from ivr.asterisk.program import find
from ivr.asterisk.running import Home, adopt
from ivr.lab import subscribers as subscribers_file
from ivr.lab.lab import Lab
from ivr.lab.operator import lab_folder, operator_of
from ivr.lab.subscribers import load_subscribers
from ivr.lab.truth import LabCall, Truth, load_truth
from ivr.settings_files import load_site

app = typer.Typer(no_args_is_help=True)

_site_option = typer.Option(Path(), "--site", help="The site whose operator the lab plays.")


@app.command()
def up(
    site: Path = _site_option,
    subscribers: Path = typer.Option(..., help="CSV of numbers and what each does; see: ivr lab behaviours."),
    sip_port: int = typer.Option(0, help="Where the lab takes calls.", show_default="the site's trunk.port"),
    rtp: str = typer.Option("14000-15999", help="UDP ports of the lab's audio."),
    background: bool = typer.Option(False, "--background", help="Return at once; the lab runs until `ivr lab down`."),
) -> None:
    """Start the operator's Asterisk; shoppers in the file begin to call. Its record begins afresh."""
    lab = operator_of(load_site(site), load_subscribers(subscribers), rtp=_ports(rtp), sip_port=sip_port)
    asyncio.run(_up(lab, background))


@app.command()
def down(site: Path = _site_option) -> None:
    """End a lab that runs in the background."""
    home = Home(folder=lab_folder(load_site(site)))
    running = adopt(home, find())
    if running is None:
        put("No lab runs for this site.")
    else:
        asyncio.run(running.stop())
        put("The lab is down.")


@app.command()
def calls(site: Path = _site_option) -> None:
    """Show what the network saw: every call since the lab's start."""
    loaded = load_site(site)
    _show(load_truth(lab_folder(loaded)), ZoneInfo(loaded.settings.timezone))


@app.command()
def behaviours() -> None:
    """Explain the subscribers file."""
    put(subscribers_file.__doc__)


def _ports(text: str) -> tuple[int, int]:
    try:
        first, last = map(int, text.split("-"))
    except ValueError:
        first = last = 0
    if not 1024 <= first < last - 2 <= 65533:
        mend = "Write the first and the last port, such as 14000-15999."
        raise AuthorError(Fault(what=f"{text!r} is no range of ports.", where="--rtp", mend=mend))
    return first, last


async def _up(lab: Lab, background: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await lab.start()
    put(f"The lab takes calls for {len(lab.subscribers)} subscribers on {lab.host}:{lab.sip_port}.")
    if background:
        lab.schedule_calls()
        return
    placing = asyncio.create_task(lab.place_calls())
    ended = {asyncio.create_task(stop.wait()), asyncio.create_task(lab.wait())}
    _, waiting = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    for task in (placing, *waiting):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await lab.stop()


def _show(truth: Truth, timezone: ZoneInfo) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("began", "number", "behaviour", "outcome", "heard s", "ended by"):
        table.add_column(column, no_wrap=True)
    table.add_column("keys")
    for call in truth.calls:
        table.add_row(*_cells(call, timezone))
    console = plain_console()
    console.print(table)
    if truth.in_progress:
        console.print(f"{truth.in_progress} more in progress.")


def _cells(call: LabCall, timezone: ZoneInfo) -> tuple[str, ...]:
    began = datetime.fromtimestamp(call.started_at_ms / 1000, timezone).strftime("%H:%M:%S")
    keys = " ".join(f"{sent.key}@{sent.at_ms / 1000:.2f}" for sent in call.keys)
    heard = f"{call.heard_ms / 1000:.2f}"
    return began, call.number, call.behaviour, call.outcome, heard, call.ended_by, keys
