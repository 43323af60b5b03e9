"""Sites with a flow of a few words, on one database, and an engine that says them to a fake Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.service.publishing import Publishing
from app.service.reporter import Reporter
from faults import Fault
from ivr.engine import Engine
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.site import init_site
from ivr.tenants import Tenants, alone
from ivr.versions.loaded import Versions
from outbound import campaigns, launch
from outbound.campaigns import Rules
from outbound.clock import Clock
from people.store.scope import Scope
from people.store.tables import attempt, lead
from prompts.library import Library
from prompts.render import Spoken
from prompts.voice import Clip
from tests.edges.fake_asterisk import KEY, FakeAsterisk, opening

CLOCK = Clock()
#: Of the person in people.csv.
PHONE = "+79161234567"
HOTLINE = """
flow: hotline
kind: hotline
start: greeting
languages: [ru]
nodes: {greeting: {play: {say: hotline.more, then: goodbye}}}
"""
PROMO = """
flow: promo
kind: promo
start: offer
main_message: promo.offer
languages: [ru]
variables: {}
nodes:
  offer:
    menu:
      say: promo.offer
      keys: {1: {to: more, follow_up: true}, 9: never}
      no_input: {then: goodbye}
  more: {play: {say: common.connecting, then: goodbye}}
  never: {opt_out: {say: promo.opted_out, then: goodbye}}
"""
OFFER = "prompts/texts/ru.yaml"
#: With what the calls here begin.
SAID = ("promo.offer", "hotline.more", "fallback.goodbye", "fallback.unknown_number")


class Quiet(Reporter):
    """Makes no speech: of what is said here, a quarter of a second of silence is the clip, one for each text."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def warning(self, fault: Fault) -> None:
        self.faults.append(fault)

    def left_out(self, fault: Fault) -> None:
        self.faults.append(fault)

    def render(self, library: Library, wanted: Iterator[Spoken], pin: str) -> None:
        for each in wanted:
            if each.language == "ru" and each.text in SAID:
                put_silence(library, each)


def put_silence(library: Library, spoken: Spoken) -> None:
    (speaker, *_) = library.speakers(spoken.language)
    for fragment in library.phrases.fragments(spoken.language, spoken.text, spoken.values):
        name = library.name(fragment, speaker)
        assert name is not None
        if library.cache.find(name) is None:
            library.cache.put(name, np.zeros(2000, np.int16))


def make_shop(folder: Path, *, offer: str | None = "Телевизор дешевле.") -> Site:
    """A site whose promo says `offer`; without one it has no promo flow."""
    site = init_site(folder, {"trunk.host": "127.0.0.1"})
    (folder / "dialplans/promo.yaml").unlink()
    (folder / "dialplans/hotline.yaml").write_text(HOTLINE, "utf-8")
    with (folder / "ivr.toml").open("a", encoding="utf-8") as settings:
        settings.write('[prompts.engine]\nru = "espeak"\nuk = "espeak"\nen = "espeak"\n')
    if offer is not None:
        (folder / "dialplans/promo.yaml").write_text(PROMO, "utf-8")
        say(site, offer)
    return load_site(folder)


def say(site: Site, offer: str) -> None:
    """Edit the text of the promo."""
    (site.folder / OFFER).write_text(f"promo: {{offer: {offer}}}\n", "utf-8")


async def make_campaign(scope: Scope, site: Site, name: str) -> campaigns.Campaign:
    """Made of what the folder holds, and running; its audio is not made."""
    people = site.folder / f"{name}.csv"
    people.write_text(f"phone\n{PHONE}\n", "utf-8")
    rules = Rules.of(site.settings.outbound)
    await launch.create(scope, site, name=name, flow="promo", contacts=people, rules=rules, clock=CLOCK)
    return await campaigns.change_state(scope, name=name, action="start", now_ms=CLOCK.now_ms())


async def plan_attempt(scope: Scope, campaign: campaigns.Campaign, id: str) -> None:
    """What the dialler writes before the phone rings."""
    async with scope.begin() as connection:
        lead_id = await connection.scalar(select(lead.c.id).where(lead.c.campaign_id == campaign.id))
        row = {"id": id, "campaign_id": campaign.id, "lead_id": lead_id, "number": 1, "planned_at_ms": 1}
        await connection.execute(insert(attempt).values(dialled_at_ms=1, **row))


@dataclass(kw_only=True)
class Running:
    """A site's engine, with what looks at its folder."""

    site: Site
    scope: Scope
    publishing: Publishing
    versions: Versions
    engine: Engine
    reporter: Quiet
    #: Versions that were taken while it ran.
    taken: list[int | None] = field(default_factory=list)

    async def look(self, times: int = 1) -> None:
        async def changed() -> None:
            self.taken.append(self.versions.current.number)

        for _ in range(times):
            await self.publishing.look(self.versions, changed)

    async def edited(self) -> None:
        """An edit is seen, and taken when it has settled."""
        await self.look(2)

    async def begins_with(self, script: str, uniqueid: str = "1.1") -> str:
        """What `first_clip` gives of a call that comes in, or was answered."""
        args = ["100"] if script == "inbound" else []
        return await first_clip(self.engine, opening(script, *args, uniqueid=uniqueid))


@contextlib.asynccontextmanager
async def answering(tenants: Tenants, database: AsyncEngine, site: Site) -> AsyncIterator[Engine]:
    """The engine of `site`, with which a FakeAsterisk may speak."""
    engine = Engine(tenants, database=database, agi_key=KEY, var=site.var)
    await engine.journal.start()
    await engine.server.start("127.0.0.1", 0)
    try:
        yield engine
    finally:
        await engine.drain(5)


async def first_clip(engine: Engine, begins: bytes, *, key: str = "") -> str:
    """The command that speaks the first clip of a call; the caller then presses `key`, if any, and hangs up."""
    async with FakeAsterisk(engine.server.port) as asterisk:
        await asterisk.says(begins)
        heard = await asterisk.hears()
        if heard == "ANSWER":
            await asterisk.says("200 result=0")
            heard = await asterisk.hears()
        if key:
            await asterisk.says(f"200 result={ord(key)} endpos=800")
            await asterisk.hears()
        await asterisk.says("200 result=-1 endpos=800", "HANGUP")
        await asterisk.expects_end()
    return heard


@contextlib.asynccontextmanager
async def running(site: Site, scope: Scope) -> AsyncIterator[Running]:
    reporter = Quiet()
    publishing = Publishing(site, scope, reporter)
    versions = await publishing.begin()
    try:
        async with answering(alone(site.settings, versions), scope.database, site) as engine:
            yield Running(
                site=site,
                scope=scope,
                publishing=publishing,
                versions=versions,
                engine=engine,
                reporter=reporter,
            )
    finally:
        await asyncio.to_thread(publishing.close)


def speaks(clip: Clip) -> str:
    return f'STREAM FILE "{clip.path}" "0123456789*#" 0'


def clip_of(site: Site, text: str) -> Clip:
    """The first clip of a text as the site's folder has it now."""
    from ivr.speech import open_library

    with contextlib.closing(open_library(site)) as library:
        put_silence(library, Spoken("ru", text))
        clips = library.clips("ru", text, {})
        assert clips
        return clips[0]
