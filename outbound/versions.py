"""Which versions there are, what changed with each, which campaigns keep them, and what was edited since."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ivr.settings import Site
from ivr.versions.folder import hashes, look
from ivr.versions.manifest import Changes, changes
from ivr.versions.publishing import last_good
from outbound.campaigns import Campaign, list_campaigns
from people.store.scope import Scope
from people.store.versions import Version, find_version, list_versions


@dataclass(frozen=True, kw_only=True)
class Published:
    version: Version
    #: Since the one before it; the first has added all.
    changes: Changes
    #: Whether this site's callers hear it.
    heard: bool
    #: Names of those that were made with it.
    campaigns: tuple[str, ...]


async def published(scope: Scope, site: Site) -> list[Published]:
    """The tenant's versions, the oldest first."""
    found, heard = await list_versions(scope), await last_good(scope, site)
    campaigns = await list_campaigns(scope)
    return [
        Published(
            version=version,
            changes=changes(before.files if before else {}, version.files),
            heard=version == heard,
            campaigns=tuple(each.name for each in campaigns if each.version == version.number),
        )
        for before, version in zip([None, *found], found, strict=False)
    ]


async def edited_since(scope: Scope, site: Site, campaign: Campaign) -> tuple[str, ...]:
    """Files of the site that are not as in the version that the campaign goes on with; none when it dials no more."""
    if campaign.version is None or campaign.state not in ("ready", "running", "paused"):
        return ()
    version = await find_version(scope, id=campaign.version)
    files = await asyncio.to_thread(lambda: hashes(look(site.folder), {}))
    return changes(version.files, files).names if version is not None else ()
