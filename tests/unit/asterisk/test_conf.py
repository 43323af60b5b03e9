"""Settings become Asterisk's configuration; none of them can add a line to it."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

from faults import AuthorError
from ivr.asterisk.conf import Unfit, render, setting_faults, silent_endpoints, site_files, site_ports
from ivr.asterisk.program import Program
from ivr.resources import resource_dir
from ivr.settings import Secrets, Settings, Site, Trunk
from ivr.trunks import SiteTrunk

PROGRAM = Program(
    kind="embedded", command=("asterisk",), version="22.10.1", modules=Path("/m"), data=Path("/d")
)  # fmt: skip


def site(
    settings: dict[str, object] | None = None, *, folder: Path = Path("/site"), secrets: Secrets | None = None
) -> Site:
    nested: dict[str, dict[str, object]] = {"trunk": {"host": "10.0.0.1"}}
    for name, value in (settings or {}).items():
        section, key = name.split(".")
        nested.setdefault(section, {})[key] = value
    if secrets is None:
        secrets = Secrets.model_validate({"ami_secret": "a" * 32, "trunk_secret": "t"})
    return Site(folder=folder, settings=Settings.model_validate(nested), secrets=secrets)


def section(text: str, name: str, kind: str) -> dict[str, str]:
    """Options of the section `name` with `type = kind`."""
    for block in re.findall(rf"^\[{name}\]\n((?:(?!\[).*\n)*)", text, re.M):
        options = dict(re.findall(r"^(\w+) = (.*)$", block, re.M))
        if options.get("type") == kind:
            return options
    raise AssertionError(f"no {kind} {name}")


def test_the_trunk_is_as_the_settings_say() -> None:
    pjsip = site_files(site({"trunk.port": 5071, "trunk.codec": "ulaw"}), PROGRAM)["pjsip_trunks.conf"]
    assert section(pjsip, "trunk", "aor")["contact"] == "sip:10.0.0.1:5071"
    assert section(pjsip, "trunk", "identify")["match"] == "10.0.0.1"
    assert re.findall(r"^allow = (.*)$", pjsip, re.M) == ["ulaw", "alaw"]
    endpoint = section(pjsip, "trunk", "endpoint")
    assert (endpoint["dtmf_mode"], endpoint["direct_media"], endpoint["context"]) == ("rfc4733", "no", "from-trunk")
    assert "outbound_auth" not in endpoint
    assert "registration" not in pjsip


def test_a_registered_trunk_authenticates() -> None:
    files = site_files(site({"trunk.user": "shop", "trunk.register": True}), PROGRAM)
    assert section(files["pjsip_trunks.conf"], "trunk", "auth")["password"] == "t"
    registration = section(files["pjsip_trunks.conf"], "trunk", "registration")
    assert registration["client_uri"] == "sip:shop@10.0.0.1:5060"
    assert "res_pjsip_outbound_registration.so" in files["modules.conf"]


def trunk(name: str, **how: object) -> SiteTrunk:
    return SiteTrunk(name=name, how=Trunk.model_validate({"host": "10.0.0.1", **how}))


def test_each_trunk_has_its_own_transport_and_those_of_one_host_are_called_by_one_name() -> None:
    trunks = [
        trunk("main"),
        trunk("b", transport="tcp"),
        trunk("c", transport="tls", host="sip.example.org", port=5061),
    ]
    pjsip = site_files(site(), PROGRAM, trunks)["pjsip_trunks.conf"]
    found = {name: section(pjsip, name, "endpoint") for name in ("trunk", "trunk-b", "trunk-c")}
    assert [each["transport"] for each in found.values()] == ["transport", "transport-tcp", "transport-tls"]
    assert [each.get("media_encryption") for each in found.values()] == [None, None, "sdes"]
    assert section(pjsip, "trunk-c", "aor")["contact"] == r"sip:sip.example.org:5061\;transport=tls"
    assert dict(re.findall(r"^endpoint = (.*)\nmatch = (.*)$", pjsip, re.M)) == {
        "trunk": "10.0.0.1",
        "trunk-c": "sip.example.org",
    }


def test_only_where_there_are_several_they_are_asked_whether_they_answer_and_by_another_name() -> None:
    alone = site_files(site(), PROGRAM)["pjsip_trunks.conf"]
    assert "asked-" not in alone
    several = site_files(site(), PROGRAM, [trunk("main"), trunk("b")])["pjsip_trunks.conf"]
    for text, name in ((alone, "trunk"), (several, "trunk"), (several, "trunk-b")):
        assert section(text, name, "aor")["qualify_frequency"] == "0"
    assert section(several, "asked-trunk-b", "aor")["qualify_frequency"] == "15"
    shown = """
  Contact:  asked-trunk-b/sip:127.0.0.1:47278              055122b37d Avail         0.670
  Contact:  asked-trunk-c/sip:127.0.0.1:7110;transport=tcp c899670edf Unavail        -nan
  Contact:  trunk-d/sip:127.0.0.1:7110;transport=tls       ad1664fcf8 NonQual        -nan
  Contact:  asked-trunk/sip:127.0.0.1:7110                 473d7a9536 Unavail        -nan
"""
    assert silent_endpoints(shown) == {"trunk-c", "trunk"}


def test_the_fallbacks_operator_is_dialled_by_the_trunk_that_carries_his_number() -> None:
    trunks = [trunk("main", prefixes=["+380"]), trunk("b", prefixes=["+7"], dial_format="9{digits}")]
    chosen: dict[str, object] = {"destinations.operator": "+74950000000"}
    assert "Dial(PJSIP/974950000000@trunk-b,30" in site_files(site(chosen), PROGRAM, trunks)["extensions.conf"]
    assert "Dial(PJSIP" not in site_files(site(chosen), PROGRAM, trunks[:1])["extensions.conf"]


def test_behind_nat_the_operator_is_told_the_public_address() -> None:
    assert "external_" not in site_files(site(), PROGRAM)["pjsip.conf"]
    pjsip = site_files(site({"asterisk.public_host": "203.0.113.7"}), PROGRAM)["pjsip.conf"]
    assert section(pjsip, "transport", "transport")["external_media_address"] == "203.0.113.7"


def test_the_second_engine_comes_after_the_first_and_before_the_fallback() -> None:
    extensions = site_files(site({"agi.second": "10.0.0.9:4573"}), PROGRAM)["extensions.conf"]
    hotline = extensions.partition("[hotline]")[2].partition("[promo]")[0]
    tried = re.findall(r"AGI\((agi://[^/]+|[^,]*python[^,]*)", hotline)
    assert tried == ["agi://127.0.0.1:4573", "agi://10.0.0.9:4573"]
    assert len(re.findall(r"/inbound\?key=[0-9a-f]{32}&answered=1,", hotline)) == 2
    # A first engine that hangs is passed over, the second is not.
    assert "?second)" in hotline


def test_every_context_that_leads_to_the_engine_ends_in_a_voice() -> None:
    """The hotline's callers and the people we call alike."""
    extensions = site_files(site(), PROGRAM)["extensions.conf"]
    contexts = dict(re.findall(r"^\[([\w-]+)\]\n((?:(?!\[).*\n)*)", extensions, re.M))
    asking = {name for name, text in contexts.items() if "AGI(agi://" in text}
    assert asking == {"hotline", "promo"}
    for name in asking:
        assert f"Goto(fallback,{name},1)" in contexts[name]
        assert f"exten => {name},1," in contexts["fallback"]


@pytest.mark.parametrize(("number", "dialled"), [("+74950000000", "PJSIP/74950000000@trunk,30"), ("", None)])
def test_the_fallback_offers_the_operator_that_there_is(number: str, dialled: str | None) -> None:
    chosen: dict[str, object] = {"destinations.operator": number} if number else {}
    fallback = site_files(site(chosen), PROGRAM)["extensions.conf"].partition("[fallback]")[2]
    assert ("Dial(" in fallback, dialled is None or dialled in fallback) == (dialled is not None, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trunk.host", "10.0.0.1\nexten => x"),
        ("trunk.host", "a;b"),
        ("trunk.user", "u\r\ncontext=promo"),
        ("trunk.user", "u@x"),
        ("trunk.user", "u]\x1b"),
        ("asterisk.public_host", "h;x"),
        ("trunk.caller_id", '"a" <1>'),
        ("agi.host", "h/x,${SHELL(id)}"),
        ("agi.second", "host"),
        ("agi.second", "host:٣"),
        ("agi.second", "h:1)\n same => n,System(id"),
        ("asterisk.ami_user", "ivr]\n[x"),
        ("asterisk.sip_host", "0.0.0.0 x"),
        ("asterisk.ami_host", "127.0.0.1]"),
    ],
)
def test_a_setting_that_would_break_out_is_a_fault_with_its_name(name: str, value: str) -> None:
    with pytest.raises(AuthorError) as caught:
        site_files(site({name: value}), PROGRAM)
    assert name in caught.value.faults[0].what


@pytest.mark.parametrize("secret", ["a\nb", "a;b", "a\\b", ""])
def test_a_secret_that_asterisk_cannot_carry_is_a_fault_without_the_secret(secret: str) -> None:
    secrets = Secrets.model_validate({"ami_secret": secret})
    [fault] = setting_faults(site(secrets=secrets))
    assert "ami_secret" in fault.what
    assert not secret or secret not in str(fault)


def test_callers_are_led_past_an_engine_before_it_is_ended() -> None:
    extensions = site_files(site({"agi.hung_after_s": 20}), PROGRAM)["extensions.conf"]
    assert set(re.findall(r"EPOCH} - 0\$\{IVR_ALIVE} > (\d+)", extensions)) == {"10"}


def test_a_user_without_a_password_is_a_fault() -> None:
    secrets = Secrets.model_validate({"ami_secret": "a" * 32})
    [fault] = setting_faults(site({"trunk.user": "shop"}, secrets=secrets))
    assert "trunk_secret" in fault.what


@pytest.mark.parametrize(
    "folder", ["/a,b", "/a;b", "/a\nb", "/a(b", "/a:b", "/a{b", '/a"b', "/a\\b", "/[a]", "/a&b", "/${a}"]
)
def test_a_folder_that_would_break_out_is_a_fault(folder: str) -> None:
    [fault] = setting_faults(site(folder=Path(folder)))
    assert "folder" in fault.what


def test_every_fault_is_told_at_once() -> None:
    bad = site({"trunk.host": "a b", "agi.second": "x", "asterisk.rtp_start": 2000, "asterisk.rtp_end": 2001})
    assert len(setting_faults(bad)) == 3


def test_values_never_end_a_line_and_are_never_missing(tmp_path: Path) -> None:
    (tmp_path / "x.conf.j2").write_text("a = {{ value }}\n")
    assert render([tmp_path], {"value": "1"})["x.conf"] == "a = 1\n"
    for value in ("1\nb = 2", "1\rb", "1;2", "1\0"):
        with pytest.raises(Unfit):
            render([tmp_path], {"value": value})
    with pytest.raises(jinja2.UndefinedError):
        render([tmp_path], {})


def test_a_later_folder_wins(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.conf.j2").write_text(name)
    assert render([tmp_path / "one", tmp_path / "two"], {})["x.conf"] == "two"


def test_the_manager_is_for_this_machine_alone() -> None:
    manager = site_files(site(), PROGRAM)["manager.conf"]
    options = dict(re.findall(r"^(\w+) = (.*)$", manager, re.M))
    assert options["bindaddr"] == "127.0.0.1"
    assert options["read"] == "system,call,user"
    assert not {"dialplan", "config", "command", "system", "all"} & set(options["write"].split(","))
    assert "deny = 0.0.0.0/0.0.0.0" in manager


def test_nothing_is_loaded_that_was_not_asked_for() -> None:
    modules = site_files(site(), PROGRAM)["modules.conf"]
    assert "autoload = no" in modules
    assert not re.search(r"app_system|func_shell|func_curl|res_ari|anonymous|pbx_spool", modules)


def test_ports_to_check_are_those_of_the_settings() -> None:
    ports = site_ports(site({"asterisk.sip_host": "10.0.0.2", "asterisk.sip_port": 5070, "asterisk.ami_port": 5039}))
    assert ports.udp == (("asterisk.sip_port", "10.0.0.2", 5070),)
    sip = (("asterisk.sip_port", "10.0.0.2", 5070), ("asterisk.tls_port", "10.0.0.2", 5061))
    assert ports.tcp == (("asterisk.ami_port", "127.0.0.1", 5039), *sip)


def test_every_shipped_template_folder_is_installed() -> None:
    """data_files of setup.cfg name each folder, for they don't recurse."""
    conf = resource_dir("asterisk-conf")
    setup = (conf.parent / "setup.cfg").read_text("utf-8")
    for folder in (path for path in conf.iterdir() if path.is_dir()):
        assert f"share/ivr/asterisk-conf/{folder.name} = asterisk-conf/{folder.name}/*" in setup
