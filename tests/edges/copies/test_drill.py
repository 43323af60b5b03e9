"""The drill: a campaign half done is copied and goes on, the older copy is put back, and nobody is rung twice."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.copies.backup import take
from app.copies.restore import Restored, put_copy_back
from faults import UserError
from ivr.settings import Site
from ivr.site import init_site
from outbound.restored import Compared, compare, last_restored, paused_by_restoring
from people import do_not_call
from people.store.tables import contact, lead
from tests.databases import all_rows
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, now_ms, number, opened
from tests.edges.fake_ami import FakeAmi, running
from tests.edges.waiting import PATIENCE_S, until

LEADS = 40


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return init_site(tmp_path / "site", {"trunk.host": "127.0.0.1"})


class Drill:
    def __init__(self, site: Site, fake: FakeAmi) -> None:
        self.site, self.fake = site, fake
        self.copy = site.folder.parent / "night.ivrcopy"
        #: Calls that no copy has.
        self.since_copy = 0

    @property
    def log(self) -> Path:
        return self.site.var / "log"

    async def half_done(self, *, copied_after: int, ended_after: int, **rules: Any) -> None:
        """A campaign that is copied after so many calls, goes on, and whose engine is killed after more."""
        async with opened(self.site.var) as campaign:
            await campaign.campaign(LEADS, channels=3, **rules)
            async with campaign.working(self.fake):
                await until(lambda: len(self.fake.originates) >= copied_after)
                await take(self.site, self.copy, now_ms=now_ms())
                copied = len(self.fake.originates)
                await until(lambda: len(self.fake.originates) >= ended_after)
        self.since_copy = len(self.fake.originates) - copied
        await until(lambda: not self.fake.channels)

    async def restored(self) -> Restored:
        return await put_copy_back(self.copy, self.site.folder, now_ms=now_ms())

    async def goes_on(self) -> Compared:
        """The site starts as `ivr up` starts it, a person resumes the campaign, and it is dialled to its end."""
        before = len(self.fake.originates)
        async with opened(self.site.var) as campaign:
            await compare(campaign.engine, self.log, now_ms=now_ms())
            found = await last_restored(campaign.engine)
            assert found is not None
            assert await paused_by_restoring(campaign.scope) == ["sony"]
            async with campaign.working(self.fake):
                # What was in flight is settled, and nobody is dialled.
                await until(lambda: not self.fake.channels)
                await self._settled(campaign)
                assert len(self.fake.originates) == before
                await campaign.change("resume")
                await campaign.until_state("finished")
            states = await campaign.lead_states()
            assert set(states.values()) == {"done"}
            # Every ring is accounted for.
            assert {row.id for row in await campaign.attempts()} >= {each["ChannelId"] for each in self.fake.originates}
        return found

    async def _settled(self, campaign: CampaignSite) -> None:
        async def open_attempts() -> int:
            return sum(row.outcome is None for row in await campaign.attempts())

        async with asyncio.timeout(PATIENCE_S):
            while await open_attempts():
                await campaign.clock.sleep(0.05)

    def rung_twice(self) -> list[str]:
        return [phone for phone, times in Counter(self.fake.dialled()).items() if times > 1]


def damaged(site: Site) -> None:
    for path in site.var.glob("ivr.sqlite3*"):
        path.write_bytes(b"\0" * 4096)


def gone(site: Site) -> None:
    for path in site.var.glob("ivr.sqlite3*"):
        # The last connection, which takes the files beside the database along, may close just now.
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("copied_after", [1, 20])
@pytest.mark.parametrize("lost", [None, damaged, gone, "records"], ids=["nothing", "damaged", "gone", "records"])
async def test_nobody_is_rung_twice(site: Site, copied_after: int, lost: object) -> None:
    fake = FakeAmi(log=site.var / "log")
    drill = Drill(site, fake)
    async with running(fake):
        await drill.half_done(copied_after=copied_after, ended_after=copied_after + 12)
        if callable(lost):
            lost(site)
        elif lost == "records":
            shutil.rmtree(drill.log)
        done = await drill.restored()
        assert bool(done.unread) == (lost is damaged)
        found = await drill.goes_on()
    assert drill.rung_twice() == []
    assert sorted(fake.dialled()) == [number(n) for n in range(LEADS)]
    # Of those that were called when the engine died, some may have no record.
    assert found.found >= drill.since_copy - 3
    assert found.strangers == 0


async def test_who_was_busy_before_the_copy_and_rung_since_is_not_rung_again(site: Site) -> None:
    fake = FakeAmi(log=site.var / "log", subscribers=lambda _: fake_ami.BUSY)
    drill = Drill(site, fake)
    async with running(fake):
        await drill.half_done(copied_after=LEADS, ended_after=2 * LEADS, max_attempts=2, retry_after_s=1)
        gone(site)
        await drill.restored()
        await drill.goes_on()
    # Two attempts each, as the campaign's rules allow, and no third.
    assert Counter(Counter(fake.dialled()).values()) == {2: LEADS}


async def test_a_call_that_is_in_the_records_and_in_the_journal_is_one(site: Site) -> None:
    """The engine was killed with lines in its file, which the next one brings into the database that was put back."""
    fake = FakeAmi(log=site.var / "log")
    drill = Drill(site, fake)
    async with running(fake):
        await drill.half_done(copied_after=5, ended_after=12)
        gone(site)
        await drill.restored()
        async with opened(site.var) as campaign:
            await campaign.journal_call(fake.originates[-1]["ChannelId"], answered_at_ms=now_ms())
        await drill.goes_on()
    assert drill.rung_twice() == []
    assert sorted(fake.dialled()) == [number(n) for n in range(LEADS)]


async def test_without_any_record_people_are_counted_and_a_person_has_to_say_so(site: Site) -> None:
    fake = FakeAmi(log=site.var / "log")
    drill = Drill(site, fake)
    async with running(fake):
        await drill.half_done(copied_after=5, ended_after=20)
        gone(site)
        shutil.rmtree(drill.log)
        await drill.restored()
        async with opened(site.var) as campaign:
            await compare(campaign.engine, drill.log, now_ms=now_ms())
            found = await last_restored(campaign.engine)
            waiting = list((await campaign.lead_states()).values()).count("waiting")
            rung = len(fake.originates)
            async with campaign.working(fake):
                await drill._settled(campaign)
                assert await campaign.state() == "paused"
                assert len(fake.originates) == rung
    assert found is not None
    assert found.done
    assert found.unseen == waiting > 0


async def test_a_campaign_made_since_the_copy_is_told(site: Site) -> None:
    fake = FakeAmi(log=site.var / "log")
    drill = Drill(site, fake)
    async with running(fake):
        async with opened(site.var) as campaign:
            await campaign.campaign(3)
            async with campaign.working(fake):
                await campaign.until_state("finished")
            await take(site, drill.copy, now_ms=now_ms())
            await campaign.campaign(4, name="tv")
            async with campaign.working(fake):
                await campaign.until_state("finished", name="tv")
        gone(site)
        await drill.restored()
        async with opened(site.var) as campaign:
            await compare(campaign.engine, drill.log, now_ms=now_ms())
            found = await last_restored(campaign.engine)
            assert found is not None
            assert (found.found, found.strangers, found.unseen) == (0, 4, 0)
            # Their ids don't come back to others.
            await campaign.campaign(1, name="new")
            async with all_rows(campaign.engine).begin() as connection:
                assert max((await connection.execute(select(lead.c.id))).scalars()) > 7


async def test_another_s_lead_of_the_same_id_is_not_taken_for_it(site: Site) -> None:
    """The database that is replaced may have gone another way than the copy."""
    fake = FakeAmi(log=site.var / "log")
    drill = Drill(site, fake)
    async with running(fake):
        async with opened(site.var) as campaign:
            await campaign.campaign(2)
            await take(site, drill.copy, now_ms=now_ms())
            async with campaign.working(fake):
                await campaign.until_state("finished")
            async with all_rows(campaign.engine).begin() as connection:
                await connection.execute(update(contact).values(phone=func.replace(contact.c.phone, "+7916", "+7917")))
        shutil.rmtree(drill.log)
        await drill.restored()
        async with opened(site.var) as campaign:
            found = await last_restored(campaign.engine)
    assert found is not None
    assert (found.found, found.strangers) == (0, 2)


async def test_whoever_opted_out_since_the_copy_is_never_dialled(site: Site) -> None:
    fake = FakeAmi(log=site.var / "log")
    drill = Drill(site, fake)
    async with running(fake):
        async with opened(site.var) as campaign:
            await campaign.campaign(LEADS)
            await take(site, drill.copy, now_ms=now_ms())
            phones = [f"+{number(n)}" for n in range(0, LEADS, 2)]
            await do_not_call.add(campaign.scope, phones=phones, source="call", now_ms=now_ms())
        done = await drill.restored()
        assert done.opt_outs == LEADS // 2
        async with opened(site.var) as campaign:
            await compare(campaign.engine, drill.log, now_ms=now_ms())
            await campaign.change("resume")
            async with campaign.working(fake):
                await campaign.until_state("finished")
            (reason,) = {row.source for row in await do_not_call.entries(campaign.scope)}
            assert reason == "call"
    assert sorted(fake.dialled()) == [number(n) for n in range(1, LEADS, 2)]


async def test_a_copy_is_put_back_into_a_new_folder(site: Site, tmp_path: Path) -> None:
    async with opened(site.var) as campaign:
        await campaign.campaign(3)
        await take(site, tmp_path / "x.ivrcopy", now_ms=now_ms())
    new = tmp_path / "elsewhere"
    done = await put_copy_back(tmp_path / "x.ivrcopy", new, now_ms=now_ms())
    assert (done.aside, done.new_secrets) == (None, True)
    async with opened(new / "var") as campaign:
        assert await campaign.state() == "paused"
        assert len(await campaign.lead_states()) == 3
    with pytest.raises(UserError, match="neither empty nor a site's"):
        await put_copy_back(tmp_path / "x.ivrcopy", tmp_path, now_ms=now_ms())


async def test_of_attempts_that_name_nobody_it_is_said_that_anybody_may_have_been_rung(site: Site) -> None:
    """A release before wrote no lead into its attempts' ids."""
    async with opened(site.var) as campaign:
        await campaign.campaign(5)
        await take(site, site.folder / "x.ivrcopy", now_ms=now_ms())
    await put_copy_back(site.folder / "x.ivrcopy", site.folder, now_ms=now_ms())
    record = site.var / "log/cdr-custom/ivr.csv"
    record.parent.mkdir(parents=True)
    lines = [(f"a{n:032x}", now_ms() / 1000 + after) for n, after in ((1, -100), (2, 1))]
    record.write_text("".join(f'"{id}","PJSIP/trunk-1","x",{s:.6f},0.0,{s:.6f},BUSY,0,""\n' for id, s in lines))
    async with opened(site.var) as campaign:
        await compare(campaign.engine, site.var / "log", now_ms=now_ms())
        found = await last_restored(campaign.engine)
    assert found is not None
    assert (found.found, found.strangers, found.unseen) == (0, 1, 5)
