"""Calls that do not go as their flow says: stopped, failing, with audio that is late or never comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr import speaking
from ivr.engine import Engine
from ivr.settings import Agi, Hotline, Settings, Trunk
from ivr.tenants import alone
from people.store.tables import call, do_not_call, journal, loss
from prompts.voice import Clip
from tests.databases import a_database, all_rows
from tests.edges.disk_voice import DiskVoice
from tests.edges.fake_asterisk import KEY, FakeAsterisk, opening
from tests.golden.flows import versions_in

pytestmark = pytest.mark.both_databases

DONE = 'SET VARIABLE "IVR_DONE" "1"'


@dataclass(kw_only=True)
class Bench:
    engine: Engine
    database: AsyncEngine
    voice: DiskVoice
    audio: Path
    #: After the engine's end: (ended_by, language), and (kind, value, heard_ms, ended) of every line.
    calls: list[tuple[str, str]]
    lines: list[tuple[str, str, int | None, str | None]]
    losses: list[tuple[str, str]]
    opt_outs: list[str]

    @property
    def port(self) -> int:
        return self.engine.server.port

    def plays(self, text: str) -> str:
        return f'STREAM FILE "{self.audio}/ru/{text}" "0123456789*#" 0'


@asynccontextmanager
async def bench(folder: Path, *, voice: DiskVoice | None = None) -> AsyncIterator[Bench]:
    """An engine whose database can be read after the block."""
    voice = voice or DiskVoice(folder / "audio")
    settings = Settings(
        trunk=Trunk(host="x"),
        hotline=Hotline(numbers={"+78001234567": "promo", "*": "hotline", "100": "no such flow"}),
        agi=Agi(port=1),
    )
    async with a_database(folder) as database:
        engine = Engine(alone(settings, versions_in(voice)), database=database, agi_key=KEY, var=folder)
        await engine.journal.start()
        await engine.server.start("127.0.0.1", 0)
        this = Bench(
            engine=engine,
            database=database,
            voice=voice,
            audio=folder / "audio",
            calls=[],
            lines=[],
            losses=[],
            opt_outs=[],
        )
        try:
            yield this
        finally:
            await engine.drain(5)
        async with all_rows(database).begin() as connection:
            this.calls += [(row.ended_by, row.language) for row in await connection.execute(select(call))]
            this.lines += [
                (row.kind, row.value, row.heard_ms, row.ended)
                for row in await connection.execute(select(journal).order_by(journal.c.seq))
            ]
            this.losses += [(row.kind, row.why) for row in await connection.execute(select(loss))]
            this.opt_outs += (await connection.execute(select(do_not_call.c.phone))).scalars()


async def answered(asterisk: FakeAsterisk, dialled: str = "88001234567") -> None:
    await asterisk.says(opening("inbound", dialled))
    await asterisk.expects("ANSWER")
    await asterisk.says("200 result=0")


async def test_drain_says_goodbye_and_keeps_what_was_heard(tmp_path: Path) -> None:
    async with bench(tmp_path) as site, FakeAsterisk(site.port) as asterisk:
        await answered(asterisk)
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(site.plays("promo.offer"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(site.plays("promo.keys"))
        stopping = asyncio.create_task(site.engine.stop())
        await asterisk.expects('GET FULL VARIABLE "ivr-fence"')
        await asterisk.says("200 result=1 (ivr-fence)")
        await asterisk.expects(site.plays("fallback.goodbye"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(DONE)
        await stopping
    assert site.calls == [("drain", "ru")]
    # Stopped in its first packet, the keys were not begun; the clip of a second is not heard longer than it is.
    assert [line for line in site.lines if line[1] != "promo.keys"] == [
        ("heard", "promo.greeting", 1000, "played"),
        ("heard", "promo.offer", 1000, "played"),
        ("heard", "fallback.goodbye", 1000, "played"),
    ]


async def test_a_bug_leaves_a_shopper_to_the_dialplan(tmp_path: Path) -> None:
    class Broken(DiskVoice):
        def clips(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Clip, ...] | None:
            raise ZeroDivisionError

    async with bench(tmp_path, voice=Broken(tmp_path)) as site, FakeAsterisk(site.port) as asterisk:
        await answered(asterisk)
        await asterisk.expects_end()
    assert site.calls == [("fault", "ru")]
    assert site.lines == [("fault", "engine", None, None)]


async def test_a_command_that_asterisk_refuses_is_a_fault_of_ours(tmp_path: Path) -> None:
    async with bench(tmp_path) as site, FakeAsterisk(site.port) as asterisk:
        await answered(asterisk)
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("510 Invalid or unknown command")
        await asterisk.expects_end()
    assert site.calls == [("fault", "ru")]


@pytest.mark.parametrize("script", ["inbound", "outbound"])
async def test_a_call_without_a_flow_is_no_silence(tmp_path: Path, script: str) -> None:
    async with bench(tmp_path) as site, FakeAsterisk(site.port) as asterisk:
        if script == "inbound":
            # The dialplan's fallback apologises.
            await answered(asterisk, "100")
            await asterisk.expects_end()
        else:
            # No such attempt: we rang somebody, and have nobody else to say so.
            await asterisk.says(opening(script, "HUMAN", "x"))
            await asterisk.expects(site.plays("fallback.goodbye"))
            await asterisk.says("200 result=0 endpos=8000")
            await asterisk.expects(DONE)
    assert site.calls == ([("fault", "ru")] if script == "inbound" else [])


async def test_late_audio_is_made_and_stuck_audio_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "RENDER_S", 0.05)
    voice = DiskVoice(tmp_path / "audio")
    voice.late.add("promo.greeting")
    voice.stuck.add("promo.offer")
    voice.silent.add("promo.offer.fallback")
    async with bench(tmp_path, voice=voice) as site, FakeAsterisk(site.port) as asterisk:
        await answered(asterisk)
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(site.plays("promo.keys"))
        await asterisk.says("200 result=-1 endpos=80", "HANGUP")
    assert site.lines == [
        ("heard", "promo.greeting", 1000, "played"),
        ("fault", "audio: promo.offer", None, None),
        ("heard", "promo.offer", 0, "fault"),
        ("heard", "promo.keys", 10, "hang_up"),
    ]


async def test_the_fallback_is_said_instead_of_audio_that_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "RENDER_S", 0.05)
    voice = DiskVoice(tmp_path / "audio")
    voice.stuck.add("promo.offer")
    async with bench(tmp_path, voice=voice) as site, FakeAsterisk(site.port) as asterisk:
        await answered(asterisk)
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(site.plays("promo.offer.fallback"))
        await asterisk.says("200 result=-1 endpos=800", "HANGUP")
    assert site.lines == [
        ("heard", "promo.greeting", 1000, "played"),
        ("heard", "promo.offer", 100, "hang_up"),
    ]


async def test_the_longest_call_is_told_goodbye(tmp_path: Path) -> None:
    async with bench(tmp_path) as site:
        # The shortest limit of the settings is ten seconds; a test has no time for it.
        site.engine.server._limits = type(site.engine.server._limits)(max_call_s=0.3)
        async with FakeAsterisk(site.port) as asterisk:
            await answered(asterisk)
            await asterisk.expects(site.plays("promo.greeting"), 'GET FULL VARIABLE "ivr-fence"')
            await asterisk.says("200 result=1 (ivr-fence)")
            await asterisk.expects(site.plays("fallback.goodbye"))
            await asterisk.says("200 result=0 endpos=8000")
            await asterisk.expects(DONE)
    assert site.calls == [("limit", "ru")]
    [cut, goodbye] = site.lines
    assert (cut[:2], cut[3]) == (("heard", "promo.greeting"), "stopped")
    assert cut[2] in range(20, 301, 20)
    assert goodbye == ("heard", "fallback.goodbye", 1000, "played")


async def test_a_call_that_the_dialplan_has_answered_is_not_answered_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as site, FakeAsterisk(site.port) as asterisk:
        await asterisk.says(opening("inbound", "88001234567", answered=True))
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("200 result=-1 endpos=800", "HANGUP")
        await asterisk.expects_end()
    assert site.calls == [("hang_up", "ru")]


async def test_a_withheld_number_hears_no_promise_that_cannot_be_kept(tmp_path: Path) -> None:
    async with bench(tmp_path) as site, FakeAsterisk(site.port) as asterisk:
        await asterisk.says(opening("inbound", "88001234567", caller="anonymous"))
        await asterisk.expects("ANSWER")
        await asterisk.says("200 result=0")
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(site.plays("promo.offer"))
        await asterisk.says("200 result=57 endpos=4000")
        await asterisk.expects(site.plays("fallback.opt_out_not_kept"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(DONE)
    assert ("heard", "fallback.opt_out_not_kept", 1000, "played") in site.lines
    assert site.losses == [("opt_outs", "no number to call is known")]
    assert site.opt_outs == []


async def test_the_confirmation_waits_for_the_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as site, FakeAsterisk(site.port) as asterisk:
        await answered(asterisk)
        await asterisk.expects(site.plays("promo.greeting"))
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(site.plays("promo.offer"))
        await asterisk.says("200 result=57 endpos=4000")
        await asterisk.expects(site.plays("promo.opted_out"))
        async with all_rows(site.database).begin() as connection:
            listed = (await connection.execute(select(do_not_call.c.phone))).scalars().all()
        await asterisk.says("200 result=0 endpos=8000")
        await asterisk.expects(DONE)
    assert listed == ["+79161234567"]


async def test_two_hundred_calls_at_one_time(tmp_path: Path) -> None:
    async def shopper(site: Bench) -> None:
        async with FakeAsterisk(site.port) as asterisk:
            await answered(asterisk)
            await asterisk.expects(site.plays("promo.greeting"))
            await asterisk.says("200 result=0 endpos=8000")
            await asterisk.expects(site.plays("promo.offer"))
            await asterisk.says("200 result=57 endpos=4000")
            await asterisk.expects(site.plays("promo.opted_out"))
            await asterisk.says("200 result=0 endpos=8000")
            await asterisk.expects(DONE)
            await asterisk.expects_end()

    async with bench(tmp_path) as site:
        await asyncio.gather(*(shopper(site) for _ in range(200)))
    assert site.calls == [("flow", "ru")] * 200
    assert len(site.lines) == 200 * 5
