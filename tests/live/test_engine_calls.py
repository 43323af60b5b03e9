"""The engine on a real Asterisk, called by a SIP peer that counts the packets it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.asterisk import running
from ivr.engine import Engine
from ivr.settings import Site
from ivr.tenants import alone
from people.store.tables import call, journal
from prompts import g722
from prompts.library import Library, Speech
from prompts.sentences import LANGUAGES
from tests.databases import a_database, all_rows
from tests.edges.disk_voice import DiskVoice
from tests.edges.waiting import PATIENCE_S, until
from tests.golden.flows import versions_in
from tests.live.conftest import MakeSite
from tests.live.rtp_peer import ALAW, G722, Codec
from tests.live.sip_peer import Key, Plan, SipPeer

pytestmark = pytest.mark.timed

Start = Callable[[Site], Awaitable[running.Running]]
#: What `endpos` and the packets that came may differ by; a packet is 20 ms.
CLOSE_MS = 60


async def test_a_phone_that_sends_no_audio_did_not_hang_up(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path
) -> None:
    voice = DiskVoice(tmp_path / "audio", {"promo.greeting": (14_000,)})
    async with SipPeer() as peer, a_database(tmp_path) as database:
        site = make_site(trunk_port=peer.port, hotline__numbers={"*": "promo"}, trunk__rtp_timeout_s=10)
        await start_asterisk(site)
        engine = Engine(
            alone(site.settings, versions_in(voice)),
            database=database,
            agi_key=site.agi_key,
            var=site.var,
        )
        await engine.start()
        try:
            sip = ("127.0.0.1", site.settings.asterisk.sip_port)
            mute = peer.dial(sip, "+74950000001", caller="+79160000001", plan=Plan(silent=True))
            async with asyncio.timeout(PATIENCE_S):
                await mute.ended.wait()
        finally:
            await engine.drain(5)
        async with all_rows(database).begin() as connection:
            [one] = (await connection.execute(select(call))).all()
            lines = (await connection.execute(select(journal))).all()
    assert one.ended_by == "no_audio"
    assert abs(sum(line.heard_ms or 0 for line in lines) - mute.heard_ms) <= CLOSE_MS


async def test_keys_and_heard_milliseconds_are_what_the_caller_saw(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path
) -> None:
    voice = DiskVoice(
        tmp_path / "audio", {"promo.greeting": (300, 200), "promo.offer": (3000,), "promo.opted_out": (2000,)}
    )
    # No key stops the confirmation; 5 is pressed in the midst of it.
    keys = (Key("9", at_s=2.0), Key("5", at_s=2.8))
    async with SipPeer() as peer, a_database(tmp_path) as database:
        site = make_site(trunk_port=peer.port, hotline__numbers={"*": "promo"})
        await start_asterisk(site)
        engine = Engine(
            alone(site.settings, versions_in(voice)),
            database=database,
            agi_key=site.agi_key,
            var=site.var,
        )
        await engine.start()
        try:
            sip = ("127.0.0.1", site.settings.asterisk.sip_port)
            listener = peer.dial(sip, "+74950000001", caller="+79160000001", plan=Plan(hang_up_packets=75))
            chooser = peer.dial(sip, "+74950000001", caller="+79160000002", plan=Plan(keys=keys))
            async with asyncio.timeout(PATIENCE_S):
                await listener.ended.wait()
                await chooser.ended.wait()
        finally:
            await engine.drain(5)
        async with all_rows(database).begin() as connection:
            calls = {row.phone: row for row in await connection.execute(select(call))}
            lines = (await connection.execute(select(journal).order_by(journal.c.seq))).all()
    gone, opted_out = calls["+79160000001"], calls["+79160000002"]
    assert (gone.ended_by, opted_out.ended_by) == ("hang_up", "flow")
    heard = sum(line.heard_ms or 0 for line in lines if line.call_id == gone.id)
    assert abs(heard - listener.heard_ms) <= CLOSE_MS
    kinds = [(line.kind, line.value) for line in lines if line.call_id == opted_out.id and line.kind != "heard"]
    assert kinds == [("key", "9"), ("opt_out", ""), ("ignored", "5")]
    heard = sum(line.heard_ms or 0 for line in lines if line.call_id == opted_out.id)
    assert abs(heard - chooser.heard_ms) <= CLOSE_MS


async def test_a_text_that_the_engine_cuts_and_its_goodbye_are_measured_too(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path
) -> None:
    lengths = {"promo.greeting": (500,), "promo.offer": (700, 3000), "fallback.goodbye": (1500,)}
    voice = DiskVoice(tmp_path / "audio", lengths)
    async with SipPeer() as peer, a_database(tmp_path) as database:
        site = make_site(trunk_port=peer.port, hotline__numbers={"*": "promo"})
        await start_asterisk(site)
        engine = Engine(
            alone(site.settings, versions_in(voice)),
            database=database,
            agi_key=site.agi_key,
            var=site.var,
        )
        await engine.start()
        sip = ("127.0.0.1", site.settings.asterisk.sip_port)
        # Stopped at different places within a packet.
        listeners = []
        for number in range(5):
            listeners.append(peer.dial(sip, "+74950000001", caller=f"+7916000000{number}"))
            await asyncio.sleep(0.047)
        await until(lambda: listeners[-1].heard_ms >= 2000)
        await engine.drain(0)
        async with asyncio.timeout(PATIENCE_S):
            for listener in listeners:
                await listener.ended.wait()
        async with all_rows(database).begin() as connection:
            calls = {row.phone: row for row in await connection.execute(select(call))}
            lines = (await connection.execute(select(journal).order_by(journal.c.seq))).all()
    for number, listener in enumerate(listeners):
        one = calls[f"+7916000000{number}"]
        heard = [line for line in lines if line.call_id == one.id]
        assert one.ended_by == "drain"
        assert [(line.value, line.ended) for line in heard] == [
            ("promo.greeting", "played"),
            ("promo.offer", "stopped"),
            ("fallback.goodbye", "played"),
        ]
        difference_ms = sum(line.heard_ms or 0 for line in heard) - listener.heard_ms
        print(number, [line.heard_ms for line in heard], listener.heard_ms, difference_ms)
        assert abs(difference_ms) <= CLOSE_MS


@pytest.mark.skipif(not g722.available(), reason="the package G722 is not made for this processor")
@pytest.mark.parametrize(("codec", "suffix"), [(G722, ".g722"), (ALAW, ".alaw")])
async def test_on_a_wideband_trunk_clips_are_sent_as_they_are_and_their_milliseconds_counted_rightly(
    make_site: MakeSite, start_asterisk: Start, tmp_path: Path, codec: Codec, suffix: str
) -> None:
    asked = Speech(engine=dict.fromkeys(LANGUAGES, "espeak"), wide=True)
    library = Library(folder=tmp_path / "audio", speech=asked)
    library.provide()
    async with SipPeer(codec=codec) as peer, a_database(tmp_path) as database:
        site = make_site(trunk_port=peer.port, trunk__codec="g722", hotline__numbers={"*": "promo"})
        await start_asterisk(site)
        engine = Engine(
            alone(site.settings, versions_in(library)),
            database=database,
            agi_key=site.agi_key,
            var=site.var,
        )
        await engine.start()
        (first, *_) = await library.render("ru", "promo.greeting", {})
        await library.render("ru", "promo.offer", {})
        try:
            sip = ("127.0.0.1", site.settings.asterisk.sip_port)
            plan = Plan(hang_up_packets=first.length_ms // 20 + 75, record=True)
            listener = peer.dial(sip, "+74950000001", caller="+79160000001", plan=plan)
            async with asyncio.timeout(PATIENCE_S):
                await listener.ended.wait()
        finally:
            await engine.drain(5)
            library.close()
        async with all_rows(database).begin() as connection:
            lines = (await connection.execute(select(journal).order_by(journal.c.seq))).all()
    heard = [line for line in lines if line.kind == "heard"]
    assert heard[0].heard_ms == heard[0].length_ms == first.length_ms
    assert abs(sum(line.heard_ms or 0 for line in heard) - listener.heard_ms) <= CLOSE_MS
    assert first.path.with_name(f"{first.path.name}{suffix}").read_bytes() in bytes(listener.media.recording or b"")
