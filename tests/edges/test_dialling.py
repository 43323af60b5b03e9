"""A campaign from its first lead to its end, on a fake Asterisk: outcomes, caps, pause, and what a crash leaves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.settings import Settings, Trunk
from people import do_not_call
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, engine_process, now_ms, number, opened
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.waiting import until

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


def behaving(site: CampaignSite, *subscribers: Subscriber) -> FakeAmi:
    """A fake whose subscriber n behaves as subscribers[n], the last for all that follow."""
    return FakeAmi(
        log=site.log,
        subscribers=lambda digits: subscribers[min(int(digits[4:]), len(subscribers) - 1)],
    )


async def test_every_outcome(site: CampaignSite) -> None:
    table = [
        (fake_ami.PERSON, "human"),
        (fake_ami.MACHINE, "machine"),
        (fake_ami.SILENT, "human"),
        (fake_ami.BUSY, "busy"),
        (fake_ami.NO_ANSWER, "no_answer"),
        (fake_ami.CONGESTION, "congestion"),
        (fake_ami.UNALLOCATED, "invalid_number"),
        (fake_ami.REJECTS, "rejected"),
        (Subscriber(refuses=(0, 17, 486), hangup_first=True), "busy"),
        # Hangs up before AMD is done: nobody says HUMAN, and it was one.
        (Subscriber(amd=("", ""), talks_s=0.0), "human"),
        # No Hangup is needed to know that our ring time was over, nor a SIP status.
        (Subscriber(refuses=(3, 16, 0)), "no_answer"),
    ]
    await site.campaign(len(table))
    async with running(behaving(site, *(subscriber for subscriber, _ in table))) as fake, site.working(fake):
        await site.until_state("finished")
    attempts = await site.attempts()
    assert [row.outcome for row in attempts] == [outcome for _, outcome in table]
    assert {row.settled_by for row in attempts} == {"events"}
    assert {row.lead_state for row in attempts} == {"done"}
    assert sorted(fake.dialled()) == [number(n) for n in range(len(table))]
    for row in attempts:
        assert row.planned_at_ms <= row.dialled_at_ms <= row.ended_at_ms
        assert (row.answered_at_ms is not None) == (row.outcome in ("human", "machine"))


async def test_an_originate_says_all_that_the_dialplan_needs(site: CampaignSite) -> None:
    await site.campaign(1, ring_s=17, machines="off")
    async with running(behaving(site, fake_ami.PERSON)) as fake, site.working(fake):
        await site.until_state("finished")
    (attempt,) = await site.attempts()
    (originate,) = fake.originates
    assert originate == {
        "Action": "Originate",
        "ActionID": attempt.id,
        "ChannelId": attempt.id,
        "Channel": f"PJSIP/{number(0)}@trunk",
        "Context": "promo",
        "Exten": "direct",
        "Priority": "1",
        "Timeout": "17000",
        "Async": "true",
        "Variable": "IVR_LANGUAGE=ru",
    }


async def test_the_intent_is_committed_before_anything_is_sent(site: CampaignSite) -> None:
    await site.campaign(3)
    fake = behaving(site, fake_ami.PERSON)
    fake.unanswered = {"Originate"}
    async with running(fake), site.working(fake):
        await until(lambda: len(fake.originates) == 3)
        attempts = {row.id: row for row in await site.attempts()}
    assert all(attempts[action["ChannelId"]].lead_state == "dialling" for action in fake.originates)


async def test_busy_and_no_answer_are_dialled_again_after_a_rest(site: CampaignSite) -> None:
    await site.campaign(3, max_attempts=2, retry_after_s=1)
    async with running(behaving(site, fake_ami.BUSY, fake_ami.REJECTS, fake_ami.NO_ANSWER)) as fake, site.working(fake):
        await site.until_state("finished")
    assert Counter(fake.dialled()) == {number(0): 2, number(1): 1, number(2): 2}
    first, second = [row for row in await site.attempts() if row.phone == "+" + number(0)]
    assert (first.number, second.number) == (1, 2)
    assert second.planned_at_ms >= first.ended_at_ms + 1000


async def test_who_asks_not_to_be_called_is_not_dialled_from_that_moment(site: CampaignSite) -> None:
    await site.campaign(40, channels=2)
    async with running(behaving(site, fake_ami.PERSON)) as fake, site.working(fake):
        await until(lambda: len(fake.originates) >= 4)
        phones = [f"+{number(n)}" for n in range(20, 40)]
        await do_not_call.add(site.scope, phones=phones, source="call", now_ms=now_ms())
        await site.until_state("finished")
    assert sorted(fake.dialled()) == [number(n) for n in range(20)]
    states = await site.lead_states()
    assert {states[number(n)] for n in range(20, 40)} == {"excluded"}
    assert len(await site.attempts()) == 20


async def test_the_channel_cap(site: CampaignSite) -> None:
    await site.campaign(30, channels=3)
    async with running(behaving(site, fake_ami.PERSON)) as fake, site.working(fake):
        await site.until_state("finished")
    assert fake.most_channels == 3


async def test_campaigns_share_the_trunk(site: CampaignSite) -> None:
    narrow = Settings(trunk=Trunk(host="127.0.0.1", channels=4))
    await site.campaign(12, name="sony", channels=4)
    await site.campaign(12, name="lg", channels=4)
    async with (
        running(behaving(site, Subscriber(talks_s=0.2))) as fake,
        site.working(fake, settings=narrow),
    ):
        await site.until_state("finished", name="sony")
        await site.until_state("finished", name="lg")
    assert fake.most_channels == 4
    first_half = {row.campaign_id for row in sorted(await site.attempts(), key=lambda row: row.planned_at_ms)[:12]}
    assert len(first_half) == 2


async def test_pause_resume_and_stop(site: CampaignSite) -> None:
    await site.campaign(30, channels=3)
    async with running(behaving(site, Subscriber(talks_s=0.1))) as fake, site.working(fake) as worker:
        await until(lambda: len(fake.originates) >= 6)
        await site.change("pause")
        paused_at = len(fake.originates)
        await until(lambda: worker.in_flight == 0)
        # Two claims may have been under way at the moment of the pause; the next poll sees it.
        assert len(fake.originates) <= paused_at + 3
        assert all(row.outcome == "human" for row in await site.attempts())
        dialled = len(fake.originates)
        await site.change("resume")
        await until(lambda: len(fake.originates) >= dialled + 4)
        await site.change("stop")
        await until(lambda: worker.in_flight == 0)
        assert await site.state() == "stopped"
    attempts = await site.attempts()
    assert {row.outcome for row in attempts} == {"human"}
    assert Counter((await site.lead_states()).values()) == {"done": len(attempts), "waiting": 30 - len(attempts)}


async def test_nothing_is_claimed_while_the_link_is_down(site: CampaignSite) -> None:
    fake = behaving(site, fake_ami.PERSON)
    async with running(fake), site.working(fake):
        await fake.stop()
        await until(lambda: not fake.links)
        await asyncio.sleep(0)
        await site.campaign(3)
        await asyncio.sleep(0.6)  # two polls
        assert set((await site.lead_states()).values()) == {"waiting"}
        await fake.start()
        await site.until_state("finished")
    assert len(fake.originates) == 3


async def test_a_link_cut_in_mid_campaign(site: CampaignSite) -> None:
    await site.campaign(60, channels=8)
    fake = behaving(site, Subscriber(talks_s=0.05), fake_ami.BUSY, Subscriber(talks_s=0.3), Subscriber(talks_s=0.05))
    async with running(fake), site.working(fake):
        for dialled in (5, 20, 40):
            await until(lambda: len(fake.originates) >= dialled)  # noqa: B023
            fake.cut()
        await site.until_state("finished")
    rung = Counter(fake.dialled())
    assert set(rung.values()) == {1}
    outcomes = {row.phone[1:]: row.outcome for row in await site.attempts()}
    # An Originate that was cut off on its way rings nobody, and nobody knows.
    expected = {number(n): "unknown" if number(n) not in rung else "busy" if n == 1 else "human" for n in range(60)}
    assert outcomes == expected
    assert len(rung) >= 60 - 3


async def test_an_originate_without_an_answer_is_settled_by_its_events(site: CampaignSite) -> None:
    await site.campaign(4)
    fake = behaving(site, fake_ami.PERSON, fake_ami.BUSY)
    fake.unanswered = {"Originate"}
    async with running(fake), site.working(fake):
        await until(lambda: len(fake.originates) == 4)
        await site.until_state("finished")
    assert [row.outcome for row in await site.attempts()] == ["human", "busy", "busy", "busy"]
    assert len(fake.originates) == 4


async def test_what_nobody_knows_is_unknown_and_not_dialled_again(site: CampaignSite) -> None:
    """Asterisk was restarted: no channel, no record, no event."""
    await site.campaign(2, max_attempts=3)
    fake = behaving(site, Subscriber(rings_s=60))
    fake.log = None
    async with running(fake), site.working(fake, grace_s=0.2):
        await until(lambda: len(fake.channels) == 2)
        fake.channels.clear()
        fake.cut()
        await site.until_state("finished")
    assert [(row.outcome, row.settled_by) for row in await site.attempts()] == [("unknown", "none")] * 2
    assert len(fake.originates) == 2


async def test_the_journal_is_the_second_witness(site: CampaignSite) -> None:
    """Asterisk's events and records are lost, and our own journal has the calls."""
    await site.campaign(3)
    fake = behaving(site, Subscriber(rings_s=60))
    fake.log = None
    async with running(fake), site.working(fake, grace_s=0.2):
        await until(lambda: len(fake.channels) == 3)
        by_number = {action["Channel"][6:17]: action["ChannelId"] for action in fake.originates}
        await site.journal_call(by_number[number(0)], answered_at_ms=now_ms(), amd="HUMAN-800-700")
        await site.journal_call(by_number[number(1)], answered_at_ms=now_ms(), amd="MACHINE-LONGGREETING-1500-1500")
        await site.journal_call(by_number[number(2)], answered_at_ms=now_ms())
        fake.channels.clear()
        fake.cut()
        await site.until_state("finished")
    found = [(row.outcome, row.settled_by) for row in await site.attempts()]
    assert found == [("human", "call"), ("machine", "call"), ("unknown", "call")]


@pytest.mark.parametrize(
    ("amd", "outcome"),
    [(("HUMAN", "HUMAN-1-1"), "human"), (("MACHINE", "LONGGREETING-1-1"), "machine"), (("", ""), "unknown")],
)
async def test_a_call_that_is_live_after_a_restart_is_watched_to_its_end(
    site: CampaignSite, amd: tuple[str, str], outcome: str
) -> None:
    """The verdict was told while nobody listened: Asterisk's record has it, or nobody knows."""
    await site.campaign(2)
    async with running(behaving(site, Subscriber(talks_s=3600, amd=amd))) as fake:
        async with site.working(fake):
            await until(lambda: [c["ChannelState"] for c in fake.channels.values()] == ["6", "6"])
        assert [row.outcome for row in await site.attempts()] == [None, None]
        async with site.working(fake) as worker:
            await until(lambda: worker.in_flight == 2)
            await until(lambda: any(each["Action"] == "CoreShowChannels" for each in fake.actions))
            fake.hang_up()
            await site.until_state("finished")
    assert [(row.outcome, row.settled_by) for row in await site.attempts()] == [(outcome, "events")] * 2
    assert len(fake.originates) == 2


async def test_calls_that_ended_while_the_engine_was_away_are_settled_from_the_cdr(site: CampaignSite) -> None:
    await site.campaign(6)
    kinds = (
        fake_ami.PERSON,
        fake_ami.BUSY,
        fake_ami.NO_ANSWER,
        fake_ami.CONGESTION,
        fake_ami.UNALLOCATED,
        fake_ami.REJECTS,
    )
    fake = behaving(site, *kinds)
    fake.let_go.clear()
    async with running(fake):
        async with site.working(fake):
            await until(lambda: len(fake.channels) == 6)
        fake.let_go.set()
        await until(lambda: not fake.channels)
        async with site.working(fake):
            await site.until_state("finished")
    attempts = await site.attempts()
    expected = ["human", "busy", "no_answer", "congestion", "invalid_number", "rejected"]
    assert [row.outcome for row in attempts] == expected
    assert {row.settled_by for row in attempts} == {"cdr"}
    assert [row.cause for row in attempts] == [16, 17, 19, 34, 1, 21]
    assert len(fake.originates) == 6


async def test_the_cause_is_waited_for_that_tells_a_refusal_from_a_phone_that_rang(site: CampaignSite) -> None:
    """A SIP 500, 603 or 302 is NO ANSWER in the CDR, and the cause is written by another thread."""
    refuses = (fake_ami.SERVER_ERROR, fake_ami.REJECTS, fake_ami.MOVED, fake_ami.WITHOUT_CAUSE)
    await site.campaign(len(refuses))
    fake = behaving(site, *refuses)
    fake.cel_later_s = 0.7
    fake.let_go.clear()
    async with running(fake):
        async with site.working(fake):
            await until(lambda: len(fake.channels) == len(refuses))
        fake.let_go.set()
        await until(lambda: not fake.channels)
        async with site.working(fake, grace_s=5.0):
            await site.until_state("finished")
    attempts = await site.attempts()
    assert [(row.outcome, row.settled_by, row.cause) for row in attempts] == [
        ("failed", "cdr", 38),
        ("rejected", "cdr", 21),
        ("failed", "cdr", 23),
        ("failed", "cdr", 0),
    ]


async def test_kill_9_in_mid_campaign(site: CampaignSite) -> None:
    await site.campaign(120, channels=10, calls_per_second=100)
    people = Subscriber(rings_s=0.05, talks_s=0.15)
    fake = behaving(site, people, Subscriber(rings_s=0.1, refuses=(0, 17, 486)), people)
    async with running(fake):
        for dialled in (15, 45, 80):
            async with engine_process(site, fake) as process:
                await until(lambda: len(fake.originates) >= dialled)  # noqa: B023
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()
        async with engine_process(site, fake):
            await site.until_state("finished")
    attempts = await site.attempts()
    dialled_twice = {digits: count for digits, count in Counter(fake.dialled()).items() if count > 1}
    assert dialled_twice == {}
    assert all(row.outcome is not None for row in attempts)
    assert set((await site.lead_states()).values()) == {"done"}
    # Whoever was dialled was settled truly; whose Originate was cut off on its way is unknown, and is few.
    rung = set(fake.dialled())
    for row in attempts:
        digits = row.phone[1:]
        expected = ("busy" if digits == number(1) else "human") if digits in rung else "unknown"
        assert row.outcome == expected, (digits, row.outcome, row.settled_by)
    assert len(rung) >= 120 - 3 * 10
