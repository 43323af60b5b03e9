"""An Asterisk that tests share: each finds it as if it had been started for it alone."""

from __future__ import annotations

import asyncio

from ivr.asterisk import conf, running
from ivr.asterisk.program import Program
from tests.edges.waiting import PATIENCE_S, until
from tests.live.conftest import SharedSite
from tests.live.test_asterisk_calls import Engine


async def test_nothing_of_one_test_is_left_for_the_next(shared: SharedSite, asterisk_root: Program) -> None:
    waiting = Engine("ANSWER", "WAIT FOR DIGIT 1000", "SET VARIABLE IVR_DONE 1", "HANGUP")
    async with shared() as (peer, site), waiting.on(site.settings.agi.port):
        call = peer.dial(("127.0.0.1", site.settings.asterisk.sip_port), "+74950000001", caller="+79161234567")
        await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
        home = conf.site_home(site)
        pid = running.running_pid(home)
        site.spool.mkdir()
        left = [home.log / "cdr-custom" / "ivr.csv", home.log / "cel-custom" / "ivr.csv", site.spool]
        # The records are written in a moment of Asterisk's own.
        await until(lambda: all(path.exists() for path in left))
        # It goes on when the test is over.
        last = peer.dial(("127.0.0.1", site.settings.asterisk.sip_port), "+74950000001", caller="+79161234567")
        await asyncio.wait_for(last.answered.wait(), PATIENCE_S)
    async with shared() as (other, same):
        assert running.running_pid(conf.site_home(same)) == pid
        assert [path.exists() for path in left] == [False] * 3
        assert other.calls == []
        assert "0 active channels" in await running.console(home, asterisk_root, "core show channels count")
    async with shared(trunk__codec="ulaw") as (_, different):
        assert different.settings.trunk.codec == "ulaw"
        assert running.running_pid(conf.site_home(different)) not in (pid, None)
