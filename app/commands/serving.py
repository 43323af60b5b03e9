"""The engine of `ivr up`: run a site until told to stop. Prints, and hands signals on; what runs is app.service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop
from rich.console import Console
from rich.markup import escape

import debroot
from app.commands.asterisk import install_progress
from app.commands.bars import render_with_bar
from app.commands.console import plain_console
from app.commands.logs import log_to
from app.service import parent
from app.service.reporter import Reporter
from app.service.running import site_running
from faults import Fault
from ivr.settings import Site
from ivr.settings_files import load_site
from prompts.library import Library
from prompts.render import Spoken

_STOPPED_EARLY = 130


def serve(folder: Path) -> int:
    """Run the site in `folder` until it is told to stop; the exit status."""
    site = load_site(folder)
    log_to(site.var / "ivr.log")
    return uvloop.run(_up(site, Terminal(plain_console(soft_wrap=True))))


class Terminal:
    """Where it prints, as long as somebody is there: a closed terminal must not cost the calls their end."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        try:
            self.console.print(text)
        # rich makes an exit of a broken pipe.
        except (OSError, SystemExit):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with contextlib.suppress(OSError):
                os.dup2(nowhere, 1)
            os.close(nowhere)
            self.console.quiet = True


class TerminalReporter(Reporter):
    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def warning(self, fault: Fault) -> None:
        self._terminal.say(f"[yellow]warning:[/yellow] {escape(str(fault))}")

    def left_out(self, fault: Fault) -> None:
        self._terminal.say(f"[yellow]left out:[/yellow] {escape(str(fault))}")

    def render(self, library: Library, wanted: Iterator[Spoken], pin: str) -> None:
        render_with_bar(library, wanted, pin, self._terminal.console)

    @contextlib.contextmanager
    def installing(self) -> Iterator[debroot.Reporter | None]:
        with install_progress(self._terminal.console) as report:
            yield report


class Signals:
    """What the process is told from outside. Ctrl-C, SIGTERM and a closed terminal are alike."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        #: Called instead of `stop`, while the site comes up.
        self.interrupt: Callable[[], object] | None = None
        self.stop, self.now = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGTSTP, self._no_pause)
        # A process in the background that prints must not stand still for it.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        parent.hear()

    def _stop(self, number: signal.Signals) -> None:
        if self.interrupt is not None:
            self.interrupt()
        elif not self.stop.is_set():
            self.stop.set()
        elif number is signal.SIGINT:
            # A closed terminal or a shutting-down machine may send its signal several times, and is in no hurry.
            self.now.set()

    def _no_pause(self) -> None:
        self._terminal.say("Ctrl-Z would freeze every caller, so nothing was done. Ctrl-C ends the site in good order.")


async def _up(site: Site, terminal: Terminal) -> int:
    """Run the site until it is stopped; the exit status."""
    signals = Signals(terminal)
    serving = asyncio.ensure_future(_serve(site, signals, terminal))
    signals.interrupt = serving.cancel
    try:
        return await serving
    except asyncio.CancelledError:
        terminal.say("Stopped before the site was up.")
        return _STOPPED_EARLY


async def _serve(site: Site, signals: Signals, terminal: Terminal) -> int:
    async with site_running(site, TerminalReporter(terminal)) as running:
        signals.interrupt = None
        settings = site.settings
        names = ", ".join(each.name for each in running.engine.tenants.all)
        terminal.say(f"Tenants served: {escape(names)}.")
        terminal.say(
            f"[green]The site is up.[/green] Calls come in on SIP {settings.asterisk.sip_host}:"
            f"{settings.asterisk.sip_port} from {settings.trunk.host}; campaigns are dialled. Ctrl-C ends it."
        )
        failed = asyncio.ensure_future(running.failed)
        stop = asyncio.ensure_future(signals.stop.wait())
        await asyncio.wait({failed, stop}, return_when=asyncio.FIRST_COMPLETED)
        status = 0
        if failed.done():
            status = parent.START_AGAIN
            terminal.say(f"[red]error:[/red] A part of the service died: {escape(failed.result())}.")
        signals.stop.set()
        seconds = settings.agi.drain_s
        terminal.say(
            f"Stopping: no new calls; the {running.engine.server.calls} in progress have {seconds:g} s to finish. "
            "Ctrl-C again ends them now."
        )
        await running.end(seconds, signals.now)
    terminal.say("The site is down.")
    return status
