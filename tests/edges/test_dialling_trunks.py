"""Campaigns over several trunks: which one carries a number, what each takes, and what becomes of one that fails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ivr.settings import Settings
from ivr.trunks import InUse
from outbound.why import explain
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, number
from tests.edges.fake_ami import FakeAmi, Subscriber
from tests.edges.test_dialling_time import Hours, until
from tests.unit.outbound.test_pacing import busiest_second

REFUSES = Subscriber(refuses=(0, 34, 503), rings_s=0.1)


@pytest.fixture
def hours(tmp_path: Path) -> Hours:
    return Hours(tmp_path)


def settings(main: dict[str, object] | None = None, **others: dict[str, object]) -> Settings:
    """A site with these trunks beside the first."""
    host = {"host": "127.0.0.1"}
    return Settings.model_validate(
        {"trunk": host | (main or {}), "trunks": {name: host | how for name, how in others.items()}}
    )


def test_each_number_goes_by_the_trunk_that_carries_it(hours: Hours) -> None:
    caller, first = "+74950000001", f"+{number(1)}"
    beginning: dict[str, object] = {"prefixes": [first], "dial_format": "9{digits}", "caller_id": caller}

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(3)
        async with site.working(fake, settings=settings(special=beginning)):
            await site.until_state("finished")
        assert [row.trunk for row in await site.attempts()] == ["main", "special", "main"]

    fake = hours.run(main, fake_ami.PERSON)
    special = f"PJSIP/9{number(1)}@trunk-special"
    assert {each["Channel"] for each in fake.originates} == {
        *(f"PJSIP/{number(n)}@trunk" for n in (0, 2)),
        special,
    }
    assert [each.get("CallerID") for each in fake.originates if each["Channel"] == special] == [caller]


def test_no_trunk_has_more_calls_than_it_carries_and_the_next_takes_the_rest(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.let_go.clear()
        await site.campaign(6)
        await site.campaign(6, name="lg")
        both = settings({"channels": 2}, second={"channels": 3, "position": 1})
        async with site.working(fake, settings=both) as worker:
            await until(site, lambda: len(fake.channels) == 5, within_s=60)
            await site.clock.sleep(5)
            assert Counter(fake.by()) == {"trunk": 2, "trunk-second": 3}
            fake.let_go.set()
            for name in ("sony", "lg"):
                await site.until_state("finished", name=name, within_s=120)
            assert worker.trunks.free("shop") == 5

    fake = hours.run(main, Subscriber(rings_s=1, talks_s=1))
    assert fake.most_channels == 5
    assert len(fake.originates) == 12


def test_each_trunk_keeps_its_own_pace(hours: Hours) -> None:
    both = settings({"calls_per_second": 2}, second={"calls_per_second": 4, "position": 1})

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(60)
        async with site.working(fake, settings=both):
            await site.until_state("finished", within_s=120)

    fake = hours.run(main, fake_ami.PERSON)
    for endpoint, most in (("trunk", 2), ("trunk-second", 4)):
        came = [at_s for at_s, by in zip(fake.came_at_s, fake.by(), strict=True) if by == endpoint]
        assert busiest_second(came) <= most
        assert len(came) >= 10


def test_who_can_not_be_carried_waits_for_a_trunk_and_others_go_on(hours: Hours) -> None:
    narrow = settings({"prefixes": [f"+{number(n)}" for n in (0, 2)]})

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(3)
        async with site.working(fake, settings=narrow) as worker:
            await until(site, lambda: sum(row == "trunk" for row in fake.by()) == 2, within_s=60)
            await site.clock.sleep(5)
            assert await site.lead_states() == {number(0): "done", number(1): "waiting", number(2): "done"}
            used, now_ms = worker.trunks.in_use.trunks, site.clock.now_ms()
            why = await explain(site.scope, name="sony", phone=f"+{number(1)}", trunks=used, now_ms=now_ms)
            assert (why.decision.because, why.attempts) == ("no_trunk", 0)
            worker.trunks.use(InUse.of(settings()).trunks)
            await site.until_state("finished", within_s=120)
        assert [row.number for row in await site.attempts()] == [1, 1, 1]

    assert len(hours.run(main, fake_ami.PERSON).originates) == 3


def test_nobody_is_dialled_by_a_trunk_that_changes_just_now(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(60, calls_per_second=10)
        async with site.working(fake, settings=settings()) as worker:
            await until(site, lambda: len(fake.originates) == 10, within_s=60)
            worker.trunks.changing = {"main"}
            left = len(fake.originates)
            await site.clock.sleep(5)
            assert len(fake.originates) == left
            worker.trunks.use(InUse.of(settings({"port": 5080})).trunks)
            await site.until_state("finished", within_s=60)

    assert len(hours.run(main, fake_ami.PERSON).originates) == 60


def test_what_no_trunk_took_goes_by_the_next_and_costs_no_attempt(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.trunks["trunk"] = REFUSES
        await site.campaign(4, max_attempts=1, calls_per_second=1)
        async with site.working(fake, settings=settings(second={"position": 1})):
            await site.until_state("finished", within_s=120)
        attempts = await site.attempts()
        assert Counter((row.trunk, row.outcome) for row in attempts) == {
            # Passed over after the first, for longer than the others take.
            ("main", "congestion"): 1,
            ("second", "human"): 4,
        }
        assert set((await site.lead_states()).values()) == {"done"}

    hours.run(main, fake_ami.PERSON)


def test_a_trunk_that_takes_calls_again_is_used_again(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.trunks["trunk"] = REFUSES
        await site.campaign(60, max_attempts=1, calls_per_second=1)
        async with site.working(fake, settings=settings(second={"position": 1})):
            await until(site, lambda: fake.by().count("trunk") == 2, within_s=60)
            del fake.trunks["trunk"]
            await site.until_state("finished", within_s=120)

    by = hours.run(main, fake_ami.PERSON).by()
    assert by.count("trunk-second") >= 12
    assert set(by[-20:]) == {"trunk"}


@pytest.mark.parametrize("tells", ["RINGING", "PROGRESS"])
def test_whoever_may_have_been_rung_is_not_rung_by_another_trunk(hours: Hours, tells: str) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.trunks["trunk"] = Subscriber(refuses=(0, 34, 503), tells=tells)
        await site.campaign(1)
        async with site.working(fake, settings=settings(second={"position": 1})):
            await site.until_state("finished", within_s=120)

    assert hours.run(main, fake_ami.PERSON).by() == ["trunk"]


def test_a_trunk_alone_is_as_it_was(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.trunks["trunk"] = REFUSES
        await site.campaign(3)
        async with site.working(fake, settings=settings(other={"prefixes": ["+380"]})):
            await site.until_state("finished", within_s=120)
        assert [row.outcome for row in await site.attempts()] == ["congestion"] * 3

    hours.run(main, fake_ami.PERSON)


def test_a_trunk_that_does_not_answer_is_passed_over_and_its_calls_go_by_the_next(hours: Hours) -> None:
    silent = Subscriber(refuses=(3, 19, 480), rings_s=30)

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.trunks["trunk"] = silent
        await site.campaign(2, max_attempts=1, calls_per_second=1)
        async with site.working(fake, settings=settings(second={"position": 1})) as worker:
            await until(site, lambda: len(fake.channels) == 2, within_s=60)
            worker.trunks.answering(["main"])
            await site.until_state("finished", within_s=120)
        assert Counter((row.trunk, row.outcome) for row in await site.attempts()) == {
            ("main", "no_answer"): 2,
            ("second", "human"): 2,
        }

    hours.run(main, fake_ami.PERSON)


def test_one_that_asterisk_does_not_know_is_passed_over(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        fake.trunks["trunk"] = Subscriber(refuses=(0, 0, 0), no_channel=True)
        await site.campaign(1, max_attempts=1)
        async with site.working(fake, settings=settings(second={"position": 1})):
            await site.until_state("finished", within_s=120)
        assert [(row.trunk, row.outcome) for row in await site.attempts()] == [("main", "failed"), ("second", "human")]

    hours.run(main, fake_ami.PERSON)
