"""Why a person is dialled or not, as a command beside the engine tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults import UserError
from ivr.settings import Trunk
from ivr.trunks import SiteTrunk
from outbound.plan.decide import Because, Dial, LeaveOut, WaitUntil
from outbound.why import Why, explain
from people import do_not_call
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, now_ms, number, opened
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.waiting import until

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


async def ask(site: CampaignSite, n: int, *, channels: int = 100) -> Why:
    trunks = [SiteTrunk(name="main", how=Trunk(host="127.0.0.1", channels=channels))]
    return await explain(site.scope, name="sony", phone=f"+{number(n)}", trunks=trunks, now_ms=now_ms())


async def test_before_during_and_after(site: CampaignSite) -> None:
    await site.campaign(4, retry_after_s=1800, max_attempts=2, channels=3)
    assert (await ask(site, 0)).decision == Dial()
    await site.change("pause")
    assert (await ask(site, 0)).decision == WaitUntil(at_ms=None, because=Because.NOT_RUNNING)
    await site.change("resume")
    await do_not_call.add(site.scope, phones=[f"+{number(2)}"], source="command", now_ms=now_ms())
    subscribers = {number(0): fake_ami.BUSY, number(1): fake_ami.PERSON}
    fake = FakeAmi(log=site.log, subscribers=lambda digits: subscribers.get(digits, Subscriber(talks_s=60)))
    async with running(fake), site.working(fake) as worker:
        await until(lambda: len(fake.channels) == 1 and len(fake.originates) == 3)
        await until(lambda: worker.in_flight == 1)
        busy = await ask(site, 0)
        assert (busy.attempts, busy.spent, busy.outcome) == (1, 1, "busy")
        assert isinstance(busy.decision, WaitUntil)
        assert busy.decision.because is Because.RETRY_WAIT
        assert busy.decision.at_ms is not None
        assert (await ask(site, 1)).decision == LeaveOut(because=Because.ATTEMPTS)
        assert (await ask(site, 2)).decision == LeaveOut(because=Because.DO_NOT_CALL)
        assert (await ask(site, 3)).decision == WaitUntil(at_ms=None, because=Because.IN_CALL)
    await site.change("stop")
    assert (await ask(site, 0)).decision == LeaveOut(because=Because.OVER)


async def test_somebody_else(site: CampaignSite) -> None:
    await site.campaign(1)
    with pytest.raises(UserError, match="is not in the campaign"):
        await ask(site, 7)
