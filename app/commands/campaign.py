"""`ivr campaign …`: make, start, watch, pause, resume and stop campaigns. Parses and prints; outbound does it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from app.commands import do_not_call
from app.commands.console import plain_console
from app.commands.database import on_database, on_scope, tenant_site
from app.commands.options import SiteFolder, TenantName
from app.copies.telling import sentence
from ivr.settings import Site
from outbound import campaigns, following
from outbound.campaigns import Rules
from outbound.clock import Clock
from outbound.following import Standing
from outbound.plan.decide import LeaveOut, WaitUntil
from outbound.plan.outcome import Outcome
from outbound.restored import RESTORED, last_restored
from outbound.trunks import trunks_in_use
from outbound.why import Why, explain
from people.do_not_call import parse_phone
from people.store.scope import Scope
from people.tenants import name_among_several

if TYPE_CHECKING:
    from outbound.launch import Made, Started

app = typer.Typer(no_args_is_help=True)
app.add_typer(do_not_call.app, name="do-not-call", help="People who are never dialled: add, remove, list, import.")

Name = Annotated[str, typer.Argument(help="The campaign's name.")]
Watch = Annotated[bool, typer.Option("--watch", help="Stay and show how far it is; Ctrl-C leaves it running.")]

_console = plain_console(soft_wrap=True)
_clock = Clock()


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
    tenant: TenantName = "",
) -> None:
    """Make a campaign from a contacts file. Nobody is called before `ivr campaign start`.

    What is not given comes from the outbound section of ivr.toml. Rows that can't be dialled are counted, named and
    left out.
    """
    loaded = tenant_site(site, tenant)
    rules = Rules.of(
        loaded.settings.outbound,
        channels=channels,
        calls_per_second=cps,
        ring_s=ring,
        max_attempts=max_attempts,
        retry_after_s=retry_after,
        machines=machines.value if machines else None,
    )
    # It reads sentences: the other commands need not wait for what that needs.
    from outbound import launch

    reading = f"Reading {escape(contacts.name)} …"
    with _console.status(reading) as shown:
        made = on_scope(
            loaded,
            lambda scope: launch.create(
                scope,
                loaded,
                name=name,
                flow=flow,
                contacts=contacts,
                rules=rules,
                clock=_clock,
                told=lambda rows: shown.update(f"{reading} {rows} rows"),
            ),
        )
    _print_made(made, name, contacts)
    _console.print(f"Start it with: ivr campaign start {escape(name)}")


@app.command()
def start(name: Name, watch: Watch = False, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Start a campaign; the engine (`ivr up`) dials it."""
    from app.commands.bars import print_rendered, speech_bar
    from outbound import launch

    loaded = tenant_site(site, tenant)

    async def work(scope: Scope) -> Started:
        with speech_bar(_console) as told:
            return await launch.start(scope, loaded, name, clock=_clock, told=told)

    started = on_scope(loaded, work)
    if started.rendered is not None:
        print_rendered(started.rendered, _console)
    _console.print(f"{escape(name)} is running. Pause it with: ivr campaign pause {escape(name)}")
    _goes_on(loaded, name, watch)


@app.command()
def pause(name: Name, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Dial nobody for now; calls in progress go on to their end."""
    _change(tenant_site(site, tenant), name, "pause")
    _console.print(f"{escape(name)} is paused. Go on with: ivr campaign resume {escape(name)}")


@app.command()
def resume(name: Name, watch: Watch = False, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Go on with a paused campaign."""
    loaded = tenant_site(site, tenant)
    _change(loaded, name, "resume")
    _console.print(f"{escape(name)} is running.")
    _goes_on(loaded, name, watch)


@app.command()
def stop(name: Name, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """End a campaign for good; calls in progress go on to their end."""
    _change(tenant_site(site, tenant), name, "stop")
    _console.print(f"{escape(name)} is stopped. Its result: ivr report {escape(name)}")


@app.command()
def status(name: Name, watch: Watch = False, site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """Show how far a campaign is."""
    loaded = tenant_site(site, tenant)
    if watch:
        _watch(loaded, name)
        return

    async def work(scope: Scope) -> tuple[Standing, str]:
        return await following.look(scope, name), await name_among_several(scope)

    standing, whose = on_scope(loaded, work)
    campaign, outcomes = standing.campaign, standing.progress.outcomes
    _console.print(_line(standing, whose))
    rules = campaign.rules
    if campaign.fault is not None or rules is None:
        _console.print(f"[red]{escape(str(campaign.fault))}[/red]")
        return
    version = f" of version {campaign.version}" if campaign.version is not None else ""
    _console.print(
        f"  flow {escape(campaign.flow)}{version} · {rules.channels} channels · {rules.calls_per_second:g} calls/s"
        f" · rings {rules.ring_s} s · {rules.max_attempts} attempts, {rules.retry_after_s} s apart"
        f" · machines {rules.machines}"
    )
    for outcome in Outcome:
        if count := outcomes.get(outcome.value):
            _console.print(f"  {outcome.value:<15}{count:>8}")
    # It reads files of texts and sounds: no other command waits for what that needs.
    from outbound.versions import edited_since

    if edited := on_scope(loaded, lambda scope: edited_since(scope, loaded, campaign)):
        _console.print(f"  Since edited: {escape(', '.join(edited))}. It goes on as it was made, with version")
        _console.print(f"  {campaign.version}; for the new text make a new one with: ivr campaign create.")
    if campaign.paused_because == RESTORED and (copy := on_database(loaded, last_restored)) is not None:
        _console.print(f"  {escape(sentence(copy, loaded.settings.timezone))}")
        _console.print(f"  Go on with it by: ivr campaign resume {escape(name)}")


@app.command("why")
def why_(
    name: Name,
    phone: Annotated[str, typer.Option(help="The person's number, as people write it.")],
    site: SiteFolder = Path(),
    tenant: TenantName = "",
) -> None:
    """Say why a person of a campaign is dialled now or not."""
    loaded = tenant_site(site, tenant)
    settings = loaded.settings
    number = parse_phone(phone, region=settings.region)

    async def work(scope: Scope) -> Why:
        trunks = await trunks_in_use(scope.database, loaded)
        return await explain(scope, name=name, phone=number, trunks=trunks.good, now_ms=_clock.now_ms())

    found = on_scope(loaded, work)
    verdict = "is dialled"
    if isinstance(found.decision, LeaveOut):
        verdict = "is left out"
    elif isinstance(found.decision, WaitUntil):
        at_ms = found.decision.at_ms
        zone = ZoneInfo(settings.timezone)
        until = datetime.fromtimestamp(at_ms / 1000, zone).strftime(" until %Y-%m-%d %H:%M:%S") if at_ms else ""
        verdict = f"waits{until}"
    _console.print(f"{number} {verdict}: {found.decision.because.value}")
    last = f"{found.outcome or 'none'}{f', by trunk {found.trunk}' if found.trunk else ''}"
    _console.print(f"  {found.attempts} attempts, {found.spent} of them count · last outcome {last}")


@app.command("list")
def list_(site: SiteFolder = Path(), tenant: TenantName = "") -> None:
    """List a tenant's campaigns."""
    loaded = tenant_site(site, tenant)
    table = Table("name", "state", "flow", "made", box=None, pad_edge=False)
    for header in ("leads", "done", "waiting", "excluded"):
        table.add_column(header, justify="right")
    zone = ZoneInfo(loaded.settings.timezone)

    async def work(scope: Scope) -> tuple[list[Standing], str]:
        return await following.look_at_all(scope), await name_among_several(scope)

    found, whose = on_scope(loaded, work)
    if whose:
        _console.print(f"Campaigns of {escape(whose)}:")
    for standing in found:
        campaign, progress = standing.campaign, standing.progress
        made = datetime.fromtimestamp(campaign.created_at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
        counts = (progress.leads, progress.done, progress.waiting + progress.dialling, progress.excluded)
        state = "not understood" if campaign.fault is not None else campaign.state
        table.add_row(escape(campaign.name), state, escape(campaign.flow), made, *map(str, counts))
    _console.print(table)
    for standing in found:
        if standing.campaign.fault is not None:
            _console.print(f"[red]{escape(str(standing.campaign.fault))}[/red]")


def _print_made(made: Made, name: str, contacts: Path) -> None:
    created = made.created
    _console.print(f"{escape(name)}: {created.leads} people to call.")
    for reason, count in sorted(created.refused.items()):
        _console.print(f"  left out, {reason}: {count}")
        if reason == "invalid_number":
            for why, many in sorted(created.numbers.items()):
                _console.print(f"    {escape(why)}: {many}")
    for row in created.examples:
        _console.print(f"    {escape(str(contacts))}:{row.line}: {row.reason}: {escape(row.detail)}")
    if more := sum(created.refused.values()) - len(created.examples):
        _console.print(f"    and {more} more")
    for note in made.notes:
        where = f"{contacts}:{note.line}: " if note.line else ""
        _console.print(f"[yellow]note:[/yellow] {escape(where + note.what)}")


def _change(site: Site, name: str, action: campaigns.Action) -> None:
    now_ms = _clock.now_ms()
    on_scope(site, lambda scope: campaigns.change_state(scope, name=name, action=action, now_ms=now_ms))


def _goes_on(site: Site, name: str, watch: bool) -> None:
    """Say when nobody dials the running campaign, and show how far it is when that is wanted."""
    if not asyncio.run(following.engine_runs(site, clock=_clock)):
        _console.print("[yellow]note:[/yellow] The engine is not running, so nobody is called yet. Run: ivr up")
    if watch:
        _watch(site, name)


def _watch(site: Site, name: str) -> None:
    """Show the campaign's progress until it ends; Ctrl-C only ends the watching."""

    async def work(scope: Scope) -> None:
        shown, whose = "", await name_among_several(scope)
        with _console.status("") as status:
            async for standing in following.follow(scope, name, clock=_clock):
                line = _line(standing, whose)
                if standing.over or (line != shown and not _console.is_terminal):
                    _console.print(line)
                status.update(line)
                shown = line

    try:
        on_scope(site, work)
    except KeyboardInterrupt:
        _console.print(
            f"{escape(name)} goes on without us. Watch it again: ivr campaign status {escape(name)} --watch;"
            f" pause it: ivr campaign pause {escape(name)}"
        )


def _line(standing: Standing, whose: str) -> str:
    campaign, progress = standing.campaign, standing.progress
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
    state = f"{campaign.state} ({campaign.paused_because})" if campaign.paused_because else campaign.state
    named = f"{campaign.name} of {whose}" if whose else campaign.name
    return f"{escape(named)} {state}: {' · '.join(parts)}"
