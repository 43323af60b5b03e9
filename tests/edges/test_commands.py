"""`ivr` as a stranger types it, on whatever lies in the folder: what, where and how to mend it, and no traceback."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from app.commands import campaign as campaign_commands
from app.commands.main import app, main
from ivr.asterisk import running
from ivr.settings_files import load_site
from ivr.site import free_ports, init_site
from people.store.db import NEWEST
from tests.databases import put_tables

HEADER = "phone,name,language,product\n"
GOOD = "+79161234567,Иван,ru,чайник\n"


@dataclass(frozen=True)
class Told:
    status: int
    #: What is printed, and what is complained of.
    out: str
    err: str


class Site:
    """A fresh site, and `ivr` on it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capfd = folder, monkeypatch, capfd

    def __call__(self, *words: str) -> Told:
        """What the command says. Anything but a UserError comes out of it, and fails the test."""
        site = [] if any(word.startswith("--site") for word in words) else ["--site", str(self.folder)]
        self._monkeypatch.setattr(sys, "argv", ["ivr", *words, *site])
        self._capfd.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        return Told(status, *self._capfd.readouterr())

    def refused(self, *words: str) -> str:
        """The faults that stop the command, one a line, without the site's folder."""
        told = self(*words)
        assert told.status == 1, told
        return told.err.replace(f"{self.folder}/", "")

    def create(self, name: str, data: bytes) -> Told:
        """Make a campaign of a contacts file with these bytes."""
        file = self.folder / f"{name}.csv"
        file.write_bytes(data)
        return self("campaign", "create", name, "--contacts", str(file))


@pytest.fixture
def ivr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Site]:
    init_site(tmp_path / "site", {**free_ports(), "trunk.host": "127.0.0.1", "destinations.operator": "100"})
    put_tables(tmp_path / "site/var/ivr.sqlite3")
    # A terminal of the usual width would break the lines that the tests look for.
    monkeypatch.setenv("COLUMNS", "500")
    # In this process, as under systemd, where the engine has no parent.
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    monkeypatch.setattr(campaign_commands._console, "_width", 500)
    # The folders of a test run may be deep; Asterisk is not started here.
    monkeypatch.setattr(running, "_SOCKET_NAME_MAX", 1000)
    # `ivr up` logs into the site; the next test does not.
    level, handlers = logging.root.level, list(logging.root.handlers)
    yield Site(tmp_path / "site", monkeypatch, capfd)
    for handler in set(logging.root.handlers) - set(handlers):
        handler.close()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[trunk\nhost = 1", ["ivr.toml:1: This is no TOML: expected ']' at the end of a table declaration"]),
        ("tenant = 'a'\n", ["ivr.toml: trunk is missing."]),
        (
            "tenantt = 'a'\n[trunk]\nhost = 'x'\nport = 99999\ncodec = 'mp3'\n[outbund]\nchannels = 1\n",
            [
                "ivr.toml:1: There is no setting tenantt. Remove it or correct its spelling.",
                "ivr.toml:4: trunk.port: should be less than or equal to 65535.",
                "ivr.toml:5: trunk.codec: should be 'alaw', 'ulaw' or 'g722'.",
                "ivr.toml:6: There is no setting outbund.",
            ],
        ),
        ("timezone = 'Moscow'\n[trunk]\nhost = 'x'\n", ["ivr.toml:1: timezone: is no IANA time zone"]),
        ("[trunk]\nhost = 5\n", ['ivr.toml:2: trunk.host: should be a valid string. Put it in quotes: "…".']),
        ("[trunk]\nhost = 'x'\ndial_format = '{number}'\n", ["ivr.toml:3: trunk.dial_format: use {e164}, {digits}"]),
        ("[trunk]\nhost = 'x'\ndial_format = '{digits:>9999999999}'\n", ["ivr.toml:3: trunk.dial_format: use {e164}"]),
        ("[trunk]\nhost = 'x'\ndial_format = '{digits}@y/z'\n", ["ivr.toml:3: trunk.dial_format: beside the number"]),
        ("region = 'UK'\n[trunk]\nhost = 'x'\n", ["ivr.toml:1: region: is no ISO country"]),
        ("\n" * 99 + "x = 1\n[trunk]\nhost = 'x'\n", ["ivr.toml:100: There is no setting x."]),
        ("title = " + "[" * 5000 + "]" * 5000, ["ivr.toml: This is no TOML: it is nested too deeply."]),
        (
            "database = 'nonsense'\n[trunk]\nhost = 'x'\n",
            ["ivr.toml:1: database: is no address of a database"],
        ),
        ("database = 'sqlite:///x'\n[trunk]\nhost = 'x'\n", ["database in ivr.toml: The database can't be used"]),
    ],
)
def test_settings(ivr: Site, text: str, faults: list[str]) -> None:
    (ivr.folder / "ivr.toml").write_text(text)
    said = ivr.refused("campaign", "list").splitlines()
    assert len(said) == len(faults)
    for fault in faults:
        assert any(line.startswith(f"error: {fault}") for line in said), said


@pytest.mark.parametrize("name", ["ivr.toml", "secrets.toml"])
def test_settings_that_are_no_utf8(ivr: Site, name: str) -> None:
    (ivr.folder / name).write_bytes("# Магазин\n".encode("cp1251"))
    assert ivr.refused("up") == f"error: {name}: The file is not UTF-8 text. Save it as UTF-8.\n"


def test_settings_as_notepad_saves_them(ivr: Site) -> None:
    path = ivr.folder / "ivr.toml"
    path.write_bytes(path.read_text().replace("\n", "\r\n").encode("utf-8-sig"))
    assert ivr("campaign", "list").status == 0


def test_a_folder_that_is_no_site(ivr: Site) -> None:
    shutil.rmtree(ivr.folder)
    for command in (["up"], ["campaign", "list"], ["report", "x"], ["calls"]):
        said = ivr.refused(*command)
        assert said.startswith(
            f"error: {ivr.folder}: There is no site here. Go to a site's folder, or name it with --site"
        )


def test_a_site_without_secrets(ivr: Site) -> None:
    (ivr.folder / "secrets.toml").unlink()
    assert ivr.refused("calls").startswith("error: secrets.toml: The file is missing. Write it anew")


# ---------------------------------------------------------------- contacts


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ":1: The first line is empty. Put the names of the columns there"),
        (HEADER.encode(), "Nobody in the file can be called, so the campaign was not made (it has no rows)."),
        ((HEADER + "12345,Иван\nабв,Пётр\n").encode(), "Nobody in the file can be called"),
        ((HEADER + GOOD).replace("phone", "fone").encode(), ":1: There is no column phone (or телефон). Found: fone,"),
        ((HEADER + GOOD).encode("utf-16-le"), ":1: This is no CSV file. In the spreadsheet, save it as CSV UTF-8."),
        (("phone," + "x" * 10_000_000 + "\n").encode(), ":1: This is no CSV file."),
        (bytes(range(128, 256)) * 100, "The file's letters are neither UTF-8 nor a Cyrillic code page."),
    ],
)
def test_a_contacts_file_that_makes_no_campaign(ivr: Site, data: bytes, words: str) -> None:
    told = ivr.create("tv", data)
    assert told.status == 1
    assert "tv.csv" in told.err
    assert words in told.err
    assert "tv" not in ivr("campaign", "list").out
    # The name is still free for the file when it is mended.
    assert ivr.create("tv", (HEADER + GOOD).encode()).status == 0


@pytest.mark.parametrize(
    ("rows", "people", "refused"),
    [
        (GOOD + "89161234567,Иван\n8 (916) 123-45-67,Иван\n", 1, ["tv.csv:3: duplicate", "tv.csv:4: duplicate"]),
        ("+79161234560," + "x" * 10_000_000 + "\n" + GOOD, 1, ["tv.csv:2: unreadable: the line is too long"]),
        ('+79161234560,"Иван\n' + GOOD, 1, ["tv.csv:2: unreadable: the line is too long, or a quote is not closed"]),
        ("+79161234560,Ив\0ан\n" + GOOD, 1, ["tv.csv:2: unreadable"]),
        (GOOD + "112,Иван\n,Иван\n", 1, ["tv.csv:3: invalid_number: too short", "tv.csv:4: invalid_number: empty"]),
        (GOOD.replace(",", ";") + "+79161234560;[red]Иван[/red];xx;\n", 2, ["Language 'xx' is not known (1 rows)"]),
    ],
)
def test_a_bad_row_costs_no_other(ivr: Site, rows: str, people: int, refused: list[str]) -> None:
    header = HEADER.replace(",", ";") if ";" in rows else HEADER
    told = ivr.create("tv", (header + rows).encode())
    assert told.status == 0, told.err
    assert f"tv: {people} people to call." in told.out
    for line in refused:
        assert line in told.out


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a\nb", "[red]x", "x" * 65])
def test_a_name_that_is_none(ivr: Site, name: str) -> None:
    file = ivr.folder / "people.csv"
    file.write_text(HEADER + GOOD)
    told = ivr("campaign", "create", "--contacts", str(file), f"--site={ivr.folder}", "--", name)
    assert told.status == 1
    assert told.err.startswith(f"error: {name!r} is no name for a campaign. Write up to 64 letters")


def test_many_rows(ivr: Site) -> None:
    rows = "".join(f"+7916{n:07},Имя {n % 100}\n" for n in range(20_000))
    assert "tv: 20000 people to call." in ivr.create("tv", ("phone,name\n" + rows).encode()).out


# ---------------------------------------------------------------- campaigns


def test_what_a_campaign_can_not_do(ivr: Site) -> None:
    for command in ("start", "pause", "resume", "stop", "status"):
        assert ivr.refused("campaign", command, "tv") == (
            "error: There is no campaign 'tv'. See the names with: ivr campaign list.\n"
        )
    ivr.create("tv", (HEADER + GOOD).encode())
    assert "There is a campaign 'tv' already." in ivr.create("tv", (HEADER + GOOD).encode()).err
    assert "Campaign 'tv' is ready: it can't pause. Start it with:" in ivr.refused("campaign", "pause", "tv")
    assert ivr("campaign", "stop", "tv").status == 0
    for command in ("start", "pause", "resume", "stop"):
        assert f"Campaign 'tv' is stopped: it can't {command}." in ivr.refused("campaign", command, "tv")
    assert ivr("report", "tv").status == 0


def test_a_report_replaces_no_device(ivr: Site) -> None:
    ivr.create("tv", (HEADER + GOOD).encode())
    pipe = ivr.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ivr("report", "tv", "--csv", str(pipe)).status == 0
        assert b"\n" in os.read(reader, 65536)
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert "can't be written: Is a directory." in ivr.refused("report", "tv", "--json", str(ivr.folder))
    assert "can't be written: Is a directory." in ivr.refused("report", "tv", "--html", "/")


# ---------------------------------------------------------------- what `ivr up` and others stand on


def test_no_flow_at_all(ivr: Site) -> None:
    for path in (ivr.folder / "dialplans").glob("*.yaml"):
        path.unlink()
    assert ivr.refused("up").startswith("error: dialplans: There is no call flow.")


def test_broken_texts(ivr: Site) -> None:
    (ivr.folder / "prompts/texts/ru.yaml").write_text("hotline:\n  main: [нажмите\n")
    for command in (["up"], ["prompt", "list"]):
        assert re.match(r"error: prompts/texts/ru.yaml:\d: This is no YAML:", ivr.refused(*command))


@contextlib.contextmanager
def taken(kind: socket.SocketKind, port: int) -> Iterator[None]:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            one.listen()
        yield


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("agi.port", socket.SOCK_STREAM),
        ("asterisk.ami_port", socket.SOCK_STREAM),
        ("asterisk.sip_port", socket.SOCK_DGRAM),
    ],
)
def test_a_port_that_is_taken(ivr: Site, setting: str, kind: socket.SocketKind) -> None:
    section, name = setting.split(".")
    text = (ivr.folder / "ivr.toml").read_text()
    found = re.search(rf"^\[{section}\].*?^{name} = (\d+)", text, re.MULTILINE | re.DOTALL)
    assert found
    with taken(kind, int(found[1])):
        said = ivr.refused("up")
    assert said.startswith(f"error: {setting}: ")
    assert f"port {found[1]}" in said
    assert "Address already in use. End the program that holds it" in said


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_a_path_too_long_for_asterisk(ivr: Site, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(running, "_SOCKET_NAME_MAX", 20)
    told = ivr(command)
    assert told.status == 1
    assert "The folder's name is too long for a Unix socket" in told.out + told.err
    # Before minutes are spent on speech.
    assert not (ivr.folder / "var" / "audio").exists()


def test_a_site_that_is_up_already(ivr: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.asterisk.running.running_pid", lambda _: 4711)
    port = load_site(ivr.folder).settings.agi.port
    with taken(socket.SOCK_STREAM, port):
        first, second = ivr.refused("up").splitlines()
    assert "The site seems to be up already: its Asterisk runs in process 4711." in first
    assert second.startswith("error: agi.port: ")


def test_output_that_nobody_can_take(ivr: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # The file complains again when it is closed.
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        said = ivr.refused("calls")
    assert said.startswith("error: The machine refuses: No space left on device. Check free space")


@pytest.mark.parametrize("command", [("up",), ("campaign", "list"), ("report", "tv"), ("calls",)])
def test_a_database_that_is_none(ivr: Site, command: tuple[str, ...]) -> None:
    (ivr.folder / "var/ivr.sqlite3").write_bytes(b"no database" * 1000)
    said = ivr.refused(*command)
    assert "var/ivr.sqlite3: The database can't be used: file is not a database. Restore it from a copy" in said
    # Nobody has written over it.
    assert (ivr.folder / "var/ivr.sqlite3").read_bytes().startswith(b"no database")


def test_a_database_of_a_newer_release(ivr: Site) -> None:
    with contextlib.closing(sqlite3.connect(ivr.folder / "var/ivr.sqlite3")) as database, database:
        database.execute("INSERT INTO migration VALUES ('9999', '9999')")
    assert "A newer release has used it" in ivr.refused("campaign", "list")


def test_a_database_that_refuses_in_the_middle(ivr: Site) -> None:
    """A row of the database is as bad as its disk: here a trigger refuses, there it is full."""
    with contextlib.closing(sqlite3.connect(ivr.folder / "var/ivr.sqlite3")) as database, database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON lead BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    told = ivr.create("tv", (HEADER + GOOD).encode())
    assert told.status == 1
    assert told.err.startswith("error: database: The database can't be used: database or disk is full. Check that")
    assert "it can't start. Its contacts were not read to the end." in ivr.refused("campaign", "start", "tv")


def test_no_folder_for_the_log(ivr: Site) -> None:
    shutil.rmtree(ivr.folder / "var")
    (ivr.folder / "var").write_text("a file")
    assert "var/ivr.log: The log can't be written: File exists." in ivr.refused("up")


# ---------------------------------------------------------------- text from outside


def test_no_name_or_cell_steers_the_terminal(ivr: Site) -> None:
    evil = "\x1b]0;gotcha\x07\x9b2J\u202e"
    settings = ivr.folder / "ivr.toml"
    settings.write_text(re.sub("(?m)^(# )?title = .*$", r'title = "\\u001b\\u202eshop"', settings.read_text("utf-8")))
    people = ivr.folder / f"{evil}.csv"
    people.write_text(f"phone,name,{evil},language\n+79161234567,{evil},{evil},{evil}\n{evil},x,y,ru\n", "utf-8")
    made = ivr("campaign", "create", "tv", "--contacts", str(people))
    (ivr.folder / "dialplans" / f"{evil}.yaml").write_text(f'name: "{evil!a}"\n{evil}: 1\n', "utf-8")
    told = [
        made,
        ivr("campaign", "create", evil, "--contacts", str(people)),
        ivr("campaign", "status", evil),
        ivr("campaign", "list"),
        ivr("campaign", "do-not-call", "add", evil),
        ivr("campaign", "do-not-call", "import", str(people)),
        ivr("report", "tv"),
        ivr("report", "tv", "--json", "-"),
        ivr("report", evil),
        ivr("calls", "--campaign", evil),
        ivr("flow", "check"),
        ivr("flow", "show", evil),
        ivr("prompt", "read", "-"),
        ivr("prompt", "read", f"привет {evil}"),
    ]
    assert made.status == 0, made
    assert "gotcha" in made.out
    for each in told:
        steering = set(each.out + each.err) & set("\x1b\x07\x9b\u202e")
        assert not steering, each


def test_tables_are_made_and_brought_up_to_date_by_a_command_alone(ivr: Site) -> None:
    (ivr.folder / "var/ivr.sqlite3").unlink()
    assert "it has no tables yet. Make them with: ivr store upgrade." in ivr.refused("campaign", "list")
    assert ivr("store", "upgrade").out == f"The tables are made ({NEWEST}).\n"
    assert ivr("campaign", "list").status == 0
    assert ivr("store", "upgrade").out == f"The tables are up to date ({NEWEST}).\n"
    with contextlib.closing(sqlite3.connect(ivr.folder / "var/ivr.sqlite3")) as database, database:
        database.execute("UPDATE migration SET revision = '0000' || revision, serves = '0000'")
    assert "of an older release" in ivr.refused("calls")


@pytest.mark.parametrize(
    ("database", "said"), [("", ""), ("sqlite+aiosqlite:////nowhere/x", "make the tables with: ivr store upgrade.")]
)
def test_a_site_is_made_with_its_tables(ivr: Site, tmp_path: Path, database: str, said: str) -> None:
    made = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--set", f"database={database}"])
    assert (made.exit_code, said in made.output) == (0, True)
    ivr.folder = tmp_path / "new"
    assert ivr("campaign", "list").status == (1 if said else 0)
