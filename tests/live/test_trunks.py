"""Trunks on a real Asterisk: changed while somebody talks, one instead of another, TCP, TLS with encrypted audio."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from app.service.reporter import Reporter
from app.service.trunks import TrunksKept
from ivr.asterisk.program import Program
from ivr.asterisk.running import Running
from ivr.lab.lab import Lab
from ivr.lab.subscribers import parse_subscribers
from ivr.settings import Site, Transport
from ivr.settings_files import load_site
from ivr.site import free_ports
from outbound import trunks
from outbound.clock import Clock
from outbound.gateway.trunks import Trunks
from tests.edges.campaign_site import CampaignSite, number, opened
from tests.edges.waiting import PATIENCE_S
from tests.live.conftest import MakeSite
from tests.live.short_engine import engine
from tests.live.sip_peer import Plan, SipPeer
from tests.live.test_campaign import working
from tests.live.test_lab_with_site import Manager, manager

StartAsterisk = Callable[[Site], Awaitable[Running]]


def with_trunk(site: Site, name: str, how: Mapping[str, object]) -> Site:
    """The site with another section of ivr.toml."""
    path = site.folder / "ivr.toml"
    lines = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in how.items()]
    path.write_text("\n".join((path.read_text("utf-8"), f"[trunks.{name}]", *lines, "")), "utf-8")
    return load_site(site.folder)


def call(ami: Manager, attempt: str, endpoint: str) -> None:
    """Whoever answers hears a tone."""
    ami.send(
        Action="Originate", ActionID=attempt, ChannelId=attempt, Channel=f"PJSIP/79160000001@{endpoint}",
        Application="Congestion", Data="30", Async="true", Timeout=5000, CallerID="<74950000000>",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def looked_after(
    site: Site, asterisk: Running, campaign: CampaignSite
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Looks at the site's trunks when asked to."""
    kept = TrunksKept(site, campaign.engine, Reporter())
    await kept.begin()
    live = Trunks(in_use=kept.in_use, clock=Clock(), ahead_s=0.1)
    try:
        yield lambda: kept.look(lambda: asterisk, live)
    finally:
        kept.close()


async def test_trunks_change_while_somebody_talks(
    make_site: MakeSite, start_asterisk: StartAsterisk, tmp_path: Path
) -> None:
    async with SipPeer() as first, SipPeer() as second, opened(tmp_path) as campaign:
        first.default = second.default = Plan(answer_s=0.1)
        site = make_site(trunk_port=first.port)
        asterisk = await start_asterisk(site)
        async with looked_after(site, asterisk, campaign) as look, manager(site) as ami:
            made = {"host": "127.0.0.1", "port": second.port}
            await trunks.add(campaign.engine, site, "other", made, every_gateway=False, now_ms=1)
            await look()
            call(ami, "a1", "trunk-other")
            talking = await asyncio.wait_for(second.next_call(), PATIENCE_S)
            await asyncio.wait_for(talking.answered.wait(), PATIENCE_S)
            # By the same name to another peer, and then to nobody.
            await trunks.change(campaign.engine, site, "other", {"port": first.port}, now_ms=2)
            await look()
            call(ami, "a2", "trunk-other")
            moved = await asyncio.wait_for(first.next_call(), PATIENCE_S)
            await asyncio.wait_for(moved.answered.wait(), PATIENCE_S)
            await trunks.remove(campaign.engine, site, "other")
            await look()
            assert "trunk-other" not in await asterisk.command("pjsip show aors")
            heard_ms = [each.heard_ms for each in (talking, moved)]
            async with asyncio.timeout(PATIENCE_S):
                while not all(each.heard_ms > ms for each, ms in zip((talking, moved), heard_ms, strict=True)):
                    assert not talking.ended.is_set()
                    assert not moved.ended.is_set()
                    await asyncio.sleep(0.05)
            for each in (talking, moved):
                each.hang_up()
                assert each.hung_up_by == "us"
            assert (await ami.until(Event="Hangup", Uniqueid="a1"))["Cause"] == "0"


async def test_what_one_trunk_does_not_take_goes_by_the_next(
    make_site: MakeSite, start_asterisk: StartAsterisk, tmp_path: Path
) -> None:
    nobody = int(str(free_ports()["asterisk.sip_port"]))
    async with SipPeer() as peer, opened(tmp_path) as campaign:
        peer.default = Plan(answer_s=0.1)
        site = make_site(trunk_port=nobody, trunk__transport="tcp")
        site = with_trunk(site, "second", {"host": "127.0.0.1", "port": peer.port, "position": 1})
        await start_asterisk(site)
        async with engine(site), working(site, campaign):
            await campaign.campaign(3, machines="off", calls_per_second=5)
            await campaign.until_state("finished")
        attempts = await campaign.attempts()
        assert Counter(each.number for each in peer.calls) == {number(n): 1 for n in range(3)}
        assert [row.outcome for row in attempts if row.trunk == "second"] == ["human"] * 3
        assert {row.outcome for row in attempts if row.trunk == "main"} == {"congestion"}


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_site_calls_its_operator_by(
    transport: Transport,
    make_site: MakeSite,
    start_asterisk: StartAsterisk,
    asterisk_root: Program,
    tmp_path: Path,
) -> None:
    ports = {name: int(str(port)) for name, port in free_ports().items()}
    lab = Lab(
        tmp_path / "lab",
        parse_subscribers("number,behaviour,after_s,speech_ms,hang_up_s\n79160000001,human,0.1,300,0.5\n"),
        site_sip=("127.0.0.1", 5060),
        sip_port=ports["asterisk.sip_port"],
        rtp=(ports["asterisk.rtp_start"], ports["asterisk.rtp_end"]),
        transport=transport,
        program=asterisk_root,
    )
    site = make_site(trunk_port=lab.sip_port, trunk__transport=transport, asterisk__tls_ca=str(lab.certificate))
    async with lab:
        await start_asterisk(site)
        async with manager(site) as ami:
            call(ami, "a1", "trunk")
            assert (await ami.until(Event="OriginateResponse"))["Reason"] == "4"
            await ami.until(Event="Hangup", Uniqueid="a1")
        truth = await lab.calls_ended()
    (heard,) = truth.calls
    assert (heard.outcome, heard.encrypted, heard.heard_ms > 0) == ("human", transport == "tls", True)


async def test_an_operator_whose_certificate_is_not_believed_gets_no_call(
    make_site: MakeSite, start_asterisk: StartAsterisk, asterisk_root: Program, tmp_path: Path
) -> None:
    ports = {name: int(str(port)) for name, port in free_ports().items()}
    lab = Lab(
        tmp_path / "lab",
        parse_subscribers("number,behaviour\n79160000001,busy\n"),
        site_sip=("127.0.0.1", 5060),
        sip_port=ports["asterisk.sip_port"],
        rtp=(ports["asterisk.rtp_start"], ports["asterisk.rtp_end"]),
        transport="tls",
        program=asterisk_root,
    )
    site = make_site(trunk_port=lab.sip_port, trunk__transport="tls")
    async with lab:
        await start_asterisk(site)
        async with manager(site) as ami:
            call(ami, "a1", "trunk")
            assert (await ami.until(Event="Hangup", Uniqueid="a1"))["TechCause"] == "503"
        assert lab.truth().calls == ()
