"""What a site needs of its machine and the network: room, free ports, the operator's address, open files, the time."""

from __future__ import annotations

import datetime
import resource
import shutil
import socket
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from app.findings import Finding, fail, of_faults, ok, warn
from faults import UserError
from ivr.asterisk import conf, ports, running
from ivr.settings import MAIN, Site, Trunk
from ivr.trunks import trunks_of_files

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound to
_FREE_FAIL, _FREE_WARN = 200_000_000, 1_000_000_000
#: Of Asterisk for one call: SIP and two RTP sockets, a timer, an AGI link; and what both need without calls.
_FILES_PER_CALL, _FILES_AT_REST = 8, 300


def examine_disk(site: Site) -> Iterator[Finding]:
    free = shutil.disk_usage(site.var if site.var.is_dir() else site.folder).free
    what = f"{free / 1e9:.1f} GB free at {site.var}"
    if free < _FREE_WARN:
        find = fail if free < _FREE_FAIL else warn
        yield find("disk", what, "Free some: audio, journal and logs need 1 GB of room.")
    else:
        yield ok("disk", what)
    if site.audio.is_dir():
        used = sum(path.stat().st_size for path in site.audio.rglob("*") if path.is_file())
        yield ok("audio", f"{used / 1e6:.0f} of {site.settings.prompts.cache_max_mb} MB used by the cache")


def examine_ports(site: Site) -> Iterator[Finding]:
    external = site.settings.asterisk.mode == "external"
    ours = running.running_pid(conf.site_home(site))
    if external:
        pass
    elif ours is not None:
        yield ok("ports", f"SIP and AMI are held by our own Asterisk (process {ours})")
    else:
        try:
            ports.check_ports(conf.site_ports(site))
        except UserError as error:
            yield from of_faults("ports", error.faults)
        else:
            asterisk = site.settings.asterisk
            yield ok("ports", f"SIP {asterisk.sip_port} and AMI {asterisk.ami_port} are free")
    agi = site.settings.agi
    try:
        ports.check_ports(ports.Ports(tcp=(("agi.port", agi.host, agi.port),)))
    except UserError as error:
        if ours is not None or external:
            yield ok("ports", f"AGI {agi.port} is held, by our own engine it seems")
        else:
            yield from of_faults("ports", error.faults)
    else:
        yield ok("ports", f"AGI {agi.port} is free")


def _is_this_machine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def examine_trunk(site: Site) -> Iterator[Finding]:
    """Whether the addresses of the trunks of ivr.toml can be found, and are not our own."""
    for each in trunks_of_files(site):
        yield _examine_peer(site, "trunk" if each.name == MAIN else f"trunks.{each.name}", each.how)


def _examine_peer(site: Site, section: str, trunk: Trunk) -> Finding:
    try:
        found = socket.getaddrinfo(trunk.host.strip("[]"), trunk.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        mend = f"Check {section}.host in ivr.toml and the machine's name server."
        return fail("trunk", f"{trunk.host} has no address: {error}.", mend)
    address = str(found[0][4][0])
    ours = site.settings.asterisk
    if trunk.port == ours.sip_port and ours.sip_host in (address, _ANY_ADDRESS) and _is_this_machine(address):
        mend = f"Write the operator's address at {section}.host (and {section}.port) in ivr.toml."
        what = f"{trunk.host}, port {trunk.port}, is this site's own Asterisk: it would call itself."
        return fail("trunk", what, mend)
    shown = trunk.host if address == trunk.host else f"{trunk.host} is {address}"
    return ok("trunk", f"{shown}, port {trunk.port}, {trunk.codec}")


def examine_room(site: Site) -> Iterator[Finding]:
    """Whether the machine's limits carry the calls that the settings allow."""
    asterisk, channels = site.settings.asterisk, site.settings.outbound.channels
    # A call takes an even port for RTP and the odd one after it; a transfer is a second call.
    calls = (asterisk.rtp_end - asterisk.rtp_start + 1) // 2
    if calls < 2 * channels:
        mend = f"Widen rtp_start to rtp_end to {4 * channels} ports, or lower outbound.channels."
        find = fail if calls < channels else warn
        yield find("rtp", f"Room for {calls} calls; {channels} campaign calls and their transfers take more.", mend)
    else:
        yield ok("rtp", f"ports {asterisk.rtp_start}-{asterisk.rtp_end}: room for {calls} calls")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = _FILES_AT_REST + _FILES_PER_CALL * channels
    if hard != resource.RLIM_INFINITY and hard < needed:
        mend = f"Raise it to {needed} or more: LimitNOFILE in the systemd unit, or ulimit -Hn."
        yield warn("files", f"A process may open {hard} files; {channels} calls need {needed}.", mend)
    else:
        yield ok("files", "as many open files as one likes" if hard == resource.RLIM_INFINITY else f"{hard} at once")


def examine_clock(site: Site) -> Iterator[Finding]:
    now = datetime.datetime.now(ZoneInfo(site.settings.timezone))
    what = f"{now:%d.%m.%Y %H:%M} in {site.settings.timezone}"
    if now.year < 2024:
        yield fail("clock", f"The clock says {what}.", "Set it: calling hours and reports depend on it.")
    else:
        yield ok("clock", what)
