"""What is known of an Asterisk without starting one: its pid file, its ports, its log, its files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from faults import MachineError
from ivr.asterisk.ports import Ports, check_ports
from ivr.asterisk.running import Home, errors_in, running_pid, start, write_configuration
from tests.unit.asterisk.test_conf import PROGRAM


def test_a_pid_file_is_believed_only_of_our_own_asterisk(tmp_path: Path) -> None:
    home = Home(folder=tmp_path)
    assert running_pid(home) is None
    home.run.mkdir()
    for text in ("", "x", "-1", "999999999", str(os.getpid())):  # the last one is alive, but no Asterisk of this folder
        (home.run / "asterisk.pid").write_text(text)
        assert running_pid(home) is None


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_taken_port_is_named_with_its_setting(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind == "tcp":
            holder.listen()
        port = holder.getsockname()[1]
        wanted = (("agi.port", "127.0.0.1", port),)
        with pytest.raises(MachineError) as caught:
            check_ports(Ports(tcp=wanted) if kind == "tcp" else Ports(udp=wanted))
    [fault] = caught.value.faults
    assert (fault.where, str(port) in fault.what) == ("agi.port", True)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(MachineError, match=r"192\.0\.2\.1"):
        check_ports(Ports(udp=(("asterisk.sip_port", "192.0.2.1", 5060),)))


def test_writing_the_same_configuration_again_changes_nothing(tmp_path: Path) -> None:
    home = Home(folder=tmp_path / "asterisk")
    assert write_configuration(home, {"a.conf": "1", "b.conf": "2"})
    assert not write_configuration(home, {"a.conf": "1", "b.conf": "2"})
    assert write_configuration(home, {"a.conf": "1"})
    assert sorted(path.name for path in home.etc.iterdir()) == ["a.conf"]
    assert home.etc.joinpath("a.conf").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "asterisk").write_text("a file is in the way")
    with pytest.raises(MachineError, match="can't be written"):
        write_configuration(Home(folder=tmp_path / "asterisk"), {"a.conf": "1"})


async def test_a_path_too_long_for_the_control_socket_is_told(tmp_path: Path) -> None:
    home = Home(folder=tmp_path / ("x" * 100))
    write_configuration(home, {})
    with pytest.raises(MachineError, match="too long"):
        await start(home, PROGRAM, Ports())


def test_warnings_of_the_log_since_a_point(tmp_path: Path) -> None:
    log = tmp_path / "messages.log"
    assert errors_in(log) == []
    log.write_text("[x] NOTICE[1] a.c: fine\n[x] ERROR[1] b.c: old\n")
    size = log.stat().st_size
    with log.open("a") as more:
        more.write("[x] WARNING[1] c.c: new\n")
    assert errors_in(log, size) == ["[x] WARNING[1] c.c: new"]
    assert len(errors_in(log)) == 2


@pytest.mark.parametrize(
    ("version", "patched"),
    [("22.10.1", True), ("20.9.1", False), ("20.9.2", True), ("18.24.1", False), ("19.8.0", False), ("21.4.2", True)],
)
def test_releases_with_the_hole_in_originate_are_known(version: str, patched: bool) -> None:
    assert PROGRAM.__class__(**{**PROGRAM.__dict__, "version": version}).patched is patched
