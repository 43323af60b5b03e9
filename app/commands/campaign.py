"""`ivr campaign …`: make, start, watch, pause, resume and stop campaigns; who is never called."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from app.commands.console import plain_console, put
from app.commands.options import SiteFolder
from app.rendering import render_campaign
from faults import AuthorError, Fault, UserError
from ivr.flow.load import check_flow_files, flow_files
from ivr.flow.model import Flow
from ivr.settings import Settings, Site, load_site
from ivr.speech import open_library
from outbound import campaigns
from outbound.campaigns import Campaign, Created, Progress, Rules
from outbound.columns import UnreadableValues, missing_columns
from outbound.plan.outcome import Outcome
from people import do_not_call
from people.contacts import open_contacts
from people.store.db import open_database
from prompts.sentences import SHIPPED, Sentences, load_sentences

app = typer.Typer(no_args_is_help=True)
do_not_call_app = typer.Typer(no_args_is_help=True)
app.add_typer(do_not_call_app, name="do-not-call", help="People who are never dialled: add, remove, list, import.")

Name = Annotated[str, typer.Argument(help="The campaign's name.")]
Watch = Annotated[bool, typer.Option("--watch", help="Stay and show how far it is; Ctrl-C leaves it running.")]

_console = plain_console(soft_wrap=True)
_T = TypeVar("_T")


class Machines(StrEnum):
    DETECT = "detect"
    OFF = "off"


@app.command()
def create(
    name: Name,
    contacts: Annotated[Path, typer.Option(metavar="FILE", help="CSV with phone, name, language and further columns.")],
    flow: Annotated[str, typer.Option(help="The call flow that people hear.")] = "promo",
    channels: Annotated[int | None, typer.Option(help="Calls at one time.")] = None,
    cps: Annotated[float | None, typer.Option(help="Calls started per second, at most.")] = None,
    ring: Annotated[int | None, typer.Option(help="Seconds that a phone rings.")] = None,
    max_attempts: Annotated[int | None, typer.Option(help="Attempts per person, the first included.")] = None,
    retry_after: Annotated[
        int | None, typer.Option(help="Seconds until a busy or silent phone is tried again.")
    ] = None,
    machines: Annotated[
        Machines | None,
        typer.Option(help="detect: tell answering machines from people; off: whoever answers hears it."),
    ] = None,
    site: SiteFolder = Path(),
) -> None:
    """Make a campaign from a contacts file. Nobody is called before `ivr campaign start`.

    What is not given comes from the outbound section of ivr.toml. Rows that can't be dialled are counted, named and
    left out.
    """
    loaded = load_site(site)
    rules = Rules.of(
        loaded.settings.outbound,
        channels=channels,
        calls_per_second=cps,
        ring_s=ring,
        max_attempts=max_attempts,
        retry_after_s=retry_after,
        machines=machines.value if machines else None,
    )
    _create(loaded, name, contacts, flow, rules)


@app.command()
def start(name: Name, watch: Watch = False, site: SiteFolder = Path()) -> None:
    """Start a campaign; the engine (`ivr up`) dials it."""
    loaded = load_site(site)
    _start(loaded, name)
    _console.print(f"{escape(name)} is running. Pause it with: ivr campaign pause {escape(name)}")
    _warn_without_engine(loaded.settings)
    if watch:
        _watch(loaded, name)


@app.command()
def pause(name: Name, site: SiteFolder = Path()) -> None:
    """Dial nobody for now; calls in progress go on to their end."""
    _change(site, name, "pause")
    _console.print(f"{escape(name)} is paused. Go on with: ivr campaign resume {escape(name)}")


@app.command()
def resume(name: Name, watch: Watch = False, site: SiteFolder = Path()) -> None:
    """Go on with a paused campaign."""
    _change(site, name, "resume")
    _console.print(f"{escape(name)} is running.")
    loaded = load_site(site)
    _warn_without_engine(loaded.settings)
    if watch:
        _watch(loaded, name)


@app.command()
def stop(name: Name, site: SiteFolder = Path()) -> None:
    """End a campaign for good; calls in progress go on to their end."""
    _change(site, name, "stop")
    _console.print(f"{escape(name)} is stopped. Its result: ivr report {escape(name)}")


@app.command()
def status(name: Name, watch: Watch = False, site: SiteFolder = Path()) -> None:
    """Show how far a campaign is."""
    loaded = load_site(site)
    if watch:
        _watch(loaded, name)
        return
    campaign, progress = _on_database(loaded, lambda engine: _look(loaded, engine, name))
    _console.print(_line(campaign, progress))
    rules = campaign.rules
    if campaign.fault is not None or rules is None:
        _console.print(f"[red]{escape(str(campaign.fault))}[/red]")
        return
    _console.print(
        f"  flow {escape(campaign.flow)} · {rules.channels} channels · {rules.calls_per_second:g} calls/s · rings"
        f" {rules.ring_s} s · {rules.max_attempts} attempts, {rules.retry_after_s} s apart · machines {rules.machines}"
    )
    for outcome in Outcome:
        if count := progress.outcomes.get(outcome.value):
            _console.print(f"  {outcome.value:<15}{count:>8}")


@app.command("list")
def list_(site: SiteFolder = Path()) -> None:
    """List the site's campaigns."""
    loaded = load_site(site)
    table = Table("name", "state", "flow", "made", box=None, pad_edge=False)
    for header in ("leads", "done", "waiting", "excluded"):
        table.add_column(header, justify="right")
    zone = ZoneInfo(loaded.settings.timezone)
    found = _on_database(loaded, lambda engine: _look_at_all(loaded, engine))
    for campaign, progress in found:
        made = datetime.fromtimestamp(campaign.created_at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
        counts = (progress.leads, progress.done, progress.waiting + progress.dialling, progress.excluded)
        state = "not understood" if campaign.fault is not None else campaign.state
        table.add_row(escape(campaign.name), state, escape(campaign.flow), made, *map(str, counts))
    _console.print(table)
    for campaign, _ in found:
        if campaign.fault is not None:
            _console.print(f"[red]{escape(str(campaign.fault))}[/red]")


# ---------------------------------------------------------------- do-not-call


@do_not_call_app.command("add")
def add_numbers(
    numbers: Annotated[list[str], typer.Argument(help="Phone numbers as people write them.")], site: SiteFolder = Path()
) -> None:
    """Never dial these numbers again, in any campaign."""
    loaded = load_site(site)
    settings = loaded.settings
    phones = [do_not_call.parse_phone(number, region=settings.region) for number in numbers]

    async def work(engine: AsyncEngine) -> int:
        return await do_not_call.add(engine, tenant=settings.tenant, phones=phones, source="command", now_ms=_now_ms())

    added = _on_database(loaded, work)
    _console.print(f"{added} added, {len(set(phones)) - added} were on the list already.")


@do_not_call_app.command("remove")
def remove_number(number: str, site: SiteFolder = Path()) -> None:
    """Allow calls to a number again: only when its owner asks for it."""
    loaded = load_site(site)
    settings = loaded.settings
    phone = do_not_call.parse_phone(number, region=settings.region)

    async def work(engine: AsyncEngine) -> bool:
        return await do_not_call.remove(engine, tenant=settings.tenant, phone=phone)

    if not _on_database(loaded, work):
        raise UserError(Fault(what=f"{phone} is not on the list.", mend="See it with: ivr campaign do-not-call list."))
    _console.print(f"{phone} may be called again.")


@do_not_call_app.command("list")
def list_numbers(site: SiteFolder = Path()) -> None:
    """Print the list, the newest first: number, since when, and how it came there."""
    loaded = load_site(site)
    settings = loaded.settings

    async def work(engine: AsyncEngine) -> list[do_not_call.Entry]:
        return await do_not_call.entries(engine, tenant=settings.tenant)

    zone = ZoneInfo(settings.timezone)
    for entry in _on_database(loaded, work):
        since = datetime.fromtimestamp(entry.since_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
        put(f"{entry.phone}  {since}  {entry.source}")


@do_not_call_app.command("import")
def import_numbers(file: Path, site: SiteFolder = Path()) -> None:
    """Add the number that begins each line of a file."""
    loaded = load_site(site)
    settings = loaded.settings

    async def work(engine: AsyncEngine) -> do_not_call.Imported:
        return await do_not_call.import_file(
            engine, file, tenant=settings.tenant, region=settings.region, now_ms=_now_ms()
        )

    imported = _on_database(loaded, work)
    _console.print(f"{imported.added} added.")
    for line, why in imported.refused[:20]:
        _console.print(f"  {escape(str(file))}:{line}: {why}")
    if len(imported.refused) > 20:
        _console.print(f"  and {len(imported.refused) - 20} more lines that are no numbers")


# ---------------------------------------------------------------- what the commands do


def _create(site: Site, name: str, contacts: Path, flow_name: str, rules: Rules) -> None:
    settings = site.settings
    sentences = load_sentences(SHIPPED, site.folder / "prompts" / "texts")
    flow = _promo_flow(site, flow_name, sentences)
    file = open_contacts(contacts, region=settings.region, language=settings.language, variables=tuple(flow.variables))
    values = UnreadableValues(flow, sentences)
    with _console.status(f"Reading {escape(contacts.name)} …") as shown:

        async def work(engine: AsyncEngine) -> Created:
            return await campaigns.create(
                engine,
                tenant=settings.tenant,
                name=name,
                flow=flow.name,
                main_message=flow.main_message or "",
                rules=rules,
                contacts=file,
                clock_ms=_now_ms,
                told=lambda rows: shown.update(f"Reading {escape(contacts.name)} … {rows} rows"),
                look=values.look,
            )

        created = _on_database(site, work)
    _console.print(f"{escape(name)}: {created.leads} people to call.")
    for reason, count in sorted(created.refused.items()):
        _console.print(f"  left out, {reason}: {count}")
    for row in created.examples:
        _console.print(f"    {escape(str(contacts))}:{row.line}: {row.reason}: {escape(row.detail)}")
    if more := sum(created.refused.values()) - len(created.examples):
        _console.print(f"    and {more} more")
    for notice in created.notices:
        _console.print(f"[yellow]note:[/yellow] {escape(notice)}")
    for variable, text, fallback in missing_columns(flow, sentences, file.variables, settings.language):
        instead = f"everybody hears: {fallback}" if fallback else "nobody hears that sentence."
        _console.print(f"[yellow]note:[/yellow] There is no column {variable}, which {text} needs; {escape(instead)}")
    for line, what in values.notes():
        _console.print(f"[yellow]note:[/yellow] {escape(f'{contacts}:{line}: {what}')}")
    if not created.leads:
        what = "Nobody in the file can be called, so the campaign was not made."
        raise UserError(Fault(what=what, where=contacts, mend="Mend the file, then make the campaign again."))
    _console.print(f"Start it with: ivr campaign start {escape(name)}")


def _promo_flow(site: Site, name: str, sentences: Sentences) -> Flow:
    folder = site.folder / "dialplans"
    flows, faults = check_flow_files(flow_files(folder), sentences, site.settings.transfers_to)
    flow = flows.get(name)
    if flow is None and faults:
        raise AuthorError(faults)
    promos = sorted(each.name for each in flows.values() if each.kind == "promo")
    if flow is None or flow.kind != "promo":
        what = f"There is no flow {name!r}." if flow is None else f"{name!r} answers callers; it is no promo flow."
        raise UserError(Fault(what=what, where=folder, mend=f"Choose one of: {', '.join(promos) or 'none yet'}."))
    return flow


def _start(site: Site, name: str) -> None:
    tenant = site.settings.tenant

    async def work(engine: AsyncEngine) -> None:
        found = await campaigns.find(engine, tenant=tenant, name=name)
        if found.state == "ready":
            with contextlib.closing(open_library(site)) as library:
                flow = _promo_flow(site, found.flow, library.sentences)
                await render_campaign(engine, library, flow, found, _console)
        await campaigns.change_state(engine, tenant=tenant, name=name, action="start", now_ms=_now_ms())

    _on_database(site, work)


def _change(folder: Path, name: str, action: campaigns.Action) -> None:
    site = load_site(folder)

    async def work(engine: AsyncEngine) -> Campaign:
        tenant = site.settings.tenant
        return await campaigns.change_state(engine, tenant=tenant, name=name, action=action, now_ms=_now_ms())

    _on_database(site, work)


async def _look(site: Site, engine: AsyncEngine, name: str) -> tuple[Campaign, Progress]:
    campaign = await campaigns.find(engine, tenant=site.settings.tenant, name=name)
    return campaign, await campaigns.count_progress(engine, campaign.id)


async def _look_at_all(site: Site, engine: AsyncEngine) -> list[tuple[Campaign, Progress]]:
    found = await campaigns.list_campaigns(engine, tenant=site.settings.tenant)
    return [(campaign, await campaigns.count_progress(engine, campaign.id)) for campaign in found]


def _watch(site: Site, name: str) -> None:
    """Show the campaign's progress until it ends; Ctrl-C only ends the watching."""

    async def work(engine: AsyncEngine) -> None:
        shown = ""
        with _console.status("") as status:
            while True:
                campaign, progress = await _look(site, engine, name)
                line = _line(campaign, progress)
                over = campaign.state in ("finished", "stopped") and not progress.dialling
                if over or (line != shown and not _console.is_terminal):
                    _console.print(line)
                if over:
                    return
                status.update(line)
                shown = line
                await asyncio.sleep(0.5)

    try:
        _on_database(site, work)
    except KeyboardInterrupt:
        _console.print(
            f"{escape(name)} goes on without us. Watch it again: ivr campaign status {escape(name)} --watch;"
            f" pause it: ivr campaign pause {escape(name)}"
        )


def _line(campaign: Campaign, progress: Progress) -> str:
    parts = [f"{progress.done} of {progress.leads} done"]
    parts += [
        f"{count} {word}"
        for word, count in (
            ("in a call or dialled", progress.dialling),
            ("waiting", progress.waiting),
            ("excluded", progress.excluded),
        )
        if count
    ]
    parts += [
        f"{progress.outcomes[outcome.value]} {outcome.value}"
        for outcome in Outcome
        if progress.outcomes.get(outcome.value)
    ]
    return f"{escape(campaign.name)} {campaign.state}: {' · '.join(parts)}"


def _warn_without_engine(settings: Settings) -> None:
    try:
        socket.create_connection((settings.agi.host, settings.agi.port), timeout=1).close()
    except OSError:
        _console.print("[yellow]note:[/yellow] The engine is not running, so nobody is called yet. Run: ivr up")


def _on_database(site: Site, work: Callable[[AsyncEngine], Awaitable[_T]]) -> _T:
    """What `work` makes of the site's database."""

    async def opened() -> _T:
        engine = await open_database(site.database_url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(opened())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
