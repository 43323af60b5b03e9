"""Golden calls: readable transcripts of whole calls, and what the journal must hold after each.

call:       the opening; see tests/edges/fake_asterisk.py for asterisk: and us: lines
row:        direction phone flow language ended_by [amd]
journal:    kind node value, then what the kind has more
opt_out:    phone        request:  kind phone {variables}
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.engine import Engine
from ivr.settings import Agi, Settings, Trunk
from ivr.tenants import alone
from people.store.tables import attempt, call, campaign, contact, do_not_call, journal, lead, request
from tests.databases import a_database, all_rows
from tests.edges.disk_voice import DiskVoice
from tests.edges.fake_asterisk import KEY, play_transcript
from tests.golden.flows import LENGTHS_MS, versions_in

CALLS = sorted(Path(__file__).parent.glob("*.call"))


def site_settings() -> Settings:
    return Settings(
        trunk=Trunk(host="127.0.0.1", dial_format="{national}"),
        destinations={"operator": "+74951234567"},
        agi=Agi(port=1),
    )


async def plan_attempt(database: AsyncEngine) -> None:
    """The attempt that outbound calls belong to: its id is the fake Asterisk's Uniqueid."""
    async with all_rows(database).begin() as connection:
        await connection.execute(
            insert(contact).values(
                id=1, tenant="shop", phone="+79161234567", name="Иван", language="ru", created_at_ms=1
            )
        )
        await connection.execute(
            insert(campaign).values(
                id=1,
                tenant="shop",
                name="sony",
                flow="promo",
                main_message="promo.offer",
                state="running",
                rules={},
                created_at_ms=1,
            )
        )
        await connection.execute(
            insert(lead).values(
                id=1, campaign_id=1, contact_id=1, variables={"price": "29990"}, state="dialling", due_at_ms=1
            )
        )
        await connection.execute(
            insert(attempt).values(id="1763820000.1", campaign_id=1, lead_id=1, number=1, planned_at_ms=1)
        )


async def written(database: AsyncEngine) -> list[str]:
    """The database's tables as lines of a golden call."""
    lines: list[str] = []
    async with all_rows(database).begin() as connection:
        for row in await connection.execute(select(call)):
            assert row.ended_at_ms >= row.started_at_ms
            lines.append(f"row: {row.direction} {row.phone} {row.flow} {row.language} {row.ended_by} {row.amd}".strip())
        for row in await connection.execute(select(journal).order_by(journal.c.seq)):
            more = ""
            if row.kind == "heard":
                more = f" {row.heard_ms}/{row.length_ms} {row.ended}" + (" main" if row.main else "")
            if row.kind == "key":
                more = f" depth {row.depth}" + (" follow_up" if row.follow_up else "")
            lines.append(f"journal: {row.kind} {row.node or '-'} {row.value}".strip() + more)
        for row in await connection.execute(select(do_not_call)):
            lines.append(f"opt_out: {row.phone}")
        for row in await connection.execute(select(request)):
            lines.append(f"request: {row.kind} {row.phone} {row.variables}")
    return lines


def lines_of(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.both_databases
@pytest.mark.parametrize("path", CALLS, ids=lambda path: path.stem)
async def test_golden_call(path: Path, tmp_path: Path) -> None:
    lines = lines_of(path)
    told = ("row:", "journal:", "opt_out:", "request:", "silent:")
    talk = [line for line in lines if not line.startswith(told)]
    voice = DiskVoice(tmp_path / "audio", LENGTHS_MS)
    voice.silent.update(line.partition(": ")[2] for line in lines if line.startswith("silent:"))
    async with a_database(tmp_path) as database:
        await plan_attempt(database)
        engine = Engine(alone(site_settings(), versions_in(voice)), database=database, agi_key=KEY, var=tmp_path)
        await engine.journal.start()
        await engine.server.start("127.0.0.1", 0)
        try:
            await play_transcript(engine.server.port, talk, {"audio": str(tmp_path / "audio")})
        finally:
            await engine.drain(5)
        assert await written(database) == [line for line in lines if line.startswith(told[:-1])]
