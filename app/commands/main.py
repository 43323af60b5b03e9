"""The `ivr` command: every sub-command is registered here, and user errors are shown here."""

from __future__ import annotations

import logging
import sys

import structlog
import typer
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from app.commands import asterisk, campaign, flow, lab, prompt, report, site
from app.commands.console import plain_console
from app.commands.up import up
from app.demo.run import demo
from faults import Fault, UserError
from people.store.db import refusal

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Voice self-service for retail: a hotline that shoppers call, promo calls that they welcome, true reports.",
    epilog="[bold]To begin:[/bold] ivr init DIR, ivr doctor, ivr up; then ivr campaign create, ivr campaign start, and "
    "ivr report. [bold]To see it all at once:[/bold] ivr demo.",
)
app.command()(site.init)
app.command()(up)
app.command()(site.doctor)
app.add_typer(flow.app, name="flow", help="Call flows: check them, draw them, walk them in the terminal.")
app.add_typer(prompt.app, name="prompt", help="What callers hear: read, say, render and check texts.")
app.add_typer(campaign.app, name="campaign", help="Promo campaigns: make, start, pause, resume, stop.")
app.add_typer(asterisk.app, name="asterisk", help="The Asterisk beside the engine: install, show, log.")
app.add_typer(lab.app, name="lab", help="A second Asterisk that plays the mobile operator.")
app.command()(report.report)
app.command()(report.calls)
app.command()(demo)


def _faults(error: UserError | DBAPIError | OSError) -> tuple[Fault, ...]:
    if isinstance(error, UserError):
        return error.faults
    if isinstance(error, DBAPIError):
        return (refusal(error),)
    mend = "Check free space, rights and the path; ivr doctor looks at the site."
    return (Fault(what=f"The machine refuses: {error.strerror or error}.", where=error.filename, mend=mend),)


def main() -> None:
    """Run the command line. A user's error is shown as what, where and how to mend it, with exit status 1."""
    # What a command prints is for its reader; `ivr up` logs everything to a file besides.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        app()
    except (UserError, DBAPIError, OSError) as error:
        console = plain_console(stderr=True)
        for fault in _faults(error):
            console.print(f"[red]error:[/red] {escape(str(fault))}", markup=True, highlight=False, soft_wrap=True)
        sys.exit(1)
