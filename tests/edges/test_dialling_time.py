"""Hours of dialling in seconds: rests, steps of the clock, restarts, and the pace at the peer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from ivr.settings import Settings, Trunk
from outbound.running import Open, RunningCampaigns
from outbound.worker import Worker
from people import do_not_call
from people.store.tables import lead
from tests.databases import all_rows
from tests.edges import fake_ami
from tests.edges.campaign_site import SETTINGS, CampaignSite, brief, number, opened
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.virtual_clock import VirtualClock, run
from tests.unit.outbound.test_pacing import busiest_second

HOUR_S = 3600.0
REST_S = 1800
#: Seen within a poll, and the call itself.
SOON_S = 40.0

Main = Callable[[CampaignSite, FakeAmi], Coroutine[Any, Any, None]]


class Hours:
    """A site and its operator on a virtual clock."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.folder = VirtualClock(), folder

    def run(self, main: Main, *subscribers: Subscriber) -> FakeAmi:
        """Subscriber n behaves as subscribers[n], the last for all that follow."""
        fake = FakeAmi(
            clock=self.clock,
            log=self.folder / "log",
            subscribers=lambda digits: subscribers[min(int(digits[4:]), len(subscribers) - 1)],
        )

        async def opened_main() -> None:
            async with opened(self.folder, self.clock) as site, running(fake):
                await main(site, fake)

        run(self.clock, opened_main)
        return fake


@pytest.fixture
def hours(tmp_path: Path) -> Hours:
    return Hours(tmp_path)


RINGS = Subscriber(refuses=(3, 19, 480), rings_s=20.0)


async def until(site: CampaignSite, condition: Callable[[], bool], *, within_s: float) -> None:
    deadline_s = site.clock.monotonic_s() + within_s
    while not condition():
        assert site.clock.monotonic_s() < deadline_s
        await site.clock.sleep(0.05)


def test_a_campaign_with_rests_of_half_an_hour(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(5, max_attempts=3, retry_after_s=REST_S)
        async with site.working(fake):
            await site.until_state("finished", within_s=2 * HOUR_S)
        attempts = await site.attempts()
        assert [row.outcome for row in attempts] == ["no_answer"] * 3 * 4 + ["human"]
        for before, after in itertools.pairwise(attempts):
            if after.phone == before.phone:
                assert 0 <= after.planned_at_ms - before.ended_at_ms - REST_S * 1000 < 1_000

    fake = hours.run(main, RINGS, RINGS, RINGS, RINGS, Subscriber(rings_s=5, talks_s=60))
    assert len(fake.originates) == 13
    assert 3600 < hours.clock.monotonic_s() - 1000 < 3600 + 600


# ---------------------------------------------------------------- the clock steps


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("phase", ["waiting", "ringing", "talking", "resting"])
def test_a_step_of_the_clock_strands_nobody_and_shrinks_no_rest(
    hours: Hours, phase: str, restart: bool, step_s: float
) -> None:
    """With a restart the engine is killed after it has seen the step, and comes up a minute later."""
    clock = hours.clock

    async def at_phase(site: CampaignSite, fake: FakeAmi) -> None:
        channels = fake.channels.values
        if phase == "ringing":
            await until(site, lambda: len(fake.channels) == 3, within_s=60)
        elif phase == "talking":
            await until(site, lambda: any(each["ChannelState"] == "6" for each in channels()), within_s=60)
        elif phase == "resting":
            await until(site, lambda: len(fake.originates) == 3 and not fake.channels, within_s=200)
            await clock.sleep(600)

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(3, max_attempts=2, retry_after_s=REST_S)
        if phase == "waiting":
            clock.step(step_s)
        async with site.working(fake):
            await at_phase(site, fake)
            if phase != "waiting":
                clock.step(step_s)
            await clock.sleep(2)
            if not restart:
                await site.until_state("finished", within_s=HOUR_S)
        if restart:
            await clock.sleep(60)
            async with site.working(fake):
                await site.until_state("finished", within_s=HOUR_S)
        outcomes = sorted((row.phone[1:], row.outcome) for row in await site.attempts())
        silent = [(number(n), "no_answer") for n in (0, 0, 1, 1)]
        assert outcomes == [*silent, (number(2), "human")]

    fake = hours.run(main, RINGS, RINGS, Subscriber(rings_s=10, talks_s=90))
    for n in (0, 1):
        came = [at for at, digits in zip(fake.came_at_s, fake.dialled(), strict=True) if digits == number(n)]
        assert 20 + REST_S - 2 <= came[1] - came[0] <= 20 + REST_S + 62 + SOON_S


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
def test_a_step_while_the_engine_is_down_makes_nobody_wait_longer_than_a_rest(hours: Hours, step_s: float) -> None:
    clock = hours.clock

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(2, max_attempts=2, retry_after_s=REST_S)
        async with site.working(fake):
            await until(site, lambda: len(fake.originates) == 2 and not fake.channels, within_s=60)
            await clock.sleep(5)
        clock.step(step_s)
        async with site.working(fake):
            await site.until_state("finished", within_s=REST_S + SOON_S)

    assert len(hours.run(main, RINGS).originates) == 4


@pytest.mark.both_databases
def test_leads_that_an_older_release_made_due_at_their_making_are_due_when_the_clock_is_put_back(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(3)
        async with all_rows(site.engine).begin() as connection:
            await connection.execute(update(lead).values(due_at_ms=hours.clock.now_ms()))
        hours.clock.step(-HOUR_S)
        async with site.working(fake):
            await site.until_state("finished", within_s=60)

    assert len(hours.run(main, fake_ami.PERSON).originates) == 3


@pytest.mark.both_databases
def test_attempts_planned_in_the_future_are_recovered_at_once(hours: Hours) -> None:
    """The clock is put back while the engine is down: what was in flight is settled, and soon."""

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(4)
        async with site.working(fake):
            await until(site, lambda: len(fake.channels) == 4, within_s=60)
        await until(site, lambda: not fake.channels, within_s=120)
        hours.clock.step(-HOUR_S)
        async with site.working(fake):
            await site.until_state("finished", within_s=30)
        assert [(row.outcome, row.settled_by) for row in await site.attempts()] == [("human", "cdr")] * 4

    assert len(hours.run(main, Subscriber(rings_s=5, talks_s=10)).originates) == 4


# ---------------------------------------------------------------- the pace


@pytest.mark.parametrize(("rate", "calls"), [(0.5, 20), (1.5, 30), (7.0, 100), (50.0, 400), (200.0, 1000)])
def test_calls_leave_spaced_and_no_second_has_more_than_the_cap(hours: Hours, rate: float, calls: int) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(calls, channels=2000, calls_per_second=rate)
        async with site.working(fake):
            await site.until_state("finished", within_s=2 * calls / rate + 60)

    fake = hours.run(main, Subscriber(rings_s=0.5, talks_s=0.1))
    came = fake.came_at_s
    assert len(came) == calls
    assert busiest_second(came) <= math.ceil(rate)
    assert (calls - 1) / (came[-1] - came[0]) == pytest.approx(0.98 * rate, rel=0.02)


def test_the_trunks_pace_is_shared_fairly(hours: Hours) -> None:
    narrow = Settings(trunk=Trunk(host="127.0.0.1", calls_per_second=4, dial_format="{digits}"))

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        ids = [(await site.campaign(20, name=name, calls_per_second=200)).id for name in ("sony", "lg", "bosch")]
        async with site.working(fake, settings=narrow):
            for name in ("sony", "lg", "bosch"):
                await site.until_state("finished", name=name, within_s=60)
        order = [row.campaign_id for row in sorted(await site.attempts(), key=lambda row: row.planned_at_ms)]
        assert [order[:30].count(id) for id in ids] == [10, 10, 10]

    assert busiest_second(hours.run(main, fake_ami.PERSON).came_at_s) <= 4


def test_two_engines_together_keep_the_pace(hours: Hours) -> None:
    came_at_s: list[float] = []

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        site.terms = brief(12.0)
        at_a, at_b = (SETTINGS.model_copy(update={"gateway": name}) for name in "ab")
        other = FakeAmi(clock=site.clock)
        await site.campaign(200, channels=200, calls_per_second=10)
        async with running(other), site.working(fake, settings=at_a):
            # The second comes up in mid-campaign.
            await until(site, lambda: len(fake.originates) > 20, within_s=60)
            async with site.working(other, settings=at_b):
                await site.until_state("finished", within_s=100)
        assert min(len(each.originates) for each in (fake, other)) > 20
        came_at_s.extend(sorted((*fake.came_at_s, *other.came_at_s)))

    hours.run(main, fake_ami.PERSON)
    assert len(came_at_s) == 200
    assert busiest_second(came_at_s) <= 10
    assert 199 / (came_at_s[-1] - came_at_s[0]) > 0.5 * 10


# ---------------------------------------------------------------- what keeps it from dialling


@pytest.mark.both_databases
def test_nobody_is_dialled_while_an_opt_out_waits_to_be_written(hours: Hours) -> None:
    may: dict[str, bool] = {"dial": False}

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(3)
        async with site.working(fake, may_dial=lambda _: may["dial"]):
            await site.clock.sleep(60)
            assert fake.originates == []
            may["dial"] = True
            await site.until_state("finished", within_s=10)

    hours.run(main, fake_ami.PERSON)


def test_a_campaign_whose_texts_nobody_could_say_is_not_dialled_and_the_others_are(hours: Hours) -> None:
    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        for name in ("silent", "other"):
            await site.campaign(2, name=name)
        async with site.working(fake, may_dial=lambda campaign: campaign.name != "silent"):
            await site.until_state("finished", within_s=60, name="other")
            assert len(fake.originates) == 2

    hours.run(main, fake_ami.PERSON)


@pytest.mark.both_databases
def test_an_asterisk_that_hangs_is_sent_no_more_calls(hours: Hours) -> None:
    """It would ring everybody at once when it wakes up."""

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(200, calls_per_second=5, channels=200)
        fake.unanswered = {"Originate", "Ping"}
        async with site.working(fake):
            await site.clock.sleep(4.5)
            # Those of the first second, then one at a time.
            assert 5 <= len(fake.originates) <= 9

    hours.run(main, Subscriber(rings_s=300))


def ready(worker: Worker) -> int:
    """Claimed and not sent."""
    return sum(len(line.ready) for line in worker._lines)


@pytest.mark.both_databases
def test_who_was_claimed_and_could_not_be_dialled_is_decided_anew(hours: Hours) -> None:
    """The link is lost between the claim and the Originate, and meanwhile somebody asks not to be called."""

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        await site.campaign(30, calls_per_second=50)
        async with site.working(fake) as worker:
            await until(site, lambda: ready(worker) > 1, within_s=10)
            await fake.stop()
            await site.clock.sleep(5)
            assert ready(worker) == 0
            phones = [f"+{number(n)}" for n in range(30)]
            now_ms = site.clock.now_ms()
            await do_not_call.add(site.scope, phones=phones, source="call", now_ms=now_ms)
            dialled = len(fake.originates)
            await fake.start()
            await site.until_state("finished", within_s=60)
            assert len(fake.originates) == dialled

    hours.run(main, Subscriber(rings_s=1))


def test_without_a_running_campaign_the_database_is_asked_once_a_second(
    hours: Hours, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    read = RunningCampaigns.read

    async def counted(campaigns: RunningCampaigns) -> list[Open]:
        nonlocal asked
        asked += 1
        return await read(campaigns)

    monkeypatch.setattr(RunningCampaigns, "read", counted)

    async def main(site: CampaignSite, fake: FakeAmi) -> None:
        async with site.working(fake):
            await site.clock.sleep(60.0)

    hours.run(main)
    assert 50 <= asked <= 62
