"""The end of the engine in mid-campaign, and what must not end the dialling."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from faults import UserError
from outbound import campaigns
from outbound.ledger import Ledger
from outbound.worker import Worker
from people.store.scope import Scope
from people.store.tables import lead
from tests.databases import all_rows, owning
from tests.edges.campaign_site import CampaignSite, now_ms, number, opened
from tests.edges.fake_ami import FakeAmi, Fields, Subscriber, running
from tests.edges.waiting import PATIENCE_S, until

pytestmark = pytest.mark.both_databases

RINGS = Subscriber(rings_s=60)
HOUR_S = 3600
TALKS = Subscriber(talks_s=0.5)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


async def leads(site: CampaignSite) -> list[tuple[str, int, int, str | None]]:
    async with all_rows(site.engine).begin() as connection:
        rows = select(lead.c.state, lead.c.attempts, lead.c.spared, lead.c.outcome).order_by(lead.c.id)
        return [(row.state, row.attempts, row.spared, row.outcome) for row in await connection.execute(rows)]


# ---------------------------------------------------------------- the orderly end


async def test_phones_that_ring_are_hung_up_and_their_people_are_called_later(site: CampaignSite) -> None:
    await site.campaign(6, max_attempts=1, retry_after_s=1800)
    async with running(FakeAmi(log=site.log, subscribers=lambda _: RINGS)) as fake, site.working(fake) as worker:
        await until(lambda: len(fake.channels) == 6)
        worker.stop_claiming()
        before_ms = now_ms()
        await worker.give_back()
        assert fake.channels == {}
        await worker.calls_ended(5)
        assert worker.in_flight == 0
    attempts = await site.attempts()
    assert {(row.outcome, row.answered_at_ms, row.settled_by) for row in attempts} == {("cancelled", None, "events")}
    assert await leads(site) == [("waiting", 1, 1, None)] * 6
    async with all_rows(site.engine).begin() as connection:
        due = list(await connection.scalars(select(lead.c.due_at_ms)))
    assert all(1_790_000 < each - before_ms < 1_830_000 for each in due)


async def test_who_was_cancelled_is_called_again_and_has_all_attempts_left(site: CampaignSite) -> None:
    await site.campaign(2, max_attempts=1, retry_after_s=1)
    behaviour = [RINGS]
    async with running(FakeAmi(log=site.log, subscribers=lambda _: behaviour[0])) as fake:
        async with site.working(fake) as worker:
            await until(lambda: len(fake.channels) == 2)
            await worker.stop(drain_s=1)
        behaviour[0] = TALKS
        async with site.working(fake):
            await site.until_state("finished")
    assert Counter(row.outcome for row in await site.attempts()) == {"cancelled": 2, "human": 2}
    assert await leads(site) == [("done", 2, 1, "human")] * 2


async def test_an_answer_that_crosses_the_end_is_served(site: CampaignSite) -> None:
    """Answered when we look, though no event has told us: that call goes on."""
    await site.campaign(2)
    fake = FakeAmi(log=site.log)
    fake.let_go.clear()
    async with running(fake), site.working(fake) as worker:
        await until(lambda: len(fake.channels) == 2)
        for channel in fake.channels.values():
            channel["ChannelState"] = "6"
        await worker.give_back()
        assert len(fake.channels) == 2
        fake.let_go.set()
        await worker.calls_ended(PATIENCE_S)
    assert [row.outcome for row in await site.attempts()] == ["human", "human"]


async def test_an_answer_on_its_way_when_we_hang_up_heard_nothing_and_is_called_again(site: CampaignSite) -> None:
    await site.campaign(1)
    fake = FakeAmi(log=site.log, subscribers=lambda _: RINGS)

    def answers(action: Fields) -> None:
        (uniqueid,) = fake.channels
        asyncio.get_running_loop().create_task(
            fake.emit(Event="Newstate", Uniqueid=uniqueid, ChannelState="6", ChannelStateDesc="Up")
        )

    fake.on_hangup = answers
    async with running(fake), site.working(fake) as worker:
        await until(lambda: len(fake.channels) == 1)
        await worker.stop(drain_s=1)
    assert [row.outcome for row in await site.attempts()] == ["cancelled"]


async def test_no_originate_leaves_after_the_worker_was_told_to_stop(site: CampaignSite) -> None:
    await site.campaign(300, channels=300)
    fake = FakeAmi(log=site.log, subscribers=lambda _: RINGS)
    async with running(fake), site.working(fake) as worker:
        await until(lambda: len(fake.originates) >= 20)
        worker.stop_claiming()
        # What has left is read by the other side: a question behind it is answered.
        await worker._ami.live_channels()
        left = len(fake.originates)
        await worker.give_back()
        await worker.calls_ended(10)
        assert len(fake.originates) == left
    states = Counter(await leads(site))
    assert states == {("waiting", 1, 1, None): left, ("waiting", 0, 0, None): 300 - left}
    assert len(await site.attempts()) == left


async def test_calls_in_progress_are_waited_for_and_settled(site: CampaignSite) -> None:
    await site.campaign(3)
    async with running(FakeAmi(log=site.log, subscribers=lambda _: TALKS)) as fake, site.working(fake) as worker:
        await until(lambda: [each["ChannelState"] for each in fake.channels.values()] == ["6"] * 3)
        await worker.stop(drain_s=10)
        assert worker.in_flight == 0
    assert [row.outcome for row in await site.attempts()] == ["human"] * 3


async def test_the_end_is_bounded_by_what_it_is_given(site: CampaignSite) -> None:
    await site.campaign(1)
    fake = FakeAmi(log=site.log, subscribers=lambda _: Subscriber(talks_s=HOUR_S))
    async with running(fake), site.working(fake) as worker:
        await until(lambda: [each["ChannelState"] for each in fake.channels.values()] == ["6"])
        async with asyncio.timeout(PATIENCE_S):
            await worker.stop(drain_s=0.1)
    # The next start settles it.
    assert [row.outcome for row in await site.attempts()] == [None]


#: Makes attempts refuse to be changed, as on a full disk; and takes it back.
FULL = {
    "sqlite": ("CREATE TRIGGER full BEFORE UPDATE ON attempt BEGIN SELECT RAISE(ABORT, 'disk is full'); END",),
    "postgresql": (
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE disk_full USING MESSAGE = ''disk is full''; END'",
        "CREATE TRIGGER no_room BEFORE UPDATE ON attempt EXECUTE FUNCTION no_room()",
    ),
}
ROOM = {"sqlite": ("DROP TRIGGER full",), "postgresql": ("DROP TRIGGER no_room ON attempt",)}


async def own(site: CampaignSite, *statements: str) -> None:
    """Execute what only the tables' owner may."""
    async with owning(site.engine) as engine, engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_the_end_does_not_wait_for_a_database_that_takes_nothing(site: CampaignSite) -> None:
    """A full disk keeps nobody at the terminal when all calls are over; the next start settles them."""
    await site.campaign(3)
    async with running(FakeAmi(log=site.log, subscribers=lambda _: TALKS)) as fake:
        async with site.working(fake) as worker:
            await until(lambda: [each["ChannelState"] for each in fake.channels.values()] == ["6"] * 3)
            await own(site, *FULL[site.engine.dialect.name])
            async with asyncio.timeout(PATIENCE_S):
                await worker.stop(drain_s=HOUR_S)
        assert fake.channels == {}
        assert [row.outcome for row in await site.attempts()] == [None] * 3
        await own(site, *ROOM[site.engine.dialect.name])
        async with site.working(fake):
            await site.until_state("finished")
    assert [row.outcome for row in await site.attempts()] == ["human"] * 3


async def test_the_end_without_a_link_leaves_what_rings_to_the_next_start(site: CampaignSite) -> None:
    await site.campaign(2)
    fake = FakeAmi(log=site.log, subscribers=lambda _: RINGS)
    async with running(fake), site.working(fake) as worker:
        await until(lambda: len(fake.channels) == 2)
        await fake.stop()
        async with asyncio.timeout(PATIENCE_S):
            await worker.stop(drain_s=0.1)
    assert [row.outcome for row in await site.attempts()] == [None, None]


# ---------------------------------------------------------------- nothing ends dialling in silence


async def spoil(site: CampaignSite, name: str, **columns: str) -> None:
    """What another release may have written into a campaign's row."""
    statements = {
        "rules": "UPDATE campaign SET rules = :value WHERE name = :name",
        "state": "UPDATE campaign SET state = :value WHERE name = :name",
    }
    async with all_rows(site.engine).begin() as connection:
        for column, value in columns.items():
            await connection.execute(text(statements[column]), {"value": value, "name": name})


#: The last two are no JSON, which PostgreSQL takes into no such column.
BAD_RULES = [
    '{"channels": 10, "windows": ["10:00"]}',
    '{"channels": "many"}',
    '{"machines": "robots"}',
    "[]",
    "null",
    '{"channels": 10',
    "",
]


@pytest.mark.parametrize("columns", [*({"rules": rules} for rules in BAD_RULES), {"state": "archived"}], ids=str)
async def test_a_campaign_that_is_not_understood_is_set_aside_and_the_others_go_on(
    site: CampaignSite, columns: dict[str, str], database_kind: str
) -> None:
    if database_kind == "postgresql" and columns.get("rules") in BAD_RULES[-2:]:
        with pytest.raises(DBAPIError, match="22P02"):
            await spoil(site, "old", **columns)
        return
    await site.campaign(3, name="old")
    await site.campaign(3, name="sony")
    await spoil(site, "old", **columns)
    async with running(FakeAmi(log=site.log)) as fake, site.working(fake) as worker:
        await site.until_state("finished", name="sony")
        assert len(fake.originates) == 3
        assert worker.trouble is None
    old, sony = await campaigns.list_campaigns(site.scope)
    assert (sony.fault, old.rules) == (None, None)
    assert old.fault is not None
    assert "'old' can't be dialled" in old.fault.what
    assert old.fault.mend
    if "state" in columns:
        with pytest.raises(UserError, match="does not understand"):
            await site.change("pause", name="old")
    else:
        # It can still be stopped.
        assert (await site.change("stop", name="old")).state == "stopped"


async def test_what_another_release_left_in_flight_stays_until_it_is_understood(site: CampaignSite) -> None:
    await site.campaign(1, name="old")
    async with running(FakeAmi(log=site.log, subscribers=lambda _: TALKS)) as fake:
        async with site.working(fake):
            await until(lambda: len(fake.channels) == 1)
        rules = (await campaigns.find(site.scope, name="old")).rules
        assert rules is not None
        await spoil(site, "old", rules="[]")
        await site.campaign(1, name="sony")
        async with site.working(fake):
            await site.until_state("finished", name="sony")
        assert [row.outcome for row in await site.attempts() if row.campaign_id == 1] == [None]
        await spoil(site, "old", rules=rules.model_dump_json())
        async with site.working(fake):
            await site.until_state("finished", name="old")
    assert len(fake.originates) == 2


@pytest.mark.parametrize("error", [TimeoutError("pool"), OSError(28, "No space left on device"), KeyError("x")])
async def test_an_error_of_a_turn_is_told_and_the_turn_is_taken_again(
    site: CampaignSite, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.campaign(2)
    fail = [error, error]

    async def read(self: Worker) -> None:
        if fail:
            raise fail.pop()
        await whole(self)

    whole = Worker._read
    monkeypatch.setattr(Worker, "_read", read)
    async with running(FakeAmi(log=site.log)) as fake, site.working(fake) as worker:
        await until(lambda: worker.trouble is not None)
        await site.until_state("finished")
        assert worker.trouble is None


@pytest.mark.sqlite_only("locked as a whole by one writer")
async def test_a_locked_database_is_waited_for(site: CampaignSite) -> None:
    await site.campaign(3)
    async with running(FakeAmi(log=site.log)) as fake:
        with sqlite3.connect(site.folder / "ivr.sqlite3", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            async with site.working(fake):
                await until(lambda: len(fake.links) == 1)
                other.execute("ROLLBACK")
                await site.until_state("finished")
        other.close()
    assert sorted(fake.dialled()) == [number(n) for n in range(3)]


async def test_one_campaign_whose_claim_fails_does_not_keep_the_others(
    site: CampaignSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await site.campaign(1, name="bad")
    await site.campaign(3, name="sony")
    whole = Ledger.claim

    async def claim(self: Ledger, scope: Scope, campaign_id: int, *args: object, **kwargs: object) -> object:
        if campaign_id == bad.id:
            raise ValueError("a row that nobody expects")
        return await whole(self, scope, campaign_id, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "claim", claim)
    async with running(FakeAmi(log=site.log)) as fake, site.working(fake) as worker:
        await site.until_state("finished", name="sony")
        assert worker.trouble == "a row that nobody expects"
    assert len(fake.originates) == 3
