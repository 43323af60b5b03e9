"""`ivr backup` and `ivr restore`: parse and print; app.copies does it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from app.commands.console import plain_console
from app.commands.options import SiteFolder
from ivr.settings_files import load_site
from outbound.clock import Clock

KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The key of an encrypted copy: a file of 16 bytes or more.")
]


def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="A new file, or the folder for one.")] = Path(),
    key: KeyFile = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="Copy secrets.toml, too.")] = False,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Copy audio that could be made again from the texts.")
    ] = True,
    site: SiteFolder = Path(),
) -> None:
    """Copy the site while it runs: database, settings, flows, texts, recordings and audio, in one file.

    The file is readable by its owner alone, and holds people's numbers: give it a key when it leaves this machine.
    """
    from app.copies.archive import read_key
    from app.copies.backup import take

    loaded, console = load_site(site), plain_console(soft_wrap=True)
    with console.status("Copying ...") as status:
        taken = asyncio.run(
            take(
                loaded,
                to,
                now_ms=Clock().now_ms(),
                key=read_key(key) if key else None,
                secrets=secrets,
                audio=audio,
                told=lambda what: status.update(f"Copying {escape(what)} ..."),
            )
        )
    console.print(f"The copy is {escape(str(taken.path))}: {taken.size / 1e6:.1f} MB.")
    console.print(f"Put it back with: ivr restore {escape(str(taken.path))} --site DIR")


def restore(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="What ivr backup has written.")],
    key: KeyFile = None,
    site: SiteFolder = Path(),
) -> None:
    """Put a copy back, into a new folder or over a site that is down. Campaigns then wait until a person resumes them.

    What is in the site's place is moved aside. Whoever asked for no more calls since is not called; the next `ivr up`
    looks who was dialled since, and dials none of them again.
    """
    from app.copies.archive import read_key
    from app.copies.restore import put_copy_back

    console = plain_console(soft_wrap=True)
    with console.status("Restoring ...") as status:
        done = asyncio.run(
            put_copy_back(
                archive,
                site,
                now_ms=Clock().now_ms(),
                key=read_key(key) if key else None,
                told=lambda what: status.update(f"Restoring {escape(what)} ..."),
            )
        )
    console.print(f"The site in {escape(str(done.folder))} is as it was when the copy was taken.")
    if done.aside is not None:
        console.print(f"What was there is in {escape(str(done.aside))}.")
    if done.opt_outs:
        console.print(f"{done.opt_outs} people who asked for no more calls since are on the do-not-call list.")
    for what in done.unread:
        console.print(f"[yellow]warning:[/yellow] Of the database that was there could not be read: {escape(what)}.")
    if done.new_secrets:
        console.print("[yellow]note:[/yellow] secrets.toml is new: write the operator's password into it.")
    console.print("Campaigns are paused until you resume them. Next: ivr up, which says who was dialled since.")
