"""Start and stop the lab's Asterisk, and place its shoppers' calls. Of the engine it knows only a SIP port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from faults import Fault, MachineError, PeerError
from ivr.asterisk.conf import common_values, render
from ivr.asterisk.ports import Ports
from ivr.asterisk.program import Program, find
from ivr.asterisk.running import Home, Running, adopt, start, write_configuration
from ivr.lab.certificate import make_certificate
from ivr.lab.dialplan import rows, shoppers, sounds
from ivr.lab.subscribers import Behaviour, Subscriber
from ivr.lab.truth import BEGUN, CALLS, KEYS, Truth, load_truth, record_folder
from ivr.resources import resource_dir
from ivr.settings import Transport

_log = structlog.get_logger(__name__)

#: How often the record is looked at while we wait for calls to end.
_LOOK_S = 0.05


class Lab:
    """One lab in one folder. Its record (truth) begins afresh with each start."""

    def __init__(
        self,
        folder: Path,
        subscribers: Sequence[Subscriber],
        *,
        site_sip: tuple[str, int],
        host: str = "127.0.0.1",
        sip_port: int = 5070,
        rtp: tuple[int, int] = (14000, 15999),
        credentials: tuple[str, str] | None = None,
        transport: Transport = "udp",
        program: Program | None = None,
    ) -> None:
        """`site_sip` is where shoppers call; `host` and `sip_port` are where the site's trunk finds the operator.

        By TLS it has a certificate of its own, which the site is to believe, and audio is encrypted. `credentials`
        (name and secret) are asked of the site; None: the operator knows it by address.
        """
        self.folder, self.subscribers, self.site_sip = folder.resolve(), tuple(subscribers), site_sip
        self.host, self.sip_port, self.rtp = host, sip_port, rtp
        self._credentials, self._transport = credentials, transport
        self._program = program
        self._running: Running | None = None
        self._placed: set[int] = set()

    @property
    def home(self) -> Home:
        return Home(folder=self.folder)

    @property
    def certificate(self) -> Path:
        """What the site is to believe (asterisk.tls_ca) where it calls by TLS."""
        return self.folder / "certificate.pem"

    def files(self, program: Program) -> dict[str, str]:
        """The lab's configuration: file name -> text."""
        sound_folder = self.folder / "sounds"
        values = common_values(self.home, program) | {
            "transmit_silence": "yes",
            "host": self.host,
            "sip_port": self.sip_port,
            "site_host": self.site_sip[0],
            "site_port": self.site_sip[1],
            "credentials": self._credentials,
            "transport": self._transport,
            "certificate": self.certificate,
            "rtp_start": self.rtp[0],
            "rtp_end": self.rtp[1],
            "subscribers": rows(self.subscribers, sound_folder),
            "shoppers": shoppers(self.subscribers, sound_folder),
            "record": record_folder(self.folder),
            "begun": BEGUN,
            "calls": CALLS,
            "keys": KEYS,
        }
        conf = resource_dir("asterisk-conf")
        return render((conf / "common", conf / "lab"), values)

    async def start(self) -> None:
        """Start the lab and wait until it takes calls. Raises MachineError, PeerError."""
        program = self._program or find()
        if adopt(self.home, program):
            raise MachineError(Fault(what="The lab runs already.", where=self.folder, mend="End it: ivr lab down."))
        write_configuration(self.home, self.files(program))
        if self._transport == "tls":
            make_certificate(self.certificate, self.host)
        self._clear()
        self._write_sounds()
        self._placed.clear()
        listens = (("the lab's SIP port", self.host, self.sip_port),)
        ports = Ports(udp=listens) if self._transport == "udp" else Ports(tcp=listens)
        self._running = await start(self.home, program, ports)
        if self._shoppers():
            await self._until_spooling(self._running.pid)
        _log.info("lab_started", folder=str(self.folder), sip_port=self.sip_port, subscribers=len(self.subscribers))

    async def stop(self) -> None:
        """End the lab; calls in progress are cut off. Its record stays."""
        if self._running is not None:
            await self._running.stop()
            self._running = None

    async def wait(self) -> None:
        """Until the lab's Asterisk is gone."""
        if self._running is not None:
            await self._running.wait()

    async def __aenter__(self) -> Lab:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def place_calls(self) -> None:
        """Place each shopper's call at its `start_s` from now; returns when the last one is placed."""
        began = asyncio.get_running_loop().time()
        for shopper in self._shoppers():
            await asyncio.sleep(max(0.0, began + shopper.start_s - asyncio.get_running_loop().time()))
            self._place(shopper)

    def schedule_calls(self) -> None:
        """Leave all shoppers' calls with the lab at once, which places them in time, to the whole second."""
        for shopper in self._shoppers():
            self._place(shopper, at=time.time() + shopper.start_s)

    def truth(self) -> Truth:
        return load_truth(self.folder)

    async def calls_ended(self, timeout_s: float = 60.0) -> Truth:
        """The record, once every call from the site and every placed shopper's call has ended. Raises PeerError."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            truth = self.truth()
            missing = self._placed - {call.line for call in truth.calls if call.from_shopper}
            if not missing and not truth.in_progress:
                return truth
            if asyncio.get_running_loop().time() > deadline:
                what = f"After {timeout_s:g} s, {truth.in_progress + len(missing)} calls of the lab have not ended."
                raise PeerError(Fault(what=what, where=self.home.messages, mend="Look into the lab's log."))
            await asyncio.sleep(_LOOK_S)

    def _shoppers(self) -> list[Subscriber]:
        found = [s for s in self.subscribers if s.behaviour is Behaviour.SHOPPER]
        return sorted(found, key=lambda shopper: shopper.start_s)

    @property
    def _outgoing(self) -> Path:
        """Where Asterisk (pbx_spool) looks for calls to place."""
        return self.home.lib / "outgoing"

    async def _until_spooling(self, pid: int, timeout_s: float = 10.0) -> None:
        """Until Asterisk watches the folder of calls to place, which is up to a second after it has booted.

        Calls placed before would wait, and begin in no order.
        """
        inode = self._outgoing.stat().st_ino
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            if _watches(pid, inode):
                return
            if asyncio.get_running_loop().time() > deadline:
                await self.stop()
                what = "The lab's Asterisk does not look for calls to place."
                raise PeerError(Fault(what=what, where=self.home.messages, mend="Look into the lab's log."))
            await asyncio.sleep(_LOOK_S)

    def _place(self, shopper: Subscriber, at: float | None = None) -> None:
        text = "\n".join(
            (
                f"Channel: PJSIP/{shopper.dial}@site",
                f"CallerID: <{shopper.number}>",
                "MaxRetries: 0",
                "WaitTime: 30",
                "Context: shoppers",
                f"Extension: line{shopper.line}",
                "Priority: 1",
                f"Setvar: CDR(line)={shopper.line}",
                f"Setvar: CDR(number)={shopper.number}",
                f"Setvar: CDR(behaviour)={shopper.behaviour}",
                "",
            )
        )
        # Asterisk must see the file when it is complete.
        new = self.home.lib / f"line{shopper.line}.call"
        new.write_text(text, "ascii")
        # A file waits for the second in which it was changed, and Asterisk's clock for seconds may be a little behind.
        moment = time.time() - 1 if at is None else at
        os.utime(new, (moment, moment))
        new.rename(self._outgoing / new.name)
        self._placed.add(shopper.line)

    def _clear(self) -> None:
        """Forget the calls of an earlier run."""
        self._outgoing.mkdir(exist_ok=True)
        for call_file in self._outgoing.iterdir():
            call_file.unlink()
        record = record_folder(self.folder)
        record.mkdir(exist_ok=True)
        for name in (BEGUN, CALLS, KEYS):
            (record / name).unlink(missing_ok=True)

    def _write_sounds(self) -> None:
        folder = self.folder / "sounds"
        folder.mkdir(exist_ok=True)
        for name, samples in sounds(self.subscribers).items():
            (folder / f"{name}.sln").write_bytes(samples.astype("<i2").tobytes())


def _watches(pid: int, inode: int) -> bool:
    """Whether a process watches a folder: the kernel names them in /proc (proc_pid_fdinfo(5))."""
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if f"inotify wd:1 ino:{inode:x} " in info.read_text():
                return True
    return False
