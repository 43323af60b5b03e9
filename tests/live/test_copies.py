"""`ivr backup` beside a running site and `ivr restore` after its end, on a real Asterisk: nobody is rung twice."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from outbound.restored import last_restored
from tests.edges.campaign_site import number, opened
from tests.edges.waiting import until
from tests.live.conftest import NewSite
from tests.live.sip_peer import Plan, SipPeer
from tests.live.site_process import SiteProcess, run_ivr

LEADS, RINGS_ON = 12, 8


@pytest.mark.chaos
async def test_an_older_copy_after_the_death_of_all_rings_nobody_twice(new_site: NewSite) -> None:
    """Engine and Asterisk are killed while a phone rings, and the database is gone: Asterisk's records are left."""
    async with SipPeer() as peer:
        for n in range(LEADS):
            answers = None if n == RINGS_ON else 0.1
            peer.expect(number(n), Plan(answer_s=answers, hang_up_packets=10), Plan(answer_s=0.1, hang_up_packets=10))
        site = new_site(peer.port)
        copy = str(site.folder.parent / "night.ivrcopy")
        site.var.mkdir(exist_ok=True)
        async with opened(site.var) as campaign:
            await campaign.campaign(LEADS, machines="off", channels=1, calls_per_second=20)

        def rung() -> list[str]:
            return [call.number for call in peer.calls if call.direction == "in"]

        async with SiteProcess(site) as process:
            await until(lambda: len(rung()) >= 3)
            status, said = await run_ivr("backup", copy, "--no-audio", site=site.folder)
            assert status == 0, said
            status, said = await run_ivr("restore", copy, site=site.folder)
            assert status == 1, said
            assert "The site runs" in said
            await until(lambda: number(RINGS_ON) in rung())
            asterisk = process.asterisk_pid()
            assert asterisk is not None
            process.signal(signal.SIGKILL)
            os.kill(asterisk, signal.SIGKILL)
            await process.ended()
            await until(lambda: process.asterisk_pid() is None)
            before = rung()
            for path in site.var.glob("ivr.sqlite3*"):
                path.unlink()

            status, said = await run_ivr("restore", copy, site=site.folder)
            assert status == 0, said
            await process.start()
            await process.prints("The database was put back from the copy of")
            await process.prints("The site is up.")
            status, said = await run_ivr("campaign", "status", "sony", site=site.folder)
            assert "sony paused (restored)" in said
            assert rung() == before
            status, said = await run_ivr("campaign", "resume", "sony", site=site.folder)
            assert status == 0, said
            async with opened(site.var) as campaign:
                await campaign.until_state("finished")
                found = await last_restored(campaign.engine)
            await process.stops()
        assert found is not None
        # The one that rang at the end is known by its channel's making alone.
        assert found.found >= 1
        assert Counter(rung()) == {number(n): 1 for n in range(LEADS)}
