"""The `ivr` command. User errors are shown here; the sub-commands are in app.commands.tree."""

from __future__ import annotations

import logging
import sys

import structlog
import typer

from app.commands.tree import Commands
from faults import Fault, UserError

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Voice self-service for retail: a hotline that shoppers call, promo calls that they welcome, true reports.",
    epilog="[bold]To begin:[/bold] ivr init DIR, ivr doctor, ivr up; then ivr campaign create, ivr campaign start, and "
    "ivr report. [bold]To see it all at once:[/bold] ivr demo.",
)


@app.callback()
def _commands() -> None:
    """What stands here is in app.commands.tree."""


def _faults(error: Exception) -> tuple[Fault, ...]:
    """What the user is told of `error`; none for a fault of ours."""
    if isinstance(error, UserError):
        return error.faults
    if isinstance(error, OSError):
        mend = "Check free space, rights and the path; ivr doctor looks at the site."
        return (Fault(what=f"The machine refuses: {error.strerror or error}.", where=error.filename, mend=mend),)
    if "sqlalchemy" in sys.modules:
        from sqlalchemy.exc import DBAPIError

        from people.store.db import refusal

        if isinstance(error, DBAPIError):
            return (refusal(error),)
    return ()


def main() -> None:
    """Run the command line. A user's error is shown as what, where and how to mend it, with exit status 1."""
    # What a command prints is for its reader; `ivr up` logs everything to a file besides.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        app()
    except Exception as error:
        faults = _faults(error)
        if not faults:
            raise
        from rich.markup import escape

        from app.commands.console import plain_console

        console = plain_console(stderr=True)
        for fault in faults:
            console.print(f"[red]error:[/red] {escape(str(fault))}", markup=True, highlight=False, soft_wrap=True)
        sys.exit(1)
