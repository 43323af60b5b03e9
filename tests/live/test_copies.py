"""`ivr backup` beside a running site and `ivr restore` after its end, on a real Asterisk: nobody is rung twice."""

from __future__ import annotations

import os
import signal
from collections import Counter

from outbound.restored import last_restored
from tests.edges.campaign_site import number, opened
from tests.edges.waiting import until
from tests.live.conftest import NewSite
from tests.live.sip_peer import Call, Plan, SipPeer
from tests.live.site_process import SiteProcess, run_ivr

#: While one phone rings the copy is taken, while another rings all die.
LEADS, COPIED_AT, DIES_AT = 12, 3, 8
#: The longest that a phone may ring.
RING_S = 120


async def test_an_older_copy_after_the_death_of_all_rings_nobody_twice(new_site: NewSite) -> None:
    """Engine and Asterisk are killed while a phone rings, and the database is gone: Asterisk's records are left."""
    async with SipPeer() as peer:
        for n in range(LEADS):
            answers = None if n in (COPIED_AT, DIES_AT) else 0.1
            peer.expect(number(n), Plan(answer_s=answers, hang_up_packets=10), Plan(answer_s=0.1, hang_up_packets=10))
        site = new_site(peer.port)
        copy = str(site.folder.parent / "night.ivrcopy")
        site.var.mkdir(exist_ok=True)
        async with opened(site.var) as campaign:
            await campaign.campaign(LEADS, machines="off", channels=1, calls_per_second=20, ring_s=RING_S)

        def rung() -> list[str]:
            return [call.number for call in peer.calls if call.direction == "in"]

        async def rings(n: int) -> Call:
            """The call of the phone that rings, and holds the campaign up, until somebody ends it."""
            await until(lambda: number(n) in rung())
            return next(call for call in peer.calls if call.number == number(n))

        async with SiteProcess(site) as process:
            while_copied = await rings(COPIED_AT)
            status, said = await run_ivr("backup", copy, "--no-audio", site=site.folder)
            assert status == 0, said
            status, said = await run_ivr("restore", copy, site=site.folder)
            assert status == 1, said
            assert "The site runs" in said
            assert len(rung()) == COPIED_AT + 1
            while_copied.hang_up()
            await rings(DIES_AT)
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
            assert "sony of shop paused (restored)" in said
            assert rung() == before
            status, said = await run_ivr("campaign", "resume", "sony", site=site.folder)
            assert status == 0, said
            async with opened(site.var) as campaign:
                await campaign.until_state("finished")
                found = await last_restored(campaign.engine)
            await process.stops()
        assert found is not None
        # The one that rang at the end is known by its channel's making alone.
        assert found.found == DIES_AT - COPIED_AT
        assert Counter(rung()) == {number(n): 1 for n in range(LEADS)}
