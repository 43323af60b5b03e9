"""Make, check, render and start a campaign: what a command, a page or an API asks for, each as one function.

It prints nothing and opens no database. How far it is, is told to whoever listens; what came of it is returned; what is
wrong is raised as faults.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from faults import AuthorError, Fault, UserError
from ivr.flow.load import check_flow_files, flow_files
from ivr.flow.model import Flow
from ivr.settings import Site
from ivr.speech import open_library
from ivr.versions.folder import dialplans_in, texts_in
from ivr.versions.publishing import publish
from ivr.versions.stored import find, folder_of
from outbound import campaigns, making
from outbound.campaigns import Campaign, Rules
from outbound.clock import Clock
from outbound.columns import UnreadableValues, missing_columns
from outbound.making import Created
from outbound.rendering import render_campaign
from people.contacts import open_contacts
from people.store.scope import Scope
from prompts.render import SILENT, RenderReport, Told
from prompts.sentences import Sentences, load_sentences
from prompts.workers import Workers


@dataclass(frozen=True, kw_only=True)
class Note:
    """What whoever made the contacts file should know, and need not mend."""

    what: str
    #: 1-based line of the contacts file; None: it is about the file as a whole.
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    created: Created
    notes: tuple[Note, ...]


@dataclass(frozen=True, kw_only=True)
class Started:
    campaign: Campaign
    #: What making its audio came to; None: somebody else has made it ready meanwhile.
    rendered: RenderReport | None


async def create(
    scope: Scope,
    site: Site,
    *,
    name: str,
    flow: str,
    contacts: Path,
    rules: Rules,
    clock: Clock,
    told: Callable[[int], None] = lambda _: None,
) -> Made:
    """A campaign in state ready, and what of the contacts file people will not hear as it was meant.

    What the site's folder holds is published, and the campaign keeps that version. `told` hears of the rows read so
    far. Raises UserError when the name is taken or is none, when flows, texts or recordings have faults, when the flow
    is no promo flow of the site, when the file can't be read or holds nobody: then there is no campaign.
    """
    settings = site.settings
    version = await publish(scope, site, now_ms=clock.now_ms())
    folder = await folder_of(scope, site, version)
    sentences = load_sentences(*texts_in(folder))
    chosen = promo_flow(site, flow, folder, sentences)
    file = open_contacts(
        contacts, region=settings.region, language=settings.language, variables=tuple(chosen.variables)
    )
    values = UnreadableValues(chosen, sentences)
    created = await making.create(
        scope,
        name=name,
        flow=chosen.name,
        version=version.number,
        main_message=chosen.main_message or "",
        rules=rules,
        contacts=file,
        clock_ms=clock.now_ms,
        told=told,
        look=values.look,
    )
    notes = [Note(what=notice) for notice in created.notices]
    for variable, text, fallback in missing_columns(chosen, sentences, file.variables, settings.language):
        instead = f"everybody hears: {fallback}" if fallback else "nobody hears that sentence."
        notes.append(Note(what=f"There is no column {variable}, which {text} needs; {instead}"))
    notes += [Note(what=what, line=line) for line, what in values.notes()]
    return Made(created=created, notes=tuple(notes))


def promo_flow(site: Site, name: str, folder: Path, sentences: Sentences) -> Flow:
    """The flow of this name that calls people, in a version's `folder`.

    Raises UserError with its faults, or with the names there are.
    """
    flows, faults = check_flow_files(flow_files(dialplans_in(folder)), sentences, site.settings.transfers_to)
    flow = flows.get(name)
    if flow is None and faults:
        # Their authors know the site's files.
        raise AuthorError([replace(fault, where=_in_site(site, folder, fault.where)) for fault in faults])
    promos = sorted(each.name for each in flows.values() if each.kind == "promo")
    if flow is None or flow.kind != "promo":
        what = f"There is no flow {name!r}." if flow is None else f"{name!r} answers callers; it is no promo flow."
        mend = f"Choose one of: {', '.join(promos) or 'none yet'}."
        raise UserError(Fault(what=what, where=dialplans_in(site.folder), mend=mend))
    return flow


def _in_site(site: Site, folder: Path, where: Path | str | None) -> Path | str | None:
    return site.folder / where.relative_to(folder) if isinstance(where, Path) and folder in where.parents else where


async def render(
    scope: Scope,
    site: Site,
    name: str,
    *,
    clock: Clock,
    workers: Workers | None = None,
    told: Told = SILENT,
) -> RenderReport:
    """Make the audio of all that the campaign's people may hear; what is there already is not made again.

    A campaign of a release before versions is given the one that the site's folder holds. `workers` are those that make
    speech, where some are at hand. Raises UserError when there is no such campaign or its flow has faults, MachineError
    when no speech engine works here or the disk is full.
    """
    campaign = await campaigns.find(scope, name=name)
    if campaign.version is None:
        version = await publish(scope, site, now_ms=clock.now_ms())
        await campaigns.adopt_version(scope, flows=[campaign.flow], version=version.number)
    else:
        version = await find(scope, campaign.version)
    folder = await folder_of(scope, site, version)
    with contextlib.closing(open_library(site, folder, workers=workers)) as voice:
        flow = promo_flow(site, campaign.flow, folder, voice.sentences)
        return await render_campaign(scope, voice, flow, campaign, told=told)


async def start(
    scope: Scope,
    site: Site,
    name: str,
    *,
    clock: Clock,
    workers: Workers | None = None,
    told: Told = SILENT,
) -> Started:
    """Render a campaign that is ready, then let it be dialled.

    Raises UserError when it is not ready, not there or not understood by this release, and as `render` does; then it is
    as it was.
    """
    found = await campaigns.find(scope, name=name)
    if found.fault is not None:
        raise UserError(found.fault)
    rendered = None
    if found.state == "ready":
        rendered = await render(scope, site, name, clock=clock, workers=workers, told=told)
    campaign = await campaigns.change_state(scope, name=name, action="start", now_ms=clock.now_ms())
    return Started(campaign=campaign, rendered=rendered)
