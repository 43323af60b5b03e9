"""A site's folder may be called as people call folders: Asterisk's files, the dialplan and AGI carry its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.asterisk import conf, running
from ivr.engine import Engine
from ivr.fallback.call_back import CallBack
from ivr.fallback.prepare import prepare_fallback
from ivr.settings import Site
from ivr.site import free_ports, init_site
from ivr.tenants import alone
from people.store.db import open_database
from people.store.tables import journal
from people.store.upgrade import upgrade
from tests.databases import all_rows
from tests.edges.disk_voice import DiskVoice
from tests.edges.waiting import until
from tests.golden.flows import versions_in
from tests.live.sip_peer import Plan, SipPeer

Start = Callable[[Site], Awaitable[running.Running]]


@pytest.mark.parametrize("name", ["Магазин №1", "a b'!?#@~=%ce<>*^+` ü", "#b"])
async def test_a_site_works_in_a_folder_of_any_name(short: Path, start_asterisk: Start, name: str) -> None:
    async with SipPeer() as peer:
        chosen = {"trunk.host": "127.0.0.1", "trunk.port": peer.port, "asterisk.mode": "embedded"}
        chosen |= {"asterisk.sip_host": "127.0.0.1", "hotline.numbers": {"*": "promo"}}
        site = init_site(short / name, free_ports() | chosen)
        lengths = {"promo.greeting": (300,), "promo.offer": (700,), "fallback.apology": (1500,)}
        voice = DiskVoice(site.audio, lengths)
        assert await prepare_fallback(voice, conf.fallback_folder(site)) == ()
        site.spool.mkdir(parents=True, mode=0o700)
        asterisk = await start_asterisk(site)
        sip = ("127.0.0.1", site.settings.asterisk.sip_port)

        # Nobody answers yet: the dialplan speaks itself, and notes the wish.
        shopper = peer.dial(sip, "+74950000001", caller="+79160000001")
        await until(lambda: shopper.media.received > 20)
        shopper.press("1")
        await until(lambda: bool(list(site.spool.glob("*.json"))))
        await until(shopper.ended.is_set)
        assert [CallBack.read(path).phone for path in site.spool.glob("*.json")] == ["+79160000001"]

        await upgrade(site.database_url)
        database = await open_database(site.database_url)
        engine = Engine(
            alone(site.settings, versions_in(voice)),
            database=database,
            agi_key=site.agi_key,
            var=site.var,
        )
        await engine.start()
        try:
            listener = peer.dial(sip, "+74950000001", caller="+79160000002", plan=Plan(hang_up_packets=40))
            await until(listener.ended.is_set)
        finally:
            await engine.drain(5)
        async with all_rows(database).begin() as connection:
            heard = sum(row.heard_ms or 0 for row in await connection.execute(select(journal)))
        await database.dispose()
        errors = [line for line in running.errors_in(asterisk.home.messages) if "res_agi.c" not in line]
    assert heard >= 700
    assert errors == []
