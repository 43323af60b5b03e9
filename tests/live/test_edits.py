"""A flow is edited while people talk to it: each call goes on as it began, the next by the edit, none by a fault."""

from __future__ import annotations

import asyncio

from tests.edges.waiting import PATIENCE_S, until
from tests.live.conftest import NewSite
from tests.live.sip_peer import Key, Plan, SipPeer
from tests.live.site_process import SiteProcess, run_ivr
from tests.live.test_trouble import shopper

#: The first chooses Russian, the second the first point of the main menu.
KEYS = (Key("1", after_packets=50), Key("1", after_packets=150))


async def test_a_call_goes_on_as_it_began_and_the_next_hears_the_edit(new_site: NewSite) -> None:
    async with SipPeer() as peer:
        site = new_site(peer.port)
        flow = site.folder / "dialplans/hotline.yaml"
        before = flow.read_text("utf-8")
        edited = before.replace("1: cities\n        2: hours", "1: hours\n        2: cities")
        assert edited != before
        async with SiteProcess(site) as process:
            during = shopper(peer, site, 1, Plan(keys=KEYS[:1]))
            await until(lambda: during.media.received >= 150)
            flow.write_text(edited, "utf-8")
            await until(lambda: "version_heard" in (site.var / "ivr.log").read_text("utf-8"))
            during.press("1")
            after = shopper(peer, site, 2, Plan(keys=KEYS, hang_up_packets=250))
            await asyncio.wait_for(after.ended.wait(), PATIENCE_S)
            heard = during.media.received
            await until(lambda: during.media.received >= heard + 50)
            during.hang_up()
            flow.write_text(edited.replace("start: language", "start: nowhere"), "utf-8")
            await process.prints("nowhere")
            faulty = shopper(peer, site, 3, Plan(keys=KEYS, hang_up_packets=250))
            await asyncio.wait_for(faulty.ended.wait(), PATIENCE_S)
            await process.stops()
        stories = [(await run_ivr("calls", "--phone", f"+7916000{n:04}", site=site.folder))[1] for n in (1, 2, 3)]
    for story, version, said, other in zip(
        stories, (1, 2, 2), ("cities", "hours", "hours"), ("hours", "cities", "cities"), strict=True
    ):
        assert f"flow hotline (version {version})" in story, story
        assert f"heard hotline.{said}" in story, story
        assert f"heard hotline.{other}" not in story, story
