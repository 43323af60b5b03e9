"""One contract for both: what the fake manager of the quick tests says, the real Asterisk says too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from panoramisk.message import Message

from faults import PeerError
from outbound.gateway.ami import Ami
from outbound.gateway.ami_protocol import Refused
from tests.edges import fake_ami
from tests.edges.campaign_site import number
from tests.edges.fake_ami import FakeAmi, running
from tests.edges.waiting import until
from tests.live.conftest import SharedSite
from tests.live.short_engine import engine
from tests.live.sip_peer import Plan

#: A link with this secret, or with the right one.
Link = Callable[[str | None], Ami]

PERSON, BUSY = number(0), number(1)


@pytest.fixture(params=["fake", "real"])
async def link(request: pytest.FixtureRequest, shared: SharedSite) -> AsyncIterator[Link]:
    """Makes links to a manager that can dial PERSON and BUSY."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "fake":
            subscribers = {PERSON: fake_ami.Subscriber(talks_s=0.3), BUSY: fake_ami.BUSY}
            fake = await stack.enter_async_context(running(FakeAmi(subscribers=subscribers.__getitem__)))
            port, user, secret = fake.port, "ivr", fake.secret
        else:
            peer, site = await stack.enter_async_context(shared())
            peer.expect(PERSON, Plan(answer_s=0.1, hang_up_s=0.5))
            peer.expect(BUSY, Plan(answer_s=0.1, refuse=486))
            await stack.enter_async_context(engine(site))
            settings = site.settings.asterisk
            port, user, secret = settings.ami_port, settings.ami_user, site.secrets.ami_secret.get_secret_value()

        def made(other: str | None) -> Ami:
            ami = Ami(host="127.0.0.1", port=port, username=user, secret=secret if other is None else other)
            stack.push_async_callback(ami.aclose)
            return ami

        yield made


def originate(attempt_id: str, digits: str) -> dict[str, str]:
    return {
        "Action": "Originate",
        "ActionID": attempt_id,
        "ChannelId": attempt_id,
        "Channel": f"PJSIP/{digits}@trunk",
        "Context": "promo",
        "Exten": "direct",
        "Priority": "1",
        "Timeout": "5000",
        "Async": "true",
    }


class Events:
    """What came of one attempt, by event name."""

    def __init__(self, ami: Ami, attempt_id: str) -> None:
        self.by_name: dict[str, Message] = {}
        for name in ("Newstate", "OriginateResponse", "Hangup"):
            ami.register_event(name, self._heard)
        self._attempt_id = attempt_id

    def _heard(self, _ami: Ami, event: Message) -> None:
        if event.uniqueid == self._attempt_id and (event.event != "Newstate" or event.channelstate == "6"):
            self.by_name[event.event] = event

    def facts(self) -> dict[str, Any]:
        response, hangup = self.by_name["OriginateResponse"], self.by_name["Hangup"]
        return {
            "up": "Newstate" in self.by_name,
            "response": response.response,
            "reason": response.reason,
            "action": response.actionid,
            "cause": hangup.cause,
        }


async def test_login_list_and_refusal(link: Link) -> None:
    ami = link(None)
    await ami.open()
    assert (await ami.action({"Action": "Ping"})).ping == "Pong"
    assert await ami.live_channels() == {}
    with pytest.raises(Refused):
        await ami.listing({"Action": "NoSuchAction"})


async def test_a_wrong_secret(link: Link) -> None:
    with pytest.raises(PeerError, match="Authentication failed"):
        await link("wrong").open()


async def test_busy(link: Link) -> None:
    ami = link(None)
    await ami.open()
    events = Events(ami, "a-busy")
    answer = await ami.action(originate("a-busy", BUSY))
    assert answer.message == "Originate successfully queued"
    await until(lambda: {"OriginateResponse", "Hangup"} <= events.by_name.keys())
    assert events.facts() == {"up": False, "response": "Failure", "reason": "0", "action": "a-busy", "cause": "17"}


async def test_answered(link: Link) -> None:
    ami = link(None)
    await ami.open()
    events = Events(ami, "a-person")
    await ami.action(originate("a-person", PERSON))
    await until(lambda: "OriginateResponse" in events.by_name)
    live = await ami.live_channels()
    assert live["a-person"].channelstate == "6"
    await until(lambda: "Hangup" in events.by_name)
    facts = events.facts()
    assert facts.pop("cause") in ("0", "16")
    assert facts == {"up": True, "response": "Success", "reason": "4", "action": "a-person"}
    await asyncio.sleep(0)
    assert "a-person" not in await ami.live_channels()
