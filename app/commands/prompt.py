"""`ivr prompt …`: what callers hear."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import structlog
import typer
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

import debroot
from app.commands.bars import render_with_bar, speech_bar
from app.commands.console import plain_console
from app.commands.options import SiteFolder
from app.commands.read import pair, read
from faults import AuthorError, Fault, MachineError, UserError
from ivr.flow.load import flow_files, load_flows
from ivr.flow.model import Flow
from ivr.resources import resource_dir
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.speech import (
    contacts_speech,
    example_speech,
    fixed_speech,
    fragments_of,
    open_library,
    shipped_library,
)
from people.contacts import open_contacts
from prompts.check import check as check_prompts
from prompts.engines.choice import ORDER, engines, speakers
from prompts.fragments import Fragment
from prompts.languages import LANGUAGES
from prompts.library import Library
from prompts.reading import variables
from prompts.render import render_fragments

app = typer.Typer(no_args_is_help=True)
app.command()(read)


@app.callback()
def _warnings_only() -> None:
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


def _known_language(language: str) -> str:
    if language not in LANGUAGES:
        raise AuthorError(Fault(what=f"There is no language {language!r}.", mend=f"Use {', '.join(LANGUAGES)}."))
    return language


Lang = Annotated[str, typer.Option("--lang", "-l", help="ru, uk or en.")]


def _chosen(flows: Sequence[Flow], name: str) -> Flow:
    for flow in flows:
        if flow.name == name:
            return flow
    names = ", ".join(each.name for each in flows)
    raise AuthorError(Fault(what=f"There is no flow {name!r}.", mend=f"Use one of {names}."))


@contextmanager
def _open(folder: Path) -> Iterator[tuple[Library, Site | None]]:
    """The site's voice; where there is no site and none is named, the shipped texts in the default voices."""
    site = load_site(folder) if folder != Path() or (folder / "ivr.toml").exists() else None
    with closing(open_library(site) if site else shipped_library(debroot.cache_dir() / "audio")) as library:
        yield library, site


def _flows(library: Library, site: Site | None) -> Sequence[Flow]:
    """The site's flows, or the shipped ones. Raises AuthorError when they have faults."""
    folder = site.folder / "dialplans" if site else resource_dir("dialplans")
    return list(load_flows(folder, library.sentences).values()) if flow_files(folder) else []


@app.command()
def say(
    text: Annotated[str, typer.Argument(help='Key of a sentence (promo.offer), or a sentence ("{price:money}.").')],
    lang: Lang = "ru",
    var: Annotated[list[str] | None, typer.Option("--var", "-v", help="name=value; as many as needed.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a WAV file there.")] = None,
    fragments: Annotated[bool, typer.Option("--fragments", help="Print the fragments, and make no sound.")] = False,
    site: SiteFolder = Path(),
) -> None:
    """Hear a sentence as callers will."""
    console = plain_console()
    lang = _known_language(lang)
    if out is not None:
        # Before there is speech to be made.
        _format(out)
    with _open(site) as (library, _):
        spoken = fragments_of(library, lang, text, dict(pair(each) for each in var or ()))
        if not spoken:
            raise AuthorError(
                Fault(what="There are no words in it.", mend="Write a sentence, or a key of ivr prompt list.")
            )
        for fragment in spoken:
            console.print(fragment.text, markup=False, highlight=False, soft_wrap=True)
        if fragments:
            return
        with speech_bar(console) as told:
            library.provide(told.fetching)
        report = render_fragments(library, spoken)
        if report.failed:
            raise MachineError([Fault(what=f"{each.words}: {each.why}.", mend=_ENGINES) for each in report.failed])
        clips = library.found(spoken, report.speakers.get(lang)) or ()
        sln = [np.frombuffer(clip.path.with_name(f"{clip.path.name}.sln").read_bytes(), "<i2") for clip in clips]
        player = shutil.which("aplay")
        path = out or (None if player else Path("prompt.wav"))
        sound = np.concatenate(sln) if sln else np.zeros(0, np.int16)
        if path is not None:
            _write(path, sound)
            console.print(f"{path}: {len(sound) / 8000:.1f} s", highlight=False)
        elif player is not None:
            playing = [player, "-q", "-t", "raw", "-f", "S16_LE", "-r", "8000"]
            subprocess.run(playing, input=sound.tobytes(), check=False)


_ENGINES = "See: ivr prompt engines."


def _format(path: Path) -> str:
    """The sound file's format by its name. Raises AuthorError."""
    named = path.suffix.removeprefix(".").upper()
    if named not in soundfile.available_formats() or soundfile.default_subtype(named) is None:
        raise AuthorError(Fault(what="The name does not say which kind of sound file it is.", where=path, mend=_WAV))
    return named


def _write(path: Path, sound: NDArray[np.int16]) -> None:
    try:
        with path.open("wb") as file:
            soundfile.write(file, sound, 8000, format=_format(path))
    except (OSError, soundfile.SoundFileError) as error:
        what = f"The sound can't be written: {getattr(error, 'strerror', None) or error}."
        raise MachineError(Fault(what=what, where=path, mend=_WAV)) from error


_WAV = "Give --out a file that can be written and whose name ends in .wav."


@app.command()
def render(
    csv: Annotated[Path | None, typer.Option("--csv", help="A contacts file: what they will hear, too.")] = None,
    flow: Annotated[str, typer.Option(help="The flow that calls the contacts.")] = "promo",
    site: SiteFolder = Path(),
) -> None:
    """Make the audio of every sentence, and of a contacts file; only what is missing is made."""
    console = plain_console()
    with _open(site) as (library, loaded):
        flows = _flows(library, loaded)

        wanted = fixed_speech(library, flows)
        if csv is not None:
            region = loaded.settings.region if loaded else "RU"
            language = loaded.settings.language if loaded else "ru"
            contacts = open_contacts(csv, region=region, language=language)
            wanted = chain(wanted, contacts_speech(library, _chosen(flows, flow), contacts))
        report = render_with_bar(library, wanted, "hotline" if csv is None else "", console)
    if report.failed:
        raise typer.Exit(1)


@app.command()
def check(site: SiteFolder = Path()) -> None:
    """Find what is missing, silent, too quiet, clipped, too long, or can't be spoken. Exit status 1 if there is any."""
    console = plain_console()
    with _open(site) as (library, loaded):
        flows = _flows(library, loaded)
        report = check_prompts(library, list(example_speech(library, flows)))
    if report.levels is not None:
        low, high = report.levels
        console.print(
            f"{report.clips} clips, levels {low:.1f} to {high:.1f} LUFS, the longest {report.longest_s:.1f} s.",
            highlight=False,
        )
    for doubt in report.doubts:
        console.print(f"Perhaps: {doubt}", markup=False, highlight=False, soft_wrap=True)
    if report.faults:
        raise UserError(report.faults)
    console.print("[green]Nothing is wrong.[/green]")


@app.command("list")
def list_sentences(
    lang: Lang = "ru",
    site: SiteFolder = Path(),
) -> None:
    """Show every sentence with its key, what it needs, and whether its audio is there."""
    lang = _known_language(lang)
    table = Table("key", "sentence", "audio")
    with _open(site) as (library, _):
        for language, key, sentence in library.sentences:
            if language != lang:
                continue
            recorded = library.recordings.of(Fragment(language, "", 0, key)) is not None
            if variables(sentence.text):
                state = "by values"
            elif library.clips(language, key, {}):
                state = "recording" if recorded else "ready"
            else:
                state = "missing"
            table.add_row(key, escape(sentence.text), state)
            if sentence.fallback:
                table.add_row("", f"[dim]or: {escape(sentence.fallback)}[/dim]", "")
    plain_console().print(table)


@app.command("engines")
def show_engines(
    install: Annotated[str | None, typer.Option(metavar="ENGINE", help="Fetch this engine.")] = None,
) -> None:
    """Show which speech engines work here, and what the others need."""
    console = plain_console()
    if install is not None:
        if install not in engines():
            raise AuthorError(Fault(what=f"There is no engine {install!r}.", mend=f"Use {', '.join(ORDER)}."))
        with speech_bar(console, install) as told:
            engines()[install].install(told.fetching)
    table = Table("engine", "language", "voices")
    # A path that is cut short leads nowhere.
    table.add_column("here", overflow="fold")
    first = {language: found[0].engine for language in LANGUAGES if (found := speakers(language))}
    for name in ORDER:
        for language in LANGUAGES:
            why = engines()[name].away(language)
            state = "[green]auto takes this[/green]" if first.get(language) == name else "works"
            state = state if why is None else escape(why)
            voices = ", ".join(engines()[name].voices(language))
            table.add_row(engines()[name].title if language == "ru" else "", language, voices, state)
    console.print(table)
