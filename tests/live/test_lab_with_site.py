"""A site's Asterisk calls the lab's subscribers: answering machine detection, causes; the lab's command line."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ivr.amd import is_machine
from ivr.asterisk.program import Program
from ivr.asterisk.running import Home, Running, running_pid
from ivr.settings import Site
from ivr.site import free_ports
from tests.edges.waiting import PATIENCE_S
from tests.live.conftest import MakeSite
from tests.live.sip_peer import Plan, SipPeer
from tests.live.test_lab import make_lab

StartAsterisk = Callable[[Site], Awaitable[Running]]
Event = dict[str, str]


class Manager:
    """The least that speaks AMI: sends actions, reads messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, **fields: object) -> None:
        self._writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")

    async def until(self, **wanted: str) -> Event:
        """The next message that has all these fields."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                message = dict(line.split(": ", 1) for line in lines if ": " in line)
                if wanted.items() <= message.items():
                    return message

    def call(self, number: str, attempt: str, exten: str = "detect") -> None:
        self.send(
            Action="Originate", ActionID=attempt, ChannelId=attempt, Channel=f"PJSIP/{number}@trunk", Context="promo",
            Exten=exten, Priority=1, Async="true", Timeout=3000, CallerID="<74950000000>",
        )  # fmt: skip


@asynccontextmanager
async def manager(site: Site) -> AsyncIterator[Manager]:
    asterisk = site.settings.asterisk
    reader, writer = await asyncio.open_connection(asterisk.ami_host, asterisk.ami_port)
    try:
        await reader.readline()
        one = Manager(reader, writer)
        one.send(Action="Login", Username=asterisk.ami_user, Secret=site.secrets.ami_secret.get_secret_value())
        await one.until(Response="Success")
        yield one
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_site_tells_people_from_machines_by_how_the_lab_speaks(
    make_site: MakeSite, start_asterisk: StartAsterisk, asterisk_root: Program, tmp_path: Path
) -> None:
    people = [("79160000001", 300), ("79160000002", 600), ("79160000003", 900)]
    machines = [("79160000011", 5), ("79160000012", 8), ("79160000013", 15)]
    rows = [f"{number},human,0.2,{ms}," for number, ms in people]
    rows += [f"{number},machine,0.2,,{s}" for number, s in machines]
    lab_csv = "number,behaviour,after_s,speech_ms,greeting_s\n" + "\n".join(rows)
    lab = make_lab(tmp_path / "lab", lab_csv, asterisk_root, ("127.0.0.1", 5060))
    site = make_site(trunk_port=lab.sip_port)
    async with lab:
        await start_asterisk(site)
        verdicts = await _detect(site, [number for number, _ in people + machines])
        truth = await lab.calls_ended(20)
    assert verdicts == {number: "human" for number, _ in people} | {number: "machine" for number, _ in machines}
    assert {number: one.outcome for number, one in truth.subscribers.items()} == verdicts


async def test_a_site_tells_people_from_machines_by_how_the_sip_peer_speaks(
    make_site: MakeSite, start_asterisk: StartAsterisk
) -> None:
    async with SipPeer() as peer:
        peer.expect("11", Plan(answer_s=0.2, speech_ms=400))
        peer.expect("22", Plan(answer_s=0.2, speech_ms=700))
        peer.expect("33", Plan(answer_s=0.2, speech_ms=8000))
        site = make_site(trunk_port=peer.port)
        await start_asterisk(site)
        assert await _detect(site, ["11", "22", "33"]) == {"11": "human", "22": "human", "33": "machine"}


async def _detect(site: Site, numbers: Sequence[str]) -> dict[str, str]:
    """What the site takes each answered number for."""

    async def detect(number: str) -> str:
        async with manager(site) as ami:
            ami.call(number, f"a{number}")
            found = await ami.until(Event="UserEvent", UserEvent="AMD", Attempt=f"a{number}")
            return "machine" if is_machine(found["Status"], found["Cause"]) else "human"

    return dict(zip(numbers, await asyncio.gather(*map(detect, numbers)), strict=True))


async def test_a_site_learns_why_nobody_answered(
    make_site: MakeSite, start_asterisk: StartAsterisk, asterisk_root: Program, tmp_path: Path
) -> None:
    causes = {"busy": "17", "rejected": "21", "unallocated": "1", "congestion": "34", "no_answer": "19"}
    numbers = {behaviour: f"7916000000{n}" for n, behaviour in enumerate(causes)}
    lab_csv = "number,behaviour,after_s\n" + "".join(f"{number},{what},0.2\n" for what, number in numbers.items())
    lab = make_lab(tmp_path / "lab", lab_csv, asterisk_root, ("127.0.0.1", 5060))
    site = make_site(trunk_port=lab.sip_port)
    async with lab:
        await start_asterisk(site)
        learned = {}
        for behaviour, number in numbers.items():
            async with manager(site) as ami:
                ami.call(number, f"a{number}", "direct")
                learned[behaviour] = (await ami.until(Event="Hangup", Uniqueid=f"a{number}"))["Cause"]
    assert learned == causes


@pytest.mark.parametrize(("secret", "cause"), [("right", "17"), ("wrong", "21")])
async def test_an_operator_who_wants_a_password(
    make_site: MakeSite,
    start_asterisk: StartAsterisk,
    asterisk_root: Program,
    tmp_path: Path,
    secret: str,
    cause: str,
) -> None:
    lab_csv = "number,behaviour,after_s\n79160000001,busy,0\n"
    lab = make_lab(tmp_path / "lab", lab_csv, asterisk_root, ("127.0.0.1", 5060), ("shop", "right"))
    site = make_site(trunk_port=lab.sip_port, trunk__user="shop", trunk__register=True, trunk_secret=secret)
    async with lab:
        await start_asterisk(site)
        async with manager(site) as ami:
            ami.call("79160000001", "a1", "direct")
            assert (await ami.until(Event="Hangup", Uniqueid="a1"))["Cause"] == cause


async def test_a_site_registers_with_its_operator(
    make_site: MakeSite, start_asterisk: StartAsterisk, asterisk_root: Program, tmp_path: Path
) -> None:
    lab = make_lab(tmp_path / "lab", "number,behaviour\n11,busy\n", asterisk_root, ("127.0.0.1", 5060), ("shop", "s"))
    async with lab, SipPeer() as peer:
        for port in (lab.sip_port, peer.port):
            site = make_site(trunk_port=port, trunk__user="shop", trunk__register=True, trunk_secret="s")
            running = await start_asterisk(site)
            shown = ""
            async with asyncio.timeout(PATIENCE_S):
                while "Registered" not in shown:
                    await asyncio.sleep(0.1)
                    shown = await running.command("pjsip show registrations")


def _ivr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_the_lab_from_the_command_line(make_site: MakeSite, asterisk_root: Program, tmp_path: Path) -> None:
    file = tmp_path / "subscribers.csv"
    file.write_text("number,behaviour,after_s\n79160000001,busy,0\n")
    ports = free_ports()
    site = make_site(trunk_port=int(str(ports["asterisk.sip_port"])))
    rtp = f"{ports['asterisk.rtp_start']}-{ports['asterisk.rtp_end']}"
    options = ("--site", str(site.folder), "--subscribers", str(file), "--rtp", rtp)
    up = await asyncio.to_thread(_ivr, "up", *options, "--background")
    try:
        assert up.returncode == 0, up.stderr
        assert "1 subscribers" in up.stdout
        again = await asyncio.to_thread(_ivr, "up", *options)
        assert again.returncode == 1
        assert "ivr lab down" in again.stderr
        async with SipPeer() as peer:
            call = peer.dial(("127.0.0.1", site.settings.trunk.port), "79160000001", caller="1")
            await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
            assert call.status == 486
    finally:
        down = await asyncio.to_thread(_ivr, "down", "--site", str(site.folder))
    assert down.returncode == 0
    assert "The lab is down." in down.stdout
    shown = await asyncio.to_thread(_ivr, "calls", "--site", str(site.folder))
    assert "79160000001" in shown.stdout
    assert "busy" in shown.stdout


async def test_a_lab_in_the_foreground_ends_with_ctrl_c(
    make_site: MakeSite, asterisk_root: Program, tmp_path: Path
) -> None:
    file = tmp_path / "subscribers.csv"
    file.write_text("number,behaviour,start_s,dial\n79160000001,shopper,3600,7495\n79160000002,busy,,\n")
    ports = free_ports()
    site = make_site(trunk_port=int(str(ports["asterisk.sip_port"])))
    rtp = f"{ports['asterisk.rtp_start']}-{ports['asterisk.rtp_end']}"
    up = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "app", "lab", "up", "--site", str(site.folder), "--subscribers", str(file),
        "--rtp", rtp, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert up.stdout
    async with asyncio.timeout(PATIENCE_S):
        async for line in up.stdout:
            if b"takes calls" in line:
                break
        else:
            pytest.fail("the lab ended before it took calls")
        assert running_pid(Home(folder=site.var / "lab"))
        up.send_signal(signal.SIGINT)
        await up.communicate()
    assert up.returncode == 0
    assert running_pid(Home(folder=site.var / "lab")) is None


@pytest.mark.parametrize(
    ("rtp", "trunk_host", "what"),
    [("10-20", "127.0.0.1", "no range of ports"), ("14000-15000", "sip.example.org", "not to a lab")],
)
async def test_a_lab_that_can_not_be_is_refused(
    make_site: MakeSite, tmp_path: Path, rtp: str, trunk_host: str, what: str
) -> None:
    file = tmp_path / "subscribers.csv"
    file.write_text("number,behaviour\n79160000001,busy\n")
    site = make_site(trunk_port=5060, trunk_host=trunk_host)
    options = ("--site", str(site.folder), "--subscribers", str(file), "--rtp", rtp)
    refused = await asyncio.to_thread(_ivr, "up", *options)
    assert refused.returncode == 1
    assert what in refused.stderr
