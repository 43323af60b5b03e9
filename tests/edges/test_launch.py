"""Making, rendering, starting and following campaigns as functions, without a command and without a word printed."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from faults import AuthorError, UserError
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.site import free_ports, init_site
from outbound import campaigns, following, launch
from outbound.campaigns import Rules
from outbound.clock import Clock
from outbound.launch import Made, Note
from people.store.scope import Scope
from people.store.tables import campaign
from prompts.engines.choice import engines
from prompts.render import Told
from tests.databases import a_database, all_rows

CLOCK = Clock()


@pytest.fixture(autouse=True)
def silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """A page or an API that asks has no terminal; events belong in the log."""
    with capture_logs():
        yield
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


@dataclass(frozen=True)
class Desk:
    site: Site
    database: AsyncEngine

    @property
    def scope(self) -> Scope:
        return Scope(self.database, "shop")

    async def make(self, rows: str, *, name: str = "tv", flow: str = "promo") -> Made:
        path = self.site.folder / "people.csv"
        path.write_text(rows, "utf-8")
        rules = Rules.of(self.site.settings.outbound)
        return await launch.create(self.scope, self.site, name=name, flow=flow, contacts=path, rules=rules, clock=CLOCK)

    async def state(self, name: str = "tv") -> str:
        return (await following.look(self.scope, name)).campaign.state


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    folder = tmp_path / "shop"
    init_site(folder, {**free_ports(), "trunk.host": "127.0.0.1"})
    with (folder / "ivr.toml").open("a", encoding="utf-8") as settings:
        # The quickest voice there is.
        settings.write('[prompts.engine]\nru = "espeak"\nuk = "espeak"\nen = "espeak"\n')
    site = load_site(folder)
    async with a_database(site.var) as database:
        yield Desk(site, database)


async def test_what_was_made_and_what_people_will_not_hear(desk: Desk) -> None:
    made = await desk.make("phone,name,price,city\n+79161234567,Иван,дёшево,Тверь\n123,Пётр,5,\n")
    assert (made.created.leads, made.created.refused) == (1, {"invalid_number": 1})
    of_the_file = [note.what for note in made.notes if note.line is None]
    assert any("There is no column until, which promo.until needs; everybody hears: " in what for what in of_the_file)
    (value,) = (note for note in made.notes if note.line is not None)
    assert value.line == 2
    assert value.what.startswith('price: "дёшево" is not an amount.')
    assert all(isinstance(note, Note) for note in made.notes)
    assert await desk.state() == "ready"


@pytest.mark.parametrize(
    ("rows", "flow", "message"),
    [
        ("phone\n123\n", "promo", "Nobody in the file can be called"),
        ("phone\n+79161234567\n", "hotline", "'hotline' answers callers; it is no promo flow. Choose one of: promo."),
        ("name\nИван\n", "promo", "There is no column phone"),
    ],
)
async def test_what_is_refused_leaves_nothing(desk: Desk, rows: str, flow: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        await desk.make(rows, flow=flow)
    assert message in str(refused.value)
    assert await following.look_at_all(desk.scope) == []


async def test_a_campaign_is_rendered_then_started(desk: Desk) -> None:
    engines()["espeak"].install(lambda _what, _percent: None)
    await desk.make("phone,name,price\n+79161234567,Иван,100\n")
    seen: list[tuple[int, int]] = []
    told = Told(made=lambda done, of: seen.append((done, of)))
    started = await launch.start(desk.scope, desk.site, "tv", clock=CLOCK, told=told)
    assert started.campaign.state == "running"
    assert started.campaign.started_at_ms is not None
    rendered = started.rendered
    assert rendered is not None
    assert (rendered.made, rendered.failed) == (rendered.distinct, ())
    assert seen[-1] == (rendered.distinct, rendered.distinct)
    # What the people of the campaign hear is there now.
    assert (await launch.render(desk.scope, desk.site, "tv", clock=CLOCK)).made == 0
    with pytest.raises(UserError, match="'tv' is running: it can't start"):
        await launch.start(desk.scope, desk.site, "tv", clock=CLOCK)


async def test_a_campaign_whose_audio_can_not_be_made_is_not_started(desk: Desk) -> None:
    await desk.make("phone\n+79161234567\n")
    settings = desk.site.folder / "ivr.toml"
    settings.write_text(settings.read_text("utf-8").replace('= "espeak"', '= "nobody"'), "utf-8")
    with pytest.raises(AuthorError, match="nobody"):
        await launch.start(desk.scope, load_site(desk.site.folder), "tv", clock=CLOCK)
    assert await desk.state() == "ready"


async def test_a_campaign_that_this_release_does_not_understand_is_not_started(desk: Desk) -> None:
    await desk.make("phone\n+79161234567\n")
    async with all_rows(desk.database).begin() as connection:
        await connection.execute(update(campaign).values(rules={"weekdays": "never"}))
    with pytest.raises(UserError, match="this release does not understand the rule"):
        await launch.start(desk.scope, desk.site, "tv", clock=CLOCK)
    assert await desk.state() == "ready"


async def test_following_ends_with_the_campaign(desk: Desk) -> None:
    await desk.make("phone\n+79161234567\n")
    states = []
    async for standing in following.follow(desk.scope, "tv", clock=CLOCK, every_s=0.0):
        states.append((standing.campaign.state, standing.over))
        if not standing.over:
            await campaigns.change_state(desk.scope, name="tv", action="stop", now_ms=CLOCK.now_ms())
    assert states == [("ready", False), ("stopped", True)]


async def test_whether_somebody_dials(desk: Desk) -> None:
    agi = desk.site.settings.agi
    assert not await following.engine_runs(desk.site, clock=CLOCK)
    with socket.create_server((agi.host, agi.port)):
        assert await following.engine_runs(desk.site, clock=CLOCK)
