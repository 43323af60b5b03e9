"""What is logged names nobody's whole number, however it goes, and can't steer the terminal it is read on."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import insert, text

from app.commands.logs import log_to, log_warnings
from ivr.flow.steps import Note, NoteKind
from ivr.journal import Journal, Leg
from people import do_not_call
from people.store.group_commit import group_writer
from people.store.tables import contact
from tests.databases import all_rows, owning
from tests.edges import fake_ami
from tests.edges.campaign_site import opened
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.waiting import until

#: A number of a person, by itself or as it is dialled.
PHONE = f"+7916{1234567}"
_NUMBER = re.compile(r"(?<![\w-])\+?7916\d{7}")


@pytest.fixture
def logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """All that was logged since its first call, to the file and to the terminal."""
    level, handlers = logging.root.level, list(logging.root.handlers)
    file, seen = tmp_path / "site.log", [""]

    def read() -> str:
        if not file.exists():
            log_to(file)
        seen[0] += capfd.readouterr().err
        return file.read_text("utf-8") + seen[0]

    yield read
    for handler in set(logging.root.handlers) - set(handlers):
        handler.close()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_a_fault_is_logged_without_the_values_at_hand(logged: Callable[[], str]) -> None:
    logged()

    def dial(phone: str) -> None:
        raise RuntimeError("no line")

    for log in (structlog.get_logger("t").exception, logging.getLogger("t").exception):
        try:
            dial(PHONE)
        except RuntimeError:
            log("dial_failed")
    assert logged().count("no line") >= 4
    assert "dial(" in logged(), "where it was is told"
    assert not _NUMBER.findall(logged())


def test_what_comes_from_outside_cannot_steer_the_terminal(
    logged: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    logged()
    evil = "a\x1b]0;title\x07\x9b2J\u202eb"
    try:
        raise OSError(evil)
    except OSError:
        structlog.get_logger("t").exception("campaign_faulty", campaign=evil, where=Path(evil))
    logging.getLogger("t").warning("it says %s", evil)
    printed = capfd.readouterr().err
    assert printed.count(r"\x1b]0;title\x07\x9b2J\u202eb") == 4
    assert not set(printed) & set("\x1b\x07\x9b\u202e")


def test_a_command_warns_likewise(logged: Callable[[], str], capfd: pytest.CaptureFixture[str]) -> None:
    log_warnings()
    phone, evil = PHONE, "a\x1b[2Jb"
    try:
        raise OSError(evil)
    except OSError:
        structlog.get_logger("t").exception("file_faulty", where=Path(evil))
    structlog.get_logger("t").info("dial", phone=phone)
    printed = capfd.readouterr().err
    assert printed.count(r"a\x1b[2Jb") == 2
    assert "\x1b[2J" not in printed
    assert not _NUMBER.findall(printed)


@pytest.mark.both_databases
async def test_a_campaign_logs_nobodys_number(tmp_path: Path, logged: Callable[[], str]) -> None:
    logged()
    outcomes = [
        *(fake_ami.PERSON, fake_ami.MACHINE, fake_ami.BUSY, fake_ami.NO_ANSWER, fake_ami.CONGESTION),
        *(fake_ami.UNALLOCATED, fake_ami.REJECTS, Subscriber(amd=("", ""), talks_s=0.0)),
    ]
    async with opened(tmp_path) as site:
        fake = FakeAmi(log=site.log, subscribers=lambda digits: outcomes[int(digits[4:]) % len(outcomes)])
        await site.campaign(3 * len(outcomes), max_attempts=2)
        async with running(fake), site.working(fake):
            await until(lambda: logged().count('"event": "dial"') > len(outcomes))
            fake.cut()
            await site.until_state("finished")
    assert "+7916***00" in logged()
    assert not _NUMBER.findall(logged())


@pytest.mark.both_databases
async def test_a_database_that_refuses_is_told_without_the_rows(tmp_path: Path, logged: Callable[[], str]) -> None:
    logged()
    log = structlog.get_logger("t")
    async with opened(tmp_path) as site:
        async with owning(site.engine) as engine, engine.begin() as connection:
            await connection.execute(text("DROP TABLE do_not_call"))
            await connection.execute(text("DROP TABLE call"))
        try:
            phones = [PHONE, "+79161234568"]
            await do_not_call.add(site.scope, phones=phones, source="call", now_ms=1)
        except Exception:
            log.exception("opt_outs_not_added")
        try:
            async with all_rows(site.engine).begin() as connection:
                await connection.execute(insert(contact), [{"id": 1, "phone": PHONE}])
        except Exception as error:
            log.error("contact_not_added", why=str(error))
        writer = group_writer(site.engine)
        lines = Journal(writer, tmp_path / "spill.jsonl")
        await lines.start()
        leg = Leg(
            id="c1",
            tenant="shop",
            direction="inbound",
            attempt_id=None,
            uniqueid="1.1",
            phone=PHONE,
            dialled=PHONE,
            flow="hotline",
            version=None,
            language="ru",
            amd="",
            started_at_ms=1000,
            answered_at_ms=1500,
        )
        lines.begin(leg).note(Note(kind=NoteKind.KEY, node="main", value="1", follow_up=True, depth=2), 2000)
        await lines.close()
    told = logged()
    assert "opt_outs_not_added" in told
    assert "contact_not_added" in told
    assert "journal." in told
    assert not _NUMBER.findall(told)
