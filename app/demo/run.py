"""`ivr demo`: the main job from end to end on one machine, every figure held against the operator's record."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app.commands.asterisk import install_progress
from app.commands.console import plain_console
from app.commands.logs import log_to
from app.commands.up import Terminal, TerminalReporter
from app.demo.comparison import Line, compare_calls, compare_person, compare_report
from app.rendering import render_campaign
from app.service.running import Up, site_running
from faults import AuthorError, Fault
from ivr.asterisk import program
from ivr.lab.lab import Lab
from ivr.lab.subscribers import load_subscribers
from ivr.lab.truth import Truth
from ivr.resources import resource_dir
from ivr.settings import Site
from ivr.site import free_ports, init_site
from outbound import campaigns
from outbound.campaigns import Rules
from people import do_not_call
from people.contacts import open_contacts
from people.numbers import mask_phone
from people.store.tables import attempt, contact, lead
from reports.calls import CallStory, read_calls
from reports.figures import Report
from reports.metrics import compute_report
from reports.page import render_html
from reports.terminal import render_terminal

CAMPAIGN = "tv"
#: Numbers of the people in demo/people.csv who said earlier that they want no calls.
NEVER_CALL = ("+79160000099",)
#: Nothing in the demo takes longer.
_PATIENCE_S = 200.0
_MARK = ".ivr-demo"


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the demo's site is made, anew each time.")
    ] = Path("demo-site"),
) -> None:
    """Show the main job: hotline calls, a promo campaign, its report, all checked against the operator's own record.

    Exit status 1 when any figure differs. Nothing is left running.
    """
    console = plain_console(soft_wrap=True)
    site = _make_site(folder)
    log_to(site.var / "ivr.log")
    if not uvloop.run(_demo(site, console)):
        raise typer.Exit(1)


def _make_site(folder: Path) -> Site:
    if (folder / _MARK).exists():
        shutil.rmtree(folder)
    elif folder.exists():
        mend = "Name another folder: ivr demo DIR."
        raise AuthorError(Fault(what="The folder exists and is no earlier demo.", where=folder, mend=mend))
    folder.mkdir(parents=True)
    chosen = free_ports() | {
        "title": "Бытовая техника",
        "trunk.host": "127.0.0.1",
        "trunk.port": int(str(free_ports()["asterisk.sip_port"])),
        "trunk.caller_id": "+74950000000",
        "asterisk.sip_host": "127.0.0.1",
        "destinations.operator": "+79160000020",
        "outbound.channels": 30,
        "outbound.calls_per_second": 4.0,
        "outbound.ring_s": 8,
        "outbound.max_attempts": 2,
        "outbound.retry_after_s": 5,
    }
    site = init_site(folder, chosen)
    (folder / _MARK).touch()
    return site


async def _demo(site: Site, console: Console) -> bool:
    began = time.monotonic()
    if program.embedded_program() is None:
        console.rule("Fetching Asterisk, without root")
        with install_progress(console) as bar:
            await asyncio.to_thread(program.install, bar)
    console.rule("Starting the site and the simulated mobile operator")
    ports = free_ports()
    lab = Lab(
        site.var / "lab",
        load_subscribers(resource_dir("demo") / "subscribers.csv"),
        site_sip=("127.0.0.1", site.settings.asterisk.sip_port),
        sip_port=site.settings.trunk.port,
        rtp=(int(str(ports["asterisk.rtp_start"])), int(str(ports["asterisk.rtp_end"]))),
        program=program.find(),
    )
    async with site_running(site, TerminalReporter(Terminal(console))) as up, lab:
        console.print(f"A hotline and {len(lab.subscribers)} lines of subscribers and shoppers are ready.")
        await _make_campaign(up, console)
        console.rule("Shoppers call the hotline, the campaign is dialled")
        now_ms = time.time_ns() // 1_000_000
        await campaigns.change_state(
            up.database, tenant=site.settings.tenant, name=CAMPAIGN, action="start", now_ms=now_ms
        )
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(lab.place_calls(), _watch(up, console))
            truth = await lab.calls_ended(_PATIENCE_S)
        await up.end(5.0)
        report, lines = await _look(up, truth)
    console.rule("The report")
    page = site.folder / "report.html"
    title = site.settings.title
    page.write_text(render_html(report, language=site.settings.language, title=title), "utf-8")
    console.print(render_terminal(report, language=site.settings.language, title=title))
    console.rule("The operator's record against the engine's, line by line")
    differences = _show(lines, console)
    console.print(f"\nThe report as a web page: {page}")
    console.print(f"What happened on each call: ivr calls --site {site.folder}")
    facts = sum(len(found) for found in lines.values())
    if differences:
        console.print(f"[red]{differences} of {facts} facts differ.[/red]")
    else:
        console.print(f"[green]All {facts} facts agree[/green]; it took {time.monotonic() - began:.0f} s.")
    return not differences


async def _make_campaign(up: Up, console: Console) -> None:
    settings = up.site.settings
    flow = up.flows["promo"]
    now_ms = time.time_ns() // 1_000_000
    await do_not_call.add(up.database, tenant=settings.tenant, phones=list(NEVER_CALL), source="command", now_ms=now_ms)
    contacts = open_contacts(
        resource_dir("demo") / "people.csv",
        region=settings.region,
        language=settings.language,
        variables=tuple(flow.variables),
    )
    created = await campaigns.create(
        up.database,
        tenant=settings.tenant,
        name=CAMPAIGN,
        flow=flow.name,
        main_message=flow.main_message or "",
        rules=Rules.of(settings.outbound),
        contacts=contacts,
        clock_ms=lambda: time.time_ns() // 1_000_000,
    )
    console.print(f"The campaign has {created.leads} leads; refused rows: {dict(created.refused)}.")
    campaign = await campaigns.find(up.database, tenant=settings.tenant, name=CAMPAIGN)
    await render_campaign(up.database, up.library, flow, campaign, console)


async def _watch(up: Up, console: Console) -> None:
    """Show how far the campaign is until it is finished."""
    with console.status("dialling ...") as status:
        for _ in itertools.count():
            campaign = await campaigns.find(up.database, tenant=up.site.settings.tenant, name=CAMPAIGN)
            progress = await campaigns.count_progress(up.database, campaign.id)
            status.update(
                f"{progress.waiting} waiting, {progress.dialling} being called, {progress.done} done; "
                f"{up.engine.server.calls} calls with the engine"
            )
            if campaign.state == "finished":
                return
            await asyncio.sleep(0.2)


async def _look(up: Up, truth: Truth) -> tuple[Report, dict[str, list[Line]]]:
    """The report, and each person's and the report's lines against the operator's record."""
    tenant = up.site.settings.tenant
    report = await compute_report(
        up.database,
        tenant=tenant,
        campaign_name=CAMPAIGN,
        zone=ZoneInfo(up.site.settings.timezone),
        now_ms=time.time_ns() // 1_000_000,
    )
    stories = await read_calls(up.database, tenant=tenant, limit=1_000_000)
    outcomes = await _outcomes(up)
    behaviours = {sub.number: sub.behaviour for sub in load_subscribers(resource_dir("demo") / "subscribers.csv")}
    by_phone: defaultdict[str, list[CallStory]] = defaultdict(list)
    for story in stories:
        by_phone[story.phone.lstrip("+")].append(story)
    lines: dict[str, list[Line]] = {}
    # The operator's own number is also transferred to; those calls belong to the shoppers.
    subscribers = {
        number: replace(known, calls=known.calls[: len(outcomes.get(number, ()))])
        for number, known in truth.subscribers.items()
        if number in outcomes
    }
    for number in sorted(outcomes | subscribers):
        title = f"{mask_phone(f'+{number}')} {behaviours.get(number, 'unknown')}"
        of_campaign = [story for story in by_phone[number] if story.direction == "outbound"]
        lines[title] = compare_person(outcomes.get(number, ()), _spoken_to(of_campaign), subscribers.get(number))
    for number, shopper in sorted(truth.shoppers.items()):
        inbound = [story for story in by_phone[number] if story.direction == "inbound"]
        lines[f"{mask_phone(f'+{number}')} shopper"] = compare_calls(shopper.calls, inbound)
    lines["the report"] = compare_report(report, subscribers, stories)
    return report, lines


def _spoken_to(stories: Sequence[CallStory]) -> list[CallStory]:
    return sorted(stories, key=lambda story: story.started_at_ms)


async def _outcomes(up: Up) -> dict[str, list[str]]:
    """Number as dialled -> the outcomes of its attempts that reached the network, in order."""
    query = (
        select(contact.c.phone, attempt.c.outcome)
        .join(lead, lead.c.id == attempt.c.lead_id)
        .join(contact, contact.c.id == lead.c.contact_id)
        .where(attempt.c.dialled_at_ms.is_not(None))
        .order_by(attempt.c.planned_at_ms)
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    async with up.database.connect() as connection:
        for phone, outcome in await connection.execute(query):
            found[phone.lstrip("+")].append(outcome or "in_flight")
    return found


def _show(lines: Mapping[str, Sequence[Line]], console: Console) -> int:
    """Print every line; how many differ."""
    table = Table("who", "what", "the operator", "the engine", "", box=None, pad_edge=False)
    for who, facts in lines.items():
        for n, fact in enumerate(facts):
            mark = "[green]=[/green]" if fact.agree else "[red]differs[/red]"
            table.add_row("" if n else who, fact.what, fact.operator, fact.engine, mark)
    console.print(table)
    return sum(not fact.agree for facts in lines.values() for fact in facts)
