"""Make a campaign's audio before its first call: what its flow may say to each of its people, each fragment once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import select

from ivr.flow.model import Flow
from ivr.speech import campaign_speech
from outbound.campaigns import Campaign, list_campaigns
from people.store.scope import Scope
from people.store.tables import lead
from prompts.library import Library
from prompts.reading import variables
from prompts.render import SILENT, RenderReport, Spoken, Told, provide_and_render

#: Leads read at a time.
_PAGE = 5000


async def render_campaign(
    scope: Scope, library: Library, flow: Flow, campaign: Campaign, *, told: Told = SILENT
) -> RenderReport:
    """Make what is missing, and keep all of it in the cache under the campaign's name.

    Raises MachineError when no speech engine works here or the disk is full.
    """
    wanted = await _wanted(scope, library, flow, campaign)
    return await asyncio.to_thread(provide_and_render, library, wanted.values(), pin=_pin(campaign), told=told)


async def release_finished(scope: Scope, library: Library) -> None:
    """Let the cache drop the audio of campaigns that dial nobody any more."""
    for campaign in await list_campaigns(scope):
        if campaign.state in ("finished", "stopped"):
            library.cache.unpin(_pin(campaign))


def _pin(campaign: Campaign) -> str:
    return f"campaign-{campaign.id}"


async def _wanted(scope: Scope, library: Library, flow: Flow, campaign: Campaign) -> Mapping[object, Spoken]:
    """Every text with each set of values that it is spoken with, once."""
    wanted: dict[object, Spoken] = {}
    names: dict[tuple[str, str], tuple[str, ...]] = {}
    last = 0
    while True:
        query = (
            select(lead.c.id, lead.c.variables, lead.c.name, lead.c.language)
            .where(lead.c.campaign_id == campaign.id, lead.c.tenant == scope.tenant, lead.c.id > last)
            .order_by(lead.c.id)
            .limit(_PAGE)
        )
        async with scope.begin() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return wanted
        last = rows[-1].id
        leads = ((row.language, {**row.variables, **({"name": row.name} if row.name else {})}) for row in rows)
        for spoken in campaign_speech(library, flow, leads):
            place = (spoken.language, spoken.text)
            if place not in names:
                names[place] = _variables(library, *place)
            wanted.setdefault((place, tuple(spoken.values.get(name) for name in names[place])), spoken)


def _variables(library: Library, language: str, text: str) -> tuple[str, ...]:
    """Names of the variables that the sentence and its fallback need."""
    sentence = library.sentences.get(language, text)
    if sentence is None:
        return ()
    return tuple(each.name for part in (sentence.text, sentence.fallback) if part for each in variables(part))
