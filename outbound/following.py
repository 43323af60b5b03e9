"""How far campaigns are: look at one, at all, or follow one to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ivr.settings import Site
from outbound import campaigns
from outbound.campaigns import Campaign, Progress
from outbound.clock import Clock
from people.store.scope import Scope

#: A closed port on another address may take long to say so.
_ANSWERS_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A campaign at one moment."""

    campaign: Campaign
    progress: Progress

    @property
    def over(self) -> bool:
        """Whether nobody of it is dialled any more, or is still in a call; or whether it can't be understood."""
        if self.campaign.fault is not None:
            return True
        return self.campaign.state in ("finished", "stopped") and not self.progress.dialling


async def look(scope: Scope, name: str) -> Standing:
    """Raises UserError when there is no such campaign."""
    campaign = await campaigns.find(scope, name=name)
    return Standing(campaign=campaign, progress=await campaigns.count_progress(scope, campaign.id))


async def look_at_all(scope: Scope) -> list[Standing]:
    """The tenant's campaigns in the order they were made."""
    return [
        Standing(campaign=campaign, progress=await campaigns.count_progress(scope, campaign.id))
        for campaign in await campaigns.list_campaigns(scope)
    ]


async def follow(scope: Scope, name: str, *, clock: Clock, every_s: float = 0.5) -> AsyncIterator[Standing]:
    """How the campaign stands, time and again; the last is over. Raises UserError when there is no such campaign."""
    while True:
        standing = await look(scope, name)
        yield standing
        if standing.over:
            return
        await clock.sleep(every_s)


async def engine_runs(site: Site, *, clock: Clock) -> bool:
    """Whether the site's engine is there, without which nobody is dialled."""
    agi = site.settings.agi
    try:
        async with clock.timeout(_ANSWERS_S):
            _, writer = await asyncio.open_connection(agi.host, agi.port)
    except OSError:
        return False
    writer.close()
    return True
