"""What `ivr doctor` finds wrong with a site, and that it says how to mend it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.main import app
from app.doctor import examine
from app.findings import Finding, Level
from ivr.asterisk.program import Program
from ivr.site import free_ports, init_site
from tests.databases import put_tables
from tests.unit.asterisk.test_conf import PROGRAM


@pytest.fixture(autouse=True)
def _an_asterisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there is an Asterisk is a matter of the machine; the live tests start a real one."""
    monkeypatch.setattr("ivr.asterisk.program.find", lambda mode: PROGRAM)
    # The folders of a test run may be deep.
    monkeypatch.setattr("ivr.asterisk.running._SOCKET_NAME_MAX", 1000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chosen = free_ports() | {"trunk.host": "127.0.0.1", "destinations.operator": "+74950000000"}
    return made(tmp_path / "site", chosen)


def made(folder: Path, chosen: dict[str, object]) -> Path:
    site = init_site(folder, chosen)
    put_tables(site.var / "ivr.sqlite3")
    return site.folder


def failures(folder: Path) -> list[Finding]:
    return [finding for finding in examine(folder) if finding.level is Level.FAIL]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_new_site_is_ready(folder: Path) -> None:
    assert failures(folder) == []
    topics = [finding.topic for finding in examine(folder)]
    for topic in ("python", "settings", "secrets", "flows", "database", "asterisk", "ports", "trunk", "rtp", "clock"):
        assert topic in topics


def test_every_failure_says_how_to_mend_it(folder: Path) -> None:
    (folder / "secrets.toml").chmod(0o644)
    edit(folder / "ivr.toml", 'host = "127.0.0.1"', 'host = "no such host.invalid"')
    edit(folder / "ivr.toml", "[hotline]", '[hotline]\nnumbers = { "*" = "helpdesk" }')
    found = failures(folder)
    assert {finding.topic for finding in found} == {"secrets", "settings", "trunk", "flows"}
    assert all(finding.mend for finding in found)
    assert any("chmod 600" in finding.mend for finding in found)
    assert any("'helpdesk'" in finding.what for finding in found)


@pytest.mark.parametrize("sip_host", ["0.0.0.0", "127.0.0.1"])  # noqa: S104 - settings
def test_a_trunk_that_nobody_has_set_leads_back_to_the_site(tmp_path: Path, sip_host: str) -> None:
    ports = free_ports()
    chosen = ports | {
        "trunk.host": "127.0.0.1",
        "trunk.port": ports["asterisk.sip_port"],
        "asterisk.sip_host": sip_host,
    }
    [finding] = failures(made(tmp_path / "site", chosen))
    assert (finding.topic, "call itself" in finding.what) == ("trunk", True)


def test_a_trunk_elsewhere_with_the_same_port_is_none_of_ours(tmp_path: Path) -> None:
    ports = free_ports()
    chosen = ports | {"trunk.host": "192.0.2.1", "trunk.port": ports["asterisk.sip_port"]}
    folder = made(tmp_path / "site", chosen)
    assert failures(folder) == []


def test_a_promo_flow_cannot_answer_the_hotline(folder: Path) -> None:
    edit(folder / "ivr.toml", "[hotline]", '[hotline]\nnumbers = { "*" = "promo" }')
    [finding] = failures(folder)
    assert "promo flow" in finding.what


def test_a_broken_flow_is_found_with_its_line(folder: Path) -> None:
    edit(folder / "dialplans" / "hotline.yaml", "start: ", "start: nowhere_")
    assert any("hotline.yaml:" in finding.what for finding in failures(folder))


def test_what_is_not_published_is_found_and_what_is_heard_meanwhile(folder: Path) -> None:
    recording = folder / "prompts/recordings/ru/promo.offer.wav"
    recording.parent.mkdir()
    recording.write_bytes(b"RIFF")
    (folder / "var/versions").mkdir(parents=True)
    [finding] = failures(folder)
    assert (finding.topic, finding.what.startswith(str(recording))) == ("prompts", True)
    assert any("callers hear what was published last" in each.what for each in examine(folder))


def test_broken_settings_do_not_hide_the_machine(folder: Path) -> None:
    (folder / "ivr.toml").write_text("[trunk\n")
    found = list(examine(folder))
    assert [finding.topic for finding in found if finding.level is Level.FAIL] == ["settings"]
    assert "asterisk" in [finding.topic for finding in found]


def test_a_taken_port_is_found(folder: Path, tmp_path: Path) -> None:
    ports = free_ports()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        chosen = ports | {"trunk.host": "127.0.0.1", "destinations.operator": "1", "agi.port": port}
        [finding] = failures(made(tmp_path / "other", chosen))
    assert (finding.topic, str(port) in finding.what) == ("ports", True)


def test_a_database_that_is_none_is_found(folder: Path) -> None:
    (folder / "var" / "ivr.sqlite3").write_bytes(b"this is a letter, no database" * 100)
    assert [finding.topic for finding in failures(folder)] == ["database"]


def test_a_narrow_rtp_range_is_found(tmp_path: Path) -> None:
    chosen = free_ports() | {"trunk.host": "127.0.0.1", "destinations.operator": "1", "outbound.channels": 500}
    folder = made(tmp_path / "site", chosen)
    assert [finding.topic for finding in failures(folder)] == ["rtp"]


def test_an_unpatched_asterisk_is_warned_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Program(kind="system", command=("asterisk",), version="20.1.0", modules=Path(), data=Path())
    monkeypatch.setattr("ivr.asterisk.program.find", lambda mode: old)
    [finding] = [finding for finding in examine(folder) if finding.topic == "asterisk"]
    assert (finding.level, "CVE-2024-42365" in finding.what) == (Level.WARN, True)


def test_the_commands_make_and_examine_a_site(tmp_path: Path) -> None:
    run = CliRunner()
    made = run.invoke(
        app, ["init", str(tmp_path / "site"), "--free-ports", "--operator", "100", "--trunk-port", "5099",
              "--rtp", "20000-20999", "--set", "outbound.channels=7"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    looked = run.invoke(app, ["doctor", "--site", str(tmp_path / "site")])
    assert looked.exit_code == 0, looked.output
    assert "Ready for calls" in looked.output
    (tmp_path / "site" / "secrets.toml").chmod(0o644)
    looked = run.invoke(app, ["doctor", "--site", str(tmp_path / "site")])
    assert looked.exit_code == 1
    assert "chmod 600" in looked.output


def test_the_configuration_can_be_rendered_elsewhere(folder: Path, tmp_path: Path) -> None:
    rendered = CliRunner().invoke(app, ["asterisk", "render", "--site", str(folder), "--into", str(tmp_path / "etc")])
    assert rendered.exit_code == 0, rendered.output
    assert "from-trunk" in (tmp_path / "etc" / "extensions.conf").read_text()
