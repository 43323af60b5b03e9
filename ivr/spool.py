"""Pick up the call-back requests that the fallback noted while the engine was away."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.fallback.call_back import CallBack
from ivr.tenants import Tenants
from people.numbers import normal_form
from people.store.calls import WRITE_REQUEST
from people.store.scope import Scope

log = structlog.get_logger()

#: How often the folder is looked into while the engine runs: the second engine or a full engine may leave callers too.
EVERY_S = 30.0
#: An unreadable file that was changed so lately is looked at again.
_YOUNG_S = 10.0


def _read(spool: Path, tenants: Tenants) -> dict[Path, dict[str, Any]]:
    """The rows of the files in `spool`, each of the tenant whose number was dialled; an unreadable file is set aside.

    It then ends in `.bad`.
    """
    rows: dict[Path, dict[str, Any]] = {}
    for path in sorted(spool.glob("*.json")):
        try:
            request = CallBack.read(path)
        except (OSError, ValueError) as error:
            if _is_young(path):
                # The dialplan writes a file in its place, so that it may be seen half-written.
                continue
            log.error("spool.unreadable", where=str(path), what=str(error))
            path.rename(path.with_suffix(".bad"))
            continue
        rows[path] = {
            "tenant": tenants.whose(request.dialled),
            "kind": "call_back",
            "phone": normal_form(request.phone, tenants.own.settings.region)[:32],
            "call_id": None,
            "variables": {"dialled": request.dialled, "language": request.language, "uniqueid": request.uniqueid},
            "asked_at_ms": request.asked_at_ms,
        }
    return rows


def _is_young(path: Path) -> bool:
    try:
        return abs(time.time() - path.stat().st_mtime) < _YOUNG_S
    except FileNotFoundError:
        return True


async def pick_up(database: AsyncEngine, spool: Path, tenants: Tenants) -> int:
    """Bring the requests in `spool` into the database; how many. A file goes only when its request is committed.

    A file that came twice, or stayed through a crash, makes one request.
    """
    rows = _read(spool, tenants)
    for tenant in sorted({row["tenant"] for row in rows.values()}):
        its = {path: row for path, row in rows.items() if row["tenant"] == tenant}
        async with Scope(database, tenant).begin() as connection:
            await connection.execute(WRITE_REQUEST, list(its.values()))
        for path in its:
            path.unlink(missing_ok=True)
    if rows:
        log.info("spool.picked_up", requests=len(rows))
    return len(rows)


async def keep_picking_up(database: AsyncEngine, spool: Path, tenants: Tenants) -> None:
    """Pick up every now and again until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        await try_to_pick_up(database, spool, tenants)


async def try_to_pick_up(database: AsyncEngine, spool: Path, tenants: Tenants) -> None:
    """Pick up; trouble with the database or the folder is logged, and the files stay for the next time."""
    try:
        await pick_up(database, spool, tenants)
    except (SQLAlchemyError, OSError) as error:
        log.error("spool.waiting", what=str(error))
