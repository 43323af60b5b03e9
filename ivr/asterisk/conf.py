"""Asterisk's configuration from the templates in asterisk-conf/. Writes no file; no setting can add a line to one."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from faults import AuthorError, Fault
from ivr.asterisk.ports import Ports
from ivr.asterisk.program import Program
from ivr.asterisk.running import Home, path_fault
from ivr.resources import resource_dir
from ivr.settings import Site
from ivr.trunks import HOST, SiteTrunk, carrying, named_trunks, secret_faults, trunk_faults, trunks_of_files
from people.numbers import dial_string, normal_form

#: Asterisk complains in its log when they are missing; nothing need be in them.
_EMPTY = (
    "acl.conf",
    "ccss.conf",
    "cli.conf",
    "cli_aliases.conf",
    "cli_permissions.conf",
    "features.conf",
    "udptl.conf",
)

#: In var/: the engine's loop renews it every second. Older than `stale_after_s`, the engine hangs.
ALIVE = Path("run") / "engine.alive"
#: Processes at one time that note wishes while the engine is away; whoever comes later waits for his turn.
NOTING_AT_ONCE = 4
#: The destination of ivr.toml that the fallback offers.
OPERATOR = "operator"


class Unfit(ValueError):
    """A value would break out of its place in a configuration file."""


def _fit(value: object) -> object:
    """`value` as it is; raises Unfit when it would end its line or begin a comment."""
    if isinstance(value, str) and re.search(r"[\x00-\x1f\x7f;]", value):
        raise Unfit(value)
    return value


def render(folders: Sequence[Path], values: Mapping[str, object]) -> dict[str, str]:
    """File name -> text, of every *.j2 template in `folders`; a later folder's template wins over the same name.

    Raises Unfit for a value with a control character or semicolon, jinja2.UndefinedError for a missing one.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in reversed(folders)]),
        undefined=jinja2.StrictUndefined,
        finalize=_fit,
        autoescape=False,  # noqa: S701 - these are no HTML files; _fit guards them
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = {path.name for folder in folders for path in folder.glob("*.j2")}
    files = {name: "; Nothing is needed here.\n" for name in _EMPTY}
    files |= {name.removesuffix(".j2"): environment.get_template(name).render(values) for name in sorted(names)}
    return files


def common_values(home: Home, program: Program) -> dict[str, object]:
    """What the templates in asterisk-conf/common need."""
    return {"home": home, "program": program}


def site_home(site: Site) -> Home:
    return Home(folder=site.asterisk)


def site_ports(site: Site) -> Ports:
    """What the site's Asterisk listens on."""
    asterisk = site.settings.asterisk
    return Ports(
        tcp=(
            ("asterisk.ami_port", asterisk.ami_host, asterisk.ami_port),
            ("asterisk.sip_port", asterisk.sip_host, asterisk.sip_port),
            ("asterisk.tls_port", asterisk.sip_host, asterisk.tls_port),
        ),
        udp=(("asterisk.sip_port", asterisk.sip_host, asterisk.sip_port),),
    )


def site_files(site: Site, program: Program, trunks: Sequence[SiteTrunk] | None = None) -> dict[str, str]:
    """The configuration of the site's Asterisk, by which calls go by `trunks`; None: by those of ivr.toml.

    Raises AuthorError with every setting that it can't carry.
    """
    if faults := setting_faults(site):
        raise AuthorError(faults)
    trunks = trunks_of_files(site) if trunks is None else trunks
    home, believed = site_home(site), ssl.get_default_verify_paths()
    values = common_values(home, program) | {
        "site": site,
        "settings": site.settings,
        "trunks": trunks,
        # One that does not answer is passed over while another carries the number.
        "asks": len(trunks) > 1,
        # Asterisk tells callers by their address alone: that of several trunks is the first one's.
        "callers": {each.how.host: each.endpoint for each in reversed(trunks)},
        "asterisk": site.settings.asterisk,
        "ca_file": site.settings.asterisk.tls_ca or believed.cafile or "",
        "ca_path": believed.capath or "",
        "agi": site.settings.agi,
        "alive_file": site.var / ALIVE,
        "stale_after_s": stale_after_s(site),
        "says": fallback_folder(site),
        "spool": site.spool,
        "operator": operator(site, trunks),
        "fallback": fallback_command(site),
        "noting_at_once": NOTING_AT_ONCE,
        "ami_secret": site.secrets.ami_secret.get_secret_value(),
    }
    conf = resource_dir("asterisk-conf")
    return render((conf / "common", conf / "site"), values)


#: What differs where trunks do.
OF_TRUNKS = ("pjsip_trunks.conf", "extensions.conf")
#: With which Asterisk takes them. Calls in progress go on as they are.
TAKE_TRUNKS = (
    "module reload res_pjsip.so res_pjsip_endpoint_identifier_ip.so res_pjsip_outbound_registration.so",
    "dialplan reload",
)

#: What shows which trunks answer; `silent_endpoints` reads it.
SHOW_ANSWERING = "pjsip show contacts"


def silent_endpoints(shown: str) -> set[str]:
    """The endpoints of trunks that do not answer what Asterisk asks them, as its console shows."""
    return set(re.findall(r"^ *Contact: +asked-([\w-]+)/.* Unavail ", shown, re.M))


def stale_after_s(site: Site) -> int:
    """How old the file ALIVE is at most while the engine moves."""
    return site.settings.agi.hung_after_s // 2


def fallback_folder(site: Site) -> Path:
    """Where the dialplan finds what to say without an engine: `ivr.fallback.prepare.prepare_fallback` fills it."""
    return site.var / "fallback"


def fallback_command(site: Site) -> tuple[str, ...]:
    """What Asterisk starts for a caller who wants to be called back; number dialled, language and time follow."""
    # -I: neither the folder Asterisk runs in nor PYTHONPATH may shadow pyst2's package `asterisk`.
    return (sys.executable, "-I", "-m", "ivr.fallback.script", str(site.spool))


def operator(site: Site, trunks: Sequence[SiteTrunk]) -> str:
    """Argument of Dial() that reaches the operator; "" when the site has none, or no trunk carries the number."""
    settings = site.settings
    if not (number := normal_form(settings.destinations.get(OPERATOR, ""), settings.region)):
        return ""
    found = carrying(trunks, number, tenant=settings.tenant)
    return f"PJSIP/{dial_string(number, found[0].how.dial_format)}@{found[0].endpoint}" if found else ""


_FILE = (r"[^\x00-\x1f\x7f;]*", "the name of a file")
_FORMS = {
    "agi.host": (HOST, "a host name or address"),
    "agi.second": (r"([A-Za-z0-9._-]+:[0-9]{1,5})?", "host:port"),
    "asterisk.sip_host": (HOST, "an address of this machine"),
    "asterisk.public_host": (rf"({HOST})?", "a host name or address"),
    "asterisk.tls_cert": _FILE,
    "asterisk.tls_key": _FILE,
    "asterisk.tls_ca": _FILE,
    "asterisk.ami_host": (HOST, "an address of this machine"),
    "asterisk.ami_user": (r"[A-Za-z0-9_-]+", "letters, digits, dash"),
}


def setting_faults(site: Site) -> list[Fault]:
    """A fault for every setting and secret that Asterisk's configuration can't carry."""
    faults = []
    for name, (form, words) in _FORMS.items():
        section, key = name.split(".")
        if not re.fullmatch(form, str(getattr(getattr(site.settings, section), key))):
            where = site.folder / "ivr.toml"
            faults.append(Fault(what=f"{name} is not {words}.", where=where, mend=f"Write {words} there."))
    if re.search(r"[\x00-\x1f\x7f;,:(){}$\"|\\&\[\]]", str(site.folder)):
        what = "The folder's name has a character that Asterisk's files can't carry."
        faults.append(Fault(what=what, where=site.folder, mend="Rename it to letters, digits, dashes and slashes."))
    if site.settings.asterisk.mode != "external" and (fault := path_fault(site_home(site))):
        faults.append(fault)
    faults += secret_faults(site, "ami_secret", site.secrets.ami_secret.get_secret_value())
    if not site.secrets.ami_secret.get_secret_value():
        mend = 'Write a long random one: ami_secret = "…".'
        faults.append(Fault(what="ami_secret is empty.", where=site.folder / "secrets.toml", mend=mend))
    for name, how in named_trunks(site.settings).items():
        if how.enabled:
            faults += trunk_faults(site, name, how)
    if site.settings.asterisk.rtp_end - site.settings.asterisk.rtp_start < 3:
        mend = "Leave four ports or more for each call between rtp_start and rtp_end."
        faults.append(Fault(what="The RTP range has no room for a call.", where=site.folder / "ivr.toml", mend=mend))
    return faults
