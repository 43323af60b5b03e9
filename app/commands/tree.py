"""Which commands there are, and where each is: a module is imported when its command is used, not before.

What a command says of itself stands here a second time, for the list of all; a test holds the two together.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Place:
    module: str
    #: A function, or the Typer of a group of commands.
    name: str
    about: str


COMMANDS: Mapping[str, Place] = {
    "init": Place(
        "app.commands.site",
        "init",
        "Make a site: settings, generated secrets, flows and a place for texts and recordings.",
    ),
    "up": Place(
        "app.commands.up",
        "up",
        "Take calls and dial campaigns until Ctrl-C; calls in progress may then finish. Ctrl-C again ends them.",
    ),
    "doctor": Place(
        "app.commands.site",
        "doctor",
        "Say what keeps this site from working, and how to mend it. Exit status 1 when something does.",
    ),
    "report": Place(
        "app.commands.report",
        "report",
        "Show what a campaign achieved: how many were reached, listened to the end, asked a question.",
    ),
    "calls": Place(
        "app.commands.report",
        "calls",
        "Show what happened on each call: what was heard and for how long, which keys, who hung up.",
    ),
    "demo": Place(
        "app.commands.demo",
        "demo",
        "Show the main job: hotline calls, a promo campaign, its report, all checked against the operator's own "
        "record.",
    ),
    "store": Place(
        "app.commands.store",
        "app",
        "The site's database: make its tables, bring them up to date, change over to another.",
    ),
    "flow": Place("app.commands.flow", "app", "Call flows: check them, draw them, walk them in the terminal."),
    "prompt": Place("app.commands.prompt", "app", "What callers hear: read, say, render and check texts."),
    "campaign": Place("app.commands.campaign", "app", "Promo campaigns: make, start, pause, resume, stop."),
    "gateway": Place(
        "app.commands.gateway",
        "app",
        "Engines that share a database: who dials, and what to do about a machine that is gone.",
    ),
    "trunk": Place(
        "app.commands.trunk",
        "app",
        "SIP peers that carry the calls: list, add, change and remove them while the site runs.",
    ),
    "number": Place("app.commands.number", "app", "Dialled numbers: which flow of which tenant answers each."),
    "tenant": Place("app.commands.tenant", "app", "Retailers that share a database: add, list, limit and close them."),
    "backup": Place(
        "app.commands.copies",
        "backup",
        "Copy the site while it runs: database, settings, flows, texts, recordings and audio, in one file.",
    ),
    "restore": Place(
        "app.commands.copies",
        "restore",
        "Put a copy back, into a new folder or over a site that is down. Campaigns then wait until a person resumes "
        "them.",
    ),
    "retention": Place(
        "app.commands.retention",
        "retention",
        "Show what the rules under [retention] in ivr.toml would remove, or remove it. Without rules all is kept.",
    ),
    "asterisk": Place("app.commands.asterisk", "app", "The Asterisk beside the engine: install, show, log."),
    "lab": Place("app.commands.lab", "app", "A second Asterisk that plays the mobile operator."),
}


class Commands(TyperGroup):
    """The commands of COMMANDS, in that order."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=place.about)
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name, place)
        return self.commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _load(name: str, place: Place) -> Any:
    found: Any = getattr(importlib.import_module(place.module), place.name)
    if isinstance(found, typer.Typer):
        command = typer.main.get_group(found)
        command.name, command.help = name, place.about
        return command
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)
