"""Many callers at one time, through `ivr up` as it is started in earnest. `make bench` does it with 200."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.concurrent_calls import call_at_once, report
from tests.bench.running_site import asterisk_running, engine_running, make_site, render
from tests.live.sip_peer import SipPeer

pytestmark = pytest.mark.timed

CALLS, PER_SECOND = 60, 20.0
#: What `endpos` and the packets that came may differ by; a packet is 20 ms.
CLOSE_MS = 60


async def test_many_callers_at_once_all_hear_everything(short: Path) -> None:
    async with SipPeer() as peer:
        site = make_site(short / "site", peer.port)
        menu, _ = await render(site)
        async with asterisk_running(site), engine_running(site):
            key_at_s = menu.length_ms / 1000 - 1
            load = await call_at_once(peer, site, CALLS, per_second=PER_SECOND, key_at_s=key_at_s)
    assert load.failed == 0, report(load)
    assert all(ms is not None and ms <= CLOSE_MS for ms in load.off_ms), report(load)
    # Audio that is late now and then may be this machine's other work, which holds up the callers' own packets, too;
    # audio that stutters is a fault.
    assert len(load.gaps_ms) <= CALLS * (1 + peer.hold_ups), report(load)
