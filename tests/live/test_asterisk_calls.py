"""Where the site's Asterisk leads calls: to the engine, to the second one, to an end; and what it writes about them."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ivr.asterisk import conf, running
from ivr.asterisk.rotation import rotate
from ivr.settings import Site
from tests.edges.waiting import PATIENCE_S
from tests.live.conftest import MakeSite, SharedSite
from tests.live.sip_peer import Plan, SipPeer

Start = Callable[[Site], Awaitable[running.Running]]
Headers = dict[str, str]


class Engine:
    """A FastAGI server of a few lines: notes what Asterisk brings, answers each call with `commands`, then closes."""

    def __init__(self, *commands: str) -> None:
        self.commands = commands
        self.calls: asyncio.Queue[Headers] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = {}
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(": ")
            headers[name] = value
        self.calls.put_nowait(headers)
        try:
            for command in self.commands:
                writer.write(command.encode() + b"\n")
                await reader.readline()
        finally:
            writer.close()

    async def next_call(self) -> Headers:
        return await asyncio.wait_for(self.calls.get(), PATIENCE_S)

    @asynccontextmanager
    async def on(self, port: int) -> AsyncIterator[Engine]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", port)
        async with server:
            yield self


def sip(site: Site) -> tuple[str, int]:
    return "127.0.0.1", site.settings.asterisk.sip_port


def answering() -> Engine:
    return Engine("ANSWER", "SET VARIABLE IVR_DONE 1", "HANGUP")


async def test_a_shopper_reaches_the_engine(shared: SharedSite) -> None:
    async with shared() as (peer, site), answering().on(site.settings.agi.port) as engine:
        call = peer.dial(sip(site), "+74950000001", caller="+79161234567")
        headers = await engine.next_call()
        await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
    assert headers["agi_network_script"] == f"inbound?key={site.agi_key}&answered=1"
    assert headers["agi_arg_1"] == "+74950000001"
    assert headers["agi_callerid"] == "+79161234567"
    assert (call.status, call.hung_up_by) == (200, "them")


async def test_what_comes_from_the_network_is_filtered(shared: SharedSite) -> None:
    async with shared() as (peer, site), answering().on(site.settings.agi.port) as engine:
        call = peer.dial(sip(site), "7495,000&Local/x%24%7BSHELL(id)%7D", caller="7916%29%24%7BEPOCH%7D,1")
        headers = await engine.next_call()
        await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
    assert headers["agi_arg_1"] == "7495000LocalxSHELLid"
    assert headers["agi_callerid"] == "7916EPOCH1"


async def test_the_second_engine_takes_over_when_the_first_dies(make_site: MakeSite, start_asterisk: Start) -> None:
    async with SipPeer() as peer, answering().on(0) as second_engine:
        spare = make_site(trunk_port=peer.port)
        site = make_site(trunk_port=peer.port, agi__second=f"127.0.0.1:{spare.settings.agi.port}")
        await start_asterisk(site)
        async with Engine("ANSWER").on(site.settings.agi.port) as dying, second_engine.on(spare.settings.agi.port):
            call = peer.dial(sip(site), "74950000001", caller="79161234567")
            await dying.next_call()
            assert (await second_engine.next_call())["agi_arg_1"] == "74950000001"
            await asyncio.wait_for(call.ended.wait(), PATIENCE_S)


async def test_a_call_ends_soon_when_no_engine_is_there(shared: SharedSite) -> None:
    async with shared() as (peer, site):
        call = peer.dial(sip(site), "74950000001", caller="79161234567")
        # The dialplan's own fallback waits twice for a key, five seconds each.
        await asyncio.wait_for(call.ended.wait(), PATIENCE_S)


class Manager:
    """As much of an AMI client as these tests need."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def __aenter__(self) -> Manager:
        asterisk = self.site.settings.asterisk
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
        secret = self.site.secrets.ami_secret.get_secret_value()
        self.send(Action="Login", Username=asterisk.ami_user, Secret=secret)
        await self.event("FullyBooted")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    def send(self, **fields: str) -> None:
        self.writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")

    def originate(self, attempt: str, number: str, exten: str, *, ring_s: int = 10) -> None:
        self.send(
            Action="Originate", ActionID=attempt, ChannelId=attempt, Channel=f"PJSIP/{number}@trunk",
            Context="promo", Exten=exten, Priority="1", Async="true", Timeout=str(ring_s * 1000),
        )  # fmt: skip

    async def event(self, name: str, **fields: str) -> Headers:
        """The next event of that name whose fields are as given."""
        while True:
            block = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)).decode()
            got = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if got.get("Event") == name and fields.items() <= got.items():
                return got


@pytest.mark.parametrize(
    ("plan", "verdict", "cause"),
    [
        (Plan(answer_s=0, speech_ms=600), "HUMAN", "HUMAN"),
        (Plan(answer_s=0, speech_ms=8000), "MACHINE", "LONGGREETING"),
        (Plan(answer_s=0), "MACHINE", "INITIALSILENCE"),
        (Plan(answer_s=0, silent=True), "NOTSURE", "TOOLONG"),
    ],
    ids=["hello", "greeting", "silence", "no-audio"],
)
async def test_amd_gives_its_verdict_in_time(shared: SharedSite, plan: Plan, verdict: str, cause: str) -> None:
    async with shared() as (peer, site):
        peer.expect("79161234567", plan)
        async with answering().on(site.settings.agi.port) as engine, Manager(site) as manager:
            manager.originate("a1", "79161234567", "detect")
            call = await peer.next_call()
            await call.answered.wait()
            event = await manager.event("UserEvent", Attempt="a1")
            headers = await engine.next_call()
            await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
    # How much it has heard, or waited for, by its own count.
    assert int(event["Cause"].split("-")[1]) < 4500
    assert headers["agi_network_script"] == f"outbound?key={site.agi_key}"
    assert (headers["agi_arg_1"], headers["agi_arg_2"]) == (event["Status"], event["Cause"])
    assert headers["agi_uniqueid"] == "a1"
    assert event["Status"] == verdict
    assert event["Cause"].startswith(cause)


async def test_without_detection_the_engine_has_the_call_at_once(shared: SharedSite) -> None:
    async with shared() as (peer, site):
        peer.expect("79161234567", Plan(answer_s=0))
        async with answering().on(site.settings.agi.port) as engine, Manager(site) as manager:
            manager.originate("a1", "79161234567", "direct")
            headers = await engine.next_call()
    assert (headers["agi_uniqueid"], headers["agi_extension"]) == ("a1", "direct")


async def test_records_tell_what_became_of_each_attempt(shared: SharedSite) -> None:
    plans = {
        "79160000001": Plan(answer_s=0.1),
        "79160000002": Plan(answer_s=0.1, refuse=486),
        "79160000003": Plan(answer_s=0.1, refuse=404),
        "79160000004": Plan(answer_s=0.1, refuse=503),
        "79160000005": Plan(answer_s=0.1, refuse=603),
        "79160000006": Plan(answer_s=None),
        "79160000007": Plan(answer_s=0.1, refuse=480),
    }
    async with shared() as (peer, site):
        async with answering().on(site.settings.agi.port), Manager(site) as manager:
            for number, plan in plans.items():
                peer.expect(number, plan)
                manager.originate(f"a{number[-1]}", number, "direct", ring_s=1)
            for _ in plans:
                await manager.event("Hangup")
        dispositions, causes = await _records(site, len(plans))
    assert {uniqueid: cells[6] for uniqueid, cells in dispositions.items()} == {
        "a1": "ANSWERED",
        "a2": "BUSY",
        "a3": "NO ANSWER",
        "a4": "CONGESTION",
        "a5": "NO ANSWER",
        "a6": "NO ANSWER",
        "a7": "NO ANSWER",
    }
    # An answered call that we hang up has cause 0 or 16, by who is quicker.
    assert {uniqueid: cause for uniqueid, cause in causes.items() if uniqueid != "a1"} == {
        "a2": 17,
        "a3": 1,
        "a4": 34,
        "a5": 21,
        "a6": 19,
        "a7": 19,
    }
    started, answered, ended = map(float, dispositions["a1"][3:6])
    assert started <= answered <= ended


async def _records(site: Site, count: int) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Uniqueid -> cells of the CDR, and the hang-up cause in the CEL, when Asterisk has written `count` of each."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            cdr, cel = (_rows(conf.site_home(site).log / name / "ivr.csv") for name in ("cdr-custom", "cel-custom"))
            if len(cdr) == len(cel) == count:
                return cdr, {uniqueid: json.loads(cells[2])["hangupcause"] for uniqueid, cells in cel.items()}
            await asyncio.sleep(0.02)


def _rows(path: Path) -> dict[str, list[str]]:
    return {row[0]: row for row in csv.reader(path.read_text("utf-8").splitlines())} if path.exists() else {}


async def test_large_files_are_put_aside(make_site: MakeSite, start_asterisk: Start) -> None:
    asterisk = await start_asterisk(make_site(trunk_port=9))
    record = asterisk.home.log / "cdr-custom" / "ivr.csv"
    record.write_text("x" * 100)
    await rotate(asterisk, max_bytes=10_000_000)
    assert record.exists()
    await rotate(asterisk, max_bytes=99)
    assert not record.exists()
    assert record.with_name("ivr.csv.1").read_text() == "x" * 100
    assert len(list(asterisk.home.log.glob("messages.log*"))) == 2
