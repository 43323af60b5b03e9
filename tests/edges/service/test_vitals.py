"""What is seen from outside of an engine and an Asterisk that run, hang, are gone; and of what the journal left."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import doctor, machine
from app.doctor import examine
from app.findings import Finding, Level
from app.vitals import RESERVE, Answer, ami_answers, engine_state, journal_files
from ivr.asterisk import conf
from ivr.asterisk.running import Home, answers
from ivr.settings import Site
from ivr.site import free_ports, init_site
from people.store import dialect
from tests.databases import put_tables


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return init_site(tmp_path / "site", free_ports() | {"trunk.host": "127.0.0.1", "destinations.operator": "100"})


def found(site: Site, topic: str) -> list[Finding]:
    return [finding for finding in examine(site.folder) if finding.topic == topic]


@contextlib.contextmanager
def held(port: int) -> Iterator[None]:
    """A process that took connections once, and does no more: the kernel goes on taking them."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


def renewed(site: Site, *, ago_s: float) -> None:
    alive = site.var / conf.ALIVE
    alive.parent.mkdir(parents=True, exist_ok=True)
    alive.touch()
    os.utime(alive, (time.time() - ago_s, time.time() - ago_s))


def test_an_engine_runs_hangs_or_is_gone(site: Site) -> None:
    assert engine_state(site) is Answer.AWAY
    renewed(site, ago_s=1)
    assert engine_state(site) is Answer.GOOD
    renewed(site, ago_s=60)
    assert engine_state(site) is Answer.AWAY
    with held(site.settings.agi.port):
        assert engine_state(site) is Answer.HANGS
        [finding] = found(site, "engine")
        assert (finding.level, "does not move" in finding.what) == (Level.FAIL, True)


def test_a_clock_that_was_put_back_makes_nobody_hang(site: Site) -> None:
    renewed(site, ago_s=-3600)
    with held(site.settings.agi.port):
        assert engine_state(site) is Answer.GOOD


async def test_an_asterisk_that_takes_the_connection_and_no_more_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(folder=Path("a"))
    home.run.mkdir(parents=True)
    assert not await answers(home, 0.2)
    with socket.socket(socket.AF_UNIX) as console:
        console.bind(str(home.control))
        console.listen()
        assert not await answers(home, 0.2)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n", ""),
        (b"Asterisk Call Manager/11.0.0\r\nResponse: Error\r\nMessage: No\r\n\r\n", "the login is refused"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "what answers is no Asterisk"),
        (b"", "what answers is no Asterisk"),
    ],
)
def test_the_manager_is_asked_to_take_our_login(site: Site, reply: bytes, said: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", site.settings.asterisk.ami_port))
        listener.listen()

        def answer() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                link.sendall(reply)

        answering = threading.Thread(target=answer)
        answering.start()
        assert ami_answers(site) == said
        answering.join()


def test_a_manager_that_says_nothing_is_waited_for_no_longer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.vitals._ANSWER_S", 0.2)
    with held(site.settings.asterisk.ami_port):
        assert ami_answers(site) == "no answer within 0.2 s"


def test_what_the_journal_left_is_told_by_number(site: Site) -> None:
    site.var.mkdir(exist_ok=True)
    assert [finding.level for finding in found(site, "journal")] == [Level.OK]
    (site.var / "journal.jsonl").write_text('{"kind": "notes"}\n{"kind": "ended"}\n')
    (site.var / "journal.rejected.jsonl").write_text('{"kind": "notes"}\n')
    # Of an engine that was killed, and of one that runs.
    (site.var / "journal.ahead-1.jsonl").write_text('{"kind": "notes"}\n')
    os.utime(site.var / "journal.ahead-1.jsonl", (0, 0))
    (site.var / "journal.ahead-2.jsonl").write_text('{"kind": "notes"}\n')
    (site.var / RESERVE).write_bytes(b"x".ljust(512, b"\0") * 3 + bytes(512 * 5))
    site.spool.mkdir(exist_ok=True)
    (site.spool / "1.json").write_text(json.dumps({}))
    assert {(file.path.name, file.lines, file.lost) for file in journal_files(site)} == {
        ("journal.jsonl", 2, False),
        ("journal.ahead-1.jsonl", 1, False),
        ("journal.rejected.jsonl", 1, True),
        (RESERVE, 3, False),
        ("spool", 1, False),
    }
    assert sorted(finding.level.value for finding in found(site, "journal")) == ["FAIL", "warn", "warn", "warn", "warn"]


def test_a_look_that_hangs_is_told_and_the_others_are_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE_S", 0.2)
    for_ever = threading.Event()

    def hangs(_: Site) -> Iterator[Finding]:
        for_ever.wait()
        yield from ()

    looks = {"database": hangs, "clock": machine.examine_clock}
    monkeypatch.setattr(doctor, "_LOOKS", looks)
    seen = {finding.topic: finding for finding in examine(site.folder)}
    for_ever.set()
    assert (seen["database"].level, "no end" in seen["database"].what) == (Level.FAIL, True)
    assert seen["clock"].level is Level.OK


def test_a_locked_database_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    site.var.mkdir(exist_ok=True)
    put_tables(site.var / "ivr.sqlite3")
    monkeypatch.setattr(doctor, "_LOOKS", {"database": doctor._database})
    monkeypatch.setattr(dialect, "BUSY_MS", 100)
    holder = sqlite3.connect(site.var / "ivr.sqlite3", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    [finding] = found(site, "database")
    holder.close()
    assert finding.level is Level.FAIL
