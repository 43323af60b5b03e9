"""The engine as `ivr up` starts it: journal, server, spool and fallback together."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from faults import MachineError
from ivr.engine import Engine
from ivr.fallback.call_back import CallBack
from ivr.settings import Agi, Settings, Trunk
from ivr.site import free_ports
from ivr.tenants import alone
from people.store.tables import call, request
from tests.databases import a_database, all_rows
from tests.edges.disk_voice import DiskVoice
from tests.edges.fake_asterisk import KEY, FakeAsterisk, opening
from tests.edges.waiting import PATIENCE_S
from tests.golden.flows import versions_in

pytestmark = pytest.mark.both_databases


async def test_from_start_to_stop(tmp_path: Path) -> None:
    settings = Settings(trunk=Trunk(host="x"), agi=Agi(port=int(str(free_ports()["agi.port"]))))
    CallBack(phone="+79160000000", dialled="", language="ru", uniqueid="1.1", asked_at_ms=5).write(tmp_path / "spool")
    voice = DiskVoice(tmp_path / "audio")
    async with a_database(tmp_path) as database:
        engine = Engine(alone(settings, versions_in(voice)), database=database, agi_key=KEY, var=tmp_path)
        await engine.start()
        taken = Engine(alone(settings, versions_in(voice)), database=database, agi_key=KEY, var=tmp_path)
        with pytest.raises(MachineError, match="can't listen"):
            await taken.start()
        async with FakeAsterisk(settings.agi.port) as asterisk:
            await asterisk.says(opening("inbound", "100"))
            await asterisk.expects("ANSWER")
            await asterisk.says("200 result=0")
            await asterisk.hears()
            await asterisk.says("200 result=-1 endpos=800", "HANGUP")
            await asterisk.expects_end()
        async with asyncio.timeout(PATIENCE_S):
            await engine.prepare_fallback()
            await asyncio.gather(engine.drain(), engine.stop())
        async with all_rows(database).begin() as connection:
            assert (await connection.execute(select(call.c.ended_by))).scalars().all() == ["hang_up"]
            assert (await connection.execute(select(request.c.phone))).scalars().all() == ["+79160000000"]
    assert {path.name for path in (tmp_path / "fallback").iterdir()} == {"ru", "uk", "en"}
