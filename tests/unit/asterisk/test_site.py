"""A new site: complete, private where it must be, never over what is there."""

from __future__ import annotations

import contextlib
import json
import socket
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import make_url

from faults import AuthorError, MachineError, UserError
from ivr.settings import Settings
from ivr.settings_files import load_site
from ivr.site import free_ports, init_site, parse_assignment, setting_defaults, settings_text, toml
from people.store.upgrade import upgrade

HOST = {"trunk.host": "10.0.0.1"}


def test_a_new_site_loads_and_has_what_was_chosen(tmp_path: Path) -> None:
    chosen = HOST | {
        "tenant": "tv",
        "trunk.register": True,
        "outbound.channels": 50,
        "destinations.operator": "+74951234567",
    }
    site = init_site(tmp_path / "site", chosen, trunk_secret='p"w\\')
    assert site.settings.tenant == "tv"
    assert site.settings.trunk.register_with_operator is True
    assert site.settings.outbound.channels == 50
    assert site.settings.destinations == {"operator": "+74951234567"}
    assert site.secrets.trunk_secret.get_secret_value() == 'p"w\\'
    assert {"hotline.yaml", "promo.yaml", "flow.schema.json"} <= {
        path.name for path in (site.folder / "dialplans").iterdir()
    }


def test_the_databases_password_is_a_secret(tmp_path: Path) -> None:
    given = "postgresql://ivr:p%40ss%2Fw@db.example:5433/shop"
    site = init_site(tmp_path / "site", HOST | {"database": given})
    assert site.settings.database == "postgresql://ivr@db.example:5433/shop"
    assert site.secrets.database_password.get_secret_value() == "p@ss/w"
    assert make_url(site.database_url) == make_url(given)
    assert "p@ss/w" not in repr(site)


def test_what_was_not_chosen_is_the_default() -> None:
    loaded = Settings.model_validate(tomllib.loads(settings_text(HOST)))
    assert loaded == Settings.model_validate({"trunk": {"host": "10.0.0.1"}})


def test_every_setting_is_in_the_file_with_its_default() -> None:
    text = settings_text(HOST)
    for name, default in setting_defaults().items():
        if name != "trunk.host":
            assert f"# {name.rpartition('.')[2]} = {toml(default)}\n" in text, name


def test_each_site_has_secrets_of_its_own_that_others_cannot_read(tmp_path: Path) -> None:
    one, two = (init_site(tmp_path / name, HOST) for name in ("one", "two"))
    secret = one.secrets.ami_secret.get_secret_value()
    assert len(secret) >= 32
    assert secret != two.secrets.ami_secret.get_secret_value()
    assert stat.S_IMODE((one.folder / "secrets.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(one.var.stat().st_mode) == 0o700


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    init_site(tmp_path / "site", HOST)
    before = (tmp_path / "site" / "secrets.toml").read_text()
    with pytest.raises(AuthorError, match="site already"):
        init_site(tmp_path / "site", HOST)
    assert (tmp_path / "site" / "secrets.toml").read_text() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    with pytest.raises(AuthorError, match="not empty"):
        init_site(tmp_path / "other", HOST)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="can't be written"):
        init_site(tmp_path / "file" / "site", HOST)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "trunk.host is needed"),
        (HOST | {"trunk.hots": "x"}, "no setting 'trunk.hots'"),
        (HOST | {"language": "de"}, "language: "),
        (HOST | {"trunk.codec": "mp3"}, "trunk.codec: "),
        (HOST | {"asterisk.sip_port": 70000}, "asterisk.sip_port: "),
        (HOST | {"tenant": "my shop"}, "tenant: "),
        (HOST | {"destinations.the operator": "1"}, "destinations.the operator"),
        (HOST | {"destinations.operator": "+"}, "destinations: .*is no number"),
        (HOST | {"destinations.operator": "1,2"}, "destinations: .*is no number"),
        (HOST | {"destinations.operator": "abc"}, "destinations: .*is no number"),
        (HOST | {"destinations.operator": "79161234567@evil"}, "destinations: .*is no number"),
        (HOST | {"destinations.operator": "100&200"}, "destinations: .*is no number"),
        (HOST | {"destinations.operator": ""}, "destinations: .*is no number"),
        (HOST | {"agi.host": "0.0.0.0"}, "agi.host: "),  # noqa: S104 - is refused
        (HOST | {"agi.host": "::"}, "agi.host: stands for every address"),
        (HOST | {"agi.host": "0"}, "agi.host: stands for every address"),
        (HOST | {"agi.host": "[::0]"}, "agi.host: stands for every address"),
        (HOST | {"agi.host": "*"}, "agi.host: is no address"),
        (HOST | {"agi.host": ""}, "agi.host: "),
        (HOST | {"asterisk.ami_host": "::ffff:0.0.0.0"}, "asterisk.ami_host: stands for every address"),
        (HOST | {"asterisk.public_host": "0x0"}, "asterisk.public_host: stands for every address"),
        ({"trunk.host": "0.0.0.0"}, "trunk.host: stands for every address"),  # noqa: S104 - is refused
        (HOST | {"asterisk.ami_user": "general"}, "asterisk.ami_user: "),
    ],
)
def test_a_choice_that_does_not_fit_is_named_and_nothing_is_made(
    tmp_path: Path, chosen: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        init_site(tmp_path / "site", chosen)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("name", ["a%ceb", "c%20d", "q?m", "ünï", "a b"])
async def test_a_folder_of_any_name_has_its_database(tmp_path: Path, name: str) -> None:
    site = init_site(tmp_path / name, HOST)
    await upgrade(site.database_url)
    assert (tmp_path / name / "var" / "ivr.sqlite3").exists()


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", "ё\x7f", "", True, 3, 2.5, {"ru": "x", "*": "y"}, {}])
def test_values_survive_toml(value: object) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value


def test_assignments_are_toml_or_plain_words() -> None:
    assert parse_assignment("outbound.channels=50") == ("outbound.channels", 50)
    assert parse_assignment("title=Техно-Дом = лучший") == ("title", "Техно-Дом = лучший")
    assert parse_assignment("trunk.register=true") == ("trunk.register", True)
    with pytest.raises(AuthorError, match="sets nothing"):
        parse_assignment("title")


def test_free_ports_can_be_bound_and_fit_the_settings(tmp_path: Path) -> None:
    ports = free_ports()
    settings = init_site(tmp_path / "site", HOST | ports).settings
    assert len({settings.asterisk.sip_port, settings.asterisk.ami_port, settings.agi.port}) == 3
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", settings.asterisk.sip_port))
    assert settings.asterisk.rtp_end - settings.asterisk.rtp_start >= 400


def test_ports_are_not_given_twice_though_nobody_uses_them_yet() -> None:
    given = [free_ports() for _ in range(10)]
    assert len({ports["asterisk.rtp_start"] for ports in given}) == 10
    names = ("asterisk.sip_port", "asterisk.ami_port", "agi.port")
    assert len({ports[name] for ports in given for name in names}) == 30


_DRAWER = """
import json, random, sys
from ivr.site import free_ports
random.seed(1)
print(json.dumps([free_ports() for _ in range(3)]), flush=True)
sys.stdin.read()
"""


def test_two_processes_are_not_given_the_same_ports() -> None:
    """Both draw in the same order and have opened none: nothing but what they tell each other keeps them apart."""
    drawn: list[dict[str, int]] = []
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            command = [sys.executable, "-c", _DRAWER]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            assert process.stdout is not None
            drawn += json.loads(process.stdout.readline())
    for names in (("asterisk.rtp_start",), ("asterisk.sip_port", "asterisk.ami_port", "agi.port")):
        ports = [one[name] for one in drawn for name in names]
        assert len(ports) == len(set(ports)) == 6 * len(names)


def test_what_many_processes_drew_and_do_not_use_is_given_rather_than_nothing() -> None:
    with contextlib.ExitStack() as stack:
        for start in range(10000, 32000, 800):
            holder = stack.enter_context(socket.socket(socket.AF_UNIX))
            with contextlib.suppress(OSError):
                holder.bind(f"\0ivr-ports-{start}")
        assert free_ports()["asterisk.rtp_start"] in range(10000, 32000, 800)


def test_load_tells_of_a_missing_site(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match="ivr init"):
        load_site(tmp_path)
