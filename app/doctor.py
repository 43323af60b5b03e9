"""Is this site able to take calls? Looks at all that it stands on and says how to mend it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import platform
import resource
import shutil
import socket
import stat
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app.copies.telling import sentence
from app.vitals import Answer, ami_answers, asterisk_answers, engine_state, journal_files, missing, put_back
from faults import Fault, UserError
from ivr.asterisk import conf, ports, program, running
from ivr.flow.check import unread_texts
from ivr.flow.load import check_flow_files, flow_files
from ivr.flow.model import Transfer
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.versions.folder import faults_in
from people.store.db import open_database
from people.store.losses import Missing
from people.store.roles import mixes_tenants
from prompts.engines.choice import AUTO, speakers
from prompts.sentences import SHIPPED, load_sentences

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound to
_FREE_FAIL, _FREE_WARN = 200_000_000, 1_000_000_000
#: How long one look may take.
_PATIENCE_S = 20.0
_HANGS = "Look at the disk and the name server of the machine; another program may hold the database locked."
#: Of Asterisk for one call: SIP and two RTP sockets, a timer, an AGI link; and what both need without calls.
_FILES_PER_CALL, _FILES_AT_REST = 8, 300


class Level(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    #: What was looked at: "database", "ports".
    topic: str
    what: str
    #: "" when nothing has to be mended.
    mend: str = ""


def examine(folder: Path) -> Iterator[Finding]:
    """Everything found in the site `folder` and the machine under it, one by one as it is found."""
    yield _ok("python", f"{platform.python_version()} at {sys.executable}")
    try:
        site = load_site(folder)
    except UserError as error:
        yield from _faults("settings", error.faults)
        yield from _asterisk(None)
        return
    yield _ok("settings", f"{site.folder / 'ivr.toml'}: tenant {site.settings.tenant}")
    for topic, look in _LOOKS.items():
        yield from _within(_PATIENCE_S, topic, look, site)


def _within(seconds: float, topic: str, look: Callable[[Site], Iterable[Finding]], site: Site) -> list[Finding]:
    """What a look finds; a finding that it hangs when it does not come to its end in time."""
    found: list[list[Finding] | Exception] = []

    def run() -> None:
        try:
            found.append(list(look(site)))
        except Exception as error:
            found.append(error)

    # Its thread is left behind when it hangs, on a dead disk or name server; it keeps nobody from ending.
    looking = threading.Thread(target=run, name=f"doctor-{topic}", daemon=True)
    looking.start()
    looking.join(seconds)
    if not found:
        return [_fail(topic, f"Looking at it came to no end within {seconds:g} s.", _HANGS)]
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _ok(topic: str, what: str) -> Finding:
    return Finding(level=Level.OK, topic=topic, what=what)


def _warn(topic: str, what: str, mend: str) -> Finding:
    return Finding(level=Level.WARN, topic=topic, what=what, mend=mend)


def _fail(topic: str, what: str, mend: str) -> Finding:
    return Finding(level=Level.FAIL, topic=topic, what=what, mend=mend)


def _faults(topic: str, faults: tuple[Fault, ...] | list[Fault]) -> Iterator[Finding]:
    for fault in faults:
        place = "" if fault.where is None else f"{fault.where}:{fault.line}: " if fault.line else f"{fault.where}: "
        yield _fail(topic, place + fault.what, fault.mend)


def _secrets(site: Site) -> Iterator[Finding]:
    path = site.folder / "secrets.toml"
    if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        yield _fail("secrets", f"{path} can be read by others (mode {mode:o}).", f"chmod 600 {path}")
    else:
        yield _ok("secrets", "readable by their owner alone")
    if make_url(site.settings.database or "sqlite://").password is not None:
        yield _warn("secrets", "The database's password is in ivr.toml.", "Move it to secrets.toml: database_password.")
    yield from _faults("settings", conf.setting_faults(site))


def _flows(site: Site) -> Iterator[Finding]:
    folder = site.folder / "dialplans"
    try:
        sentences = load_sentences(SHIPPED, site.folder / "prompts" / "texts")
    except UserError as error:
        yield from _faults("texts", error.faults)
        yield from _kept_back(site, error.faults)
        return
    flows, faults = check_flow_files(flow_files(folder), sentences, site.settings.transfers_to)
    yield from _faults("flows", faults)
    yield from _kept_back(site, faults)
    yield from _faults("texts", unread_texts(flows.values(), sentences))
    for number, name in site.settings.hotline.numbers.items():
        flow = flows.get(name)
        if flow is None and not faults:
            mend = f"Write it, or name another in [hotline] of ivr.toml: {', '.join(sorted(flows)) or 'there is none'}."
            yield _fail("flows", f"Calls to {number!r} go to the flow {name!r}, which is not in {folder}.", mend)
        elif flow is not None and flow.kind != "hotline":
            yield _fail("flows", f"Calls to {number!r} go to {name!r}, a promo flow.", "Name a hotline flow.")
    transfers = {node.to for flow in flows.values() for node in flow.nodes.values() if isinstance(node, Transfer)}
    if transfers and not site.settings.destinations:
        mend = f"Write the number of each under [destinations] in ivr.toml: {', '.join(sorted(transfers))}."
        yield _warn("flows", "Callers who ask for an operator are told that all are busy.", mend)
    if flows and not faults:
        yield _ok("flows", ", ".join(f"{flow.name} ({' '.join(flow.languages)})" for flow in flows.values()))


def _kept_back(site: Site, told: Collection[Fault]) -> Iterator[Finding]:
    """For what else nothing of the site is published, and what is heard meanwhile."""
    faults = faults_in(site.folder)
    yield from _faults("prompts", [fault for fault in faults if fault not in told])
    if faults and (site.var / "versions").exists():
        mend = "What is good is heard at once, without a restart; see: ivr flow versions."
        yield _warn("flows", "Until that is mended, callers hear what was published last.", mend)


def _speech(site: Site) -> Iterator[Finding]:
    wanted = site.settings.prompts
    voices = []
    for language in ("ru", "uk", "en"):
        try:
            found = speakers(language, wanted.engine.get(language, AUTO), wanted.voice.get(language, ""))
        except UserError as error:
            yield from _faults("speech", error.faults)
            continue
        if found:
            voices.append(f"{language}: {found[0].engine}")
        else:
            mend = "Fetch one without root: ivr prompt engines --install rhvoice; or record it: prompts/recordings."
            yield _warn("speech", f"No engine here speaks {language}.", mend)
    if voices:
        yield _ok("speech", ", ".join(voices))


def _disk(site: Site) -> Iterator[Finding]:
    free = shutil.disk_usage(site.var if site.var.is_dir() else site.folder).free
    what = f"{free / 1e9:.1f} GB free at {site.var}"
    if free < _FREE_WARN:
        find = _fail if free < _FREE_FAIL else _warn
        yield find("disk", what, "Free some: audio, journal and logs need 1 GB of room.")
    else:
        yield _ok("disk", what)
    if site.audio.is_dir():
        used = sum(path.stat().st_size for path in site.audio.rglob("*") if path.is_file())
        yield _ok("audio", f"{used / 1e6:.0f} of {site.settings.prompts.cache_max_mb} MB used by the cache")


def _database(site: Site) -> Iterator[Finding]:
    async def opens() -> tuple[str, str]:
        engine = await open_database(site.database_url)
        try:
            return await mixes_tenants(engine)
        finally:
            await engine.dispose()

    try:
        site.var.mkdir(exist_ok=True)
        what, mend = asyncio.run(opens())
    except UserError as error:
        yield from _faults("database", error.faults)
    except OSError as error:
        yield _fail("database", f"{site.var} can't be made: {error.strerror}.", "Check the folder's rights.")
    else:
        kind = site.settings.database.partition("://")[0] or "SQLite, opens and is up to date"
        yield _warn("database", what, mend) if what else _ok("database", kind)


def _asterisk(site: Site | None) -> Iterator[Finding]:
    mode = site.settings.asterisk.mode if site else "auto"
    if mode == "external":
        yield _ok("asterisk", "somebody else starts it")
        return
    try:
        found = program.find(mode)
    except UserError as error:
        yield from _faults("asterisk", error.faults)
        return
    what = f"{found.version} ({found.kind})"
    if found.patched:
        yield _ok("asterisk", what)
    else:
        mend = 'Install a patched release, or take ours: ivr asterisk install and mode = "embedded".'
        yield _warn("asterisk", f"{what} has CVE-2024-42365: who can dial can write files.", mend)


def _ports(site: Site) -> Iterator[Finding]:
    external = site.settings.asterisk.mode == "external"
    ours = running.running_pid(conf.site_home(site))
    if external:
        pass
    elif ours is not None:
        yield _ok("ports", f"SIP and AMI are held by our own Asterisk (process {ours})")
    else:
        try:
            ports.check_ports(conf.site_ports(site))
        except UserError as error:
            yield from _faults("ports", error.faults)
        else:
            asterisk = site.settings.asterisk
            yield _ok("ports", f"SIP {asterisk.sip_port} and AMI {asterisk.ami_port} are free")
    agi = site.settings.agi
    try:
        ports.check_ports(ports.Ports(tcp=(("agi.port", agi.host, agi.port),)))
    except UserError as error:
        if ours is not None or external:
            yield _ok("ports", f"AGI {agi.port} is held, by our own engine it seems")
        else:
            yield from _faults("ports", error.faults)
    else:
        yield _ok("ports", f"AGI {agi.port} is free")


def _engine(site: Site) -> Iterator[Finding]:
    """Whether what should run does, and answers."""
    engine, asterisk = engine_state(site), asterisk_answers(site)
    pid = running.running_pid(conf.site_home(site))
    if engine is Answer.HANGS:
        what = "The engine does not move; callers hear the fallback."
        yield _fail("engine", what, "End ivr up (kill -9 if it must be) and start it again; see var/ivr.log.")
    elif engine is Answer.GOOD:
        yield _ok("engine", "runs")
    elif asterisk is Answer.AWAY:
        yield _ok("engine", "does not run; it starts with: ivr up")
    else:
        what = "The engine does not run, but its Asterisk does: callers hear the fallback."
        yield _warn("engine", what, "Start it: ivr up; or end that Asterisk: ivr asterisk stop.")
    if asterisk is Answer.HANGS:
        what = f"Asterisk (process {pid}) does not answer."
        yield _fail("asterisk", what, f"ivr up ends it and starts another within a minute; by hand: kill -9 {pid}.")
    elif asterisk is Answer.GOOD:
        yield _ok("asterisk", f"runs (process {pid}) and answers")


def _ami(site: Site) -> Iterator[Finding]:
    external = site.settings.asterisk.mode == "external"
    if not external and running.running_pid(conf.site_home(site)) is None:
        return
    where = f"{site.settings.asterisk.ami_host}:{site.settings.asterisk.ami_port}"
    said = ami_answers(site)
    if said == "":
        yield _ok("ami", f"{where} takes our login")
    elif external:
        mend = "Start that Asterisk, or correct ami_host, ami_port, ami_user and the secret on both sides."
        yield _fail("ami", f"{where}: {said}.", mend)
    else:
        yield _fail("ami", f"{where}: {said}.", "Restart the site: ivr asterisk stop, ivr up.")


def _journal(site: Site) -> Iterator[Finding]:
    """What is not yet in the database, or never will be."""
    files = list(journal_files(site))
    for file in files:
        what = f"{file.lines} {file.what}: {file.path}"
        yield (_fail if file.lost else _warn)("journal", what, file.mend)
    lost = Missing()
    if (site.var / "ivr.sqlite3").exists() or site.settings.database:
        # A database that can't be read is told where the database is looked at.
        with contextlib.suppress(UserError, DBAPIError):
            lost = asyncio.run(missing(site))
    if lost.opt_outs:
        what = f"{lost.opt_outs} people asked for no more calls, and it could not be kept."
        yield _fail("journal", what, "Their calls: ivr calls. Add them by: ivr campaign do-not-call add.")
    if lost.calls:
        what = f"Lines of {lost.calls} calls are missing: the disk or the database refused them."
        yield _warn("journal", what, "Reports say so; see journal. lines in var/ivr.log for the reason.")
    if not files and lost == Missing():
        yield _ok("journal", "nothing waits, nothing was lost")


def _copies(site: Site) -> Iterator[Finding]:
    """Campaigns that wait since the database was put back."""
    # A database that can't be read is told where the database is looked at.
    with contextlib.suppress(UserError, DBAPIError):
        copy, paused = asyncio.run(put_back(site))
        if copy is not None and (paused or not copy.done):
            mend = f"Let them go on by: ivr campaign resume NAME ({', '.join(paused)})." if paused else "Run: ivr up."
            yield _warn("restored", sentence(copy, site.settings.timezone), mend)


def _is_this_machine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def examine_trunk(site: Site) -> Iterator[Finding]:
    """Whether the operator's address can be found, and is not our own."""
    trunk = site.settings.trunk
    try:
        found = socket.getaddrinfo(trunk.host.strip("[]"), trunk.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        mend = "Check trunk.host in ivr.toml and the machine's name server."
        yield _fail("trunk", f"{trunk.host} has no address: {error}.", mend)
        return
    address = str(found[0][4][0])
    ours = site.settings.asterisk
    if trunk.port == ours.sip_port and ours.sip_host in (address, _ANY_ADDRESS) and _is_this_machine(address):
        mend = "Write the operator's address at trunk.host (and trunk.port) in ivr.toml."
        yield _fail(
            "trunk", f"{trunk.host}, port {trunk.port}, is this site's own Asterisk: it would call itself.", mend
        )
    else:
        shown = trunk.host if address == trunk.host else f"{trunk.host} is {address}"
        yield _ok("trunk", f"{shown}, port {trunk.port}, {trunk.codec}")


def _room(site: Site) -> Iterator[Finding]:
    """Whether the machine's limits carry the calls that the settings allow."""
    asterisk, channels = site.settings.asterisk, site.settings.outbound.channels
    # A call takes an even port for RTP and the odd one after it; a transfer is a second call.
    calls = (asterisk.rtp_end - asterisk.rtp_start + 1) // 2
    if calls < 2 * channels:
        mend = f"Widen rtp_start to rtp_end to {4 * channels} ports, or lower outbound.channels."
        find = _fail if calls < channels else _warn
        yield find("rtp", f"Room for {calls} calls; {channels} campaign calls and their transfers take more.", mend)
    else:
        yield _ok("rtp", f"ports {asterisk.rtp_start}-{asterisk.rtp_end}: room for {calls} calls")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = _FILES_AT_REST + _FILES_PER_CALL * channels
    if hard != resource.RLIM_INFINITY and hard < needed:
        mend = f"Raise it to {needed} or more: LimitNOFILE in the systemd unit, or ulimit -Hn."
        yield _warn("files", f"A process may open {hard} files; {channels} calls need {needed}.", mend)
    else:
        yield _ok("files", "as many open files as one likes" if hard == resource.RLIM_INFINITY else f"{hard} at once")


def _clock(site: Site) -> Iterator[Finding]:
    now = datetime.datetime.now(ZoneInfo(site.settings.timezone))
    what = f"{now:%d.%m.%Y %H:%M} in {site.settings.timezone}"
    if now.year < 2024:
        yield _fail("clock", f"The clock says {what}.", "Set it: calling hours and reports depend on it.")
    else:
        yield _ok("clock", what)


#: What is looked at in a site that has good settings, in this order.
_LOOKS: Mapping[str, Callable[[Site], Iterable[Finding]]] = {
    "secrets": _secrets,
    "flows": _flows,
    "speech": _speech,
    "disk": _disk,
    "database": _database,
    "asterisk": _asterisk,
    "engine": _engine,
    "ami": _ami,
    "journal": _journal,
    "restored": _copies,
    "ports": _ports,
    "trunk": examine_trunk,
    "rtp": _room,
    "clock": _clock,
}
