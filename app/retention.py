"""What a site keeps no longer: shown, removed, and removed each night while it runs."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ivr.settings import Site
from ivr.settings_files import tenant_folders
from outbound.clock import Clock
from outbound.trouble import Trouble
from people.retention import KINDS, Kind, Rule, next_run_ms, rules
from people.store.forgetting import apply, begin_removing, chores, count
from people.store.scope import Scope
from reports.kept import refresh

log = structlog.get_logger(__name__)

#: Rules that take away what figures are counted from.
_OF_CALLS = ("journal", "calls")
#: Between two transactions, for whoever waits to write.
_REST_S = 0.05
#: The time of day is asked again so often: it may be set.
_LOOK_S = 600.0
#: Files that were put aside, by the folder within var/.
_ASIDE: dict[Kind, tuple[tuple[str, str], ...]] = {
    "logs": (("", "ivr.log.*"), ("asterisk/log", "*.log.*"), ("asterisk/log", "*/ivr.csv.*")),
    "copies": (("", "before-restore-*"),),
}


@dataclass(frozen=True, kw_only=True)
class Due:
    """What a rule would remove now, or has."""

    rule: Rule
    #: "calls", "numbers in calls"
    what: str
    count: int


def site_rules(site: Site, now_ms: int) -> list[Rule]:
    settings = site.settings
    days: dict[Kind, int] = {kind: getattr(settings.retention, f"{kind}_days") for kind in KINDS}
    return list(rules(days, now_ms=now_ms, zone=ZoneInfo(settings.timezone)))


async def look(scope: Scope, site: Site, *, now_ms: int) -> list[Due]:
    """What each rule would remove now."""
    await refresh(scope.database)
    found = []
    for rule in site_rules(site, now_ms):
        # Nothing of it stays, but what the rule would be about is seen.
        async with scope.snapshot() as connection:
            which: dict[str, Any] = {"tenant": scope.tenant, "before_ms": rule.before_ms}
            if rule.kind in _OF_CALLS:
                await begin_removing(connection, **which)
            for chore in chores(rule.kind, **which):
                found.append(Due(rule=rule, what=chore.what, count=await count(connection, chore)))
        if rule.kind in _ASIDE:
            found.append(Due(rule=rule, what=rule.kind, count=len(list(_files(site, rule)))))
    return found


async def remove(scope: Scope, site: Site, *, clock: Clock) -> AsyncIterator[Due]:
    """Apply each rule; what it has removed. Raises DBAPIError and OSError; then the rest waits for the next time."""
    for rule in site_rules(site, clock.now_ms()):
        which: dict[str, Any] = {"tenant": scope.tenant, "before_ms": rule.before_ms}
        if rule.kind in _OF_CALLS:
            await refresh(scope.database)
            async with scope.begin() as connection:
                await begin_removing(connection, **which)
        for chore in chores(rule.kind, **which):
            gone = 0
            async for rows in apply(scope, chore):
                gone += rows
                await clock.sleep(_REST_S)
            yield Due(rule=rule, what=chore.what, count=gone)
        if rule.kind in _ASIDE:
            yield Due(rule=rule, what=rule.kind, count=sum(map(_unlink, _files(site, rule))))


async def remove_nightly(scope: Scope, site: Site, *, clock: Clock) -> None:
    """Apply the rules each night at the hour that is set, for ever; what is refused then, as soon as it is taken.

    To the rows of the scope's tenant, and of those who have a folder in the site: the rules of others are their own
    sites'.
    """
    trouble = Trouble(event="not_removed", clock=clock)
    hour, zone = site.settings.retention.hour, ZoneInfo(site.settings.timezone)
    due_ms = next_run_ms(clock.now_ms(), hour=hour, zone=zone)
    while True:
        while (left_ms := due_ms - clock.now_ms()) > 0:
            await clock.sleep(min(_LOOK_S, left_ms / 1000))
        try:
            for each in (scope, *(Scope(scope.database, name) for name in tenant_folders(site))):
                async for done in remove(each, site, clock=clock):
                    told = {"kind": done.rule.kind, "what": done.what, "before_ms": done.rule.before_ms}
                    log.info("removed", tenant=each.tenant, count=done.count, **told)
        except (SQLAlchemyError, OSError) as error:
            trouble.met(error)
            await clock.sleep(_LOOK_S)
            continue
        trouble.over()
        due_ms = next_run_ms(clock.now_ms(), hour=hour, zone=zone)


def _files(site: Site, rule: Rule) -> Iterator[Path]:
    for folder, names in _ASIDE[rule.kind]:
        for path in sorted((site.var / folder).glob(names)):
            if path.lstat().st_mtime * 1000 < rule.before_ms:
                yield path


def _unlink(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return 1
