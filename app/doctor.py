"""Is this site able to take calls? Looks at all that it stands on and says how to mend it."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import stat
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app.copies.telling import sentence
from app.findings import Finding, Level, fail, of_faults, ok, warn
from app.machine import examine_clock, examine_disk, examine_ports, examine_room, examine_trunk
from app.vitals import (
    Answer,
    ami_answers,
    asterisk_answers,
    engine_state,
    journal_files,
    kept_trunks,
    missing,
    put_back,
)
from faults import Fault, UserError
from ivr.asterisk import conf, program, running
from ivr.flow.check import unread_texts
from ivr.flow.load import check_flow_files, flow_files
from ivr.flow.model import Transfer
from ivr.settings import TENANT_FILE, Site
from ivr.settings_files import load_site, load_tenant, tenant_folders
from ivr.versions.folder import faults_in
from people.store.db import open_database
from people.store.losses import Missing
from people.store.roles import mixes_tenants
from people.tenants import NAME
from prompts.engines.choice import AUTO, speakers
from prompts.sentences import SHIPPED, load_sentences

#: How long one look may take.
_PATIENCE_S = 20.0
_HANGS = "Look at the disk and the name server of the machine; another program may hold the database locked."


def examine(folder: Path) -> Iterator[Finding]:
    """Everything found in the site `folder` and the machine under it, one by one as it is found."""
    yield ok("python", f"{platform.python_version()} at {sys.executable}")
    try:
        site = load_site(folder)
    except UserError as error:
        yield from of_faults("settings", error.faults)
        yield from _asterisk(None)
        return
    yield ok("settings", f"{site.folder / 'ivr.toml'}: tenant {site.settings.tenant}")
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
        return [fail(topic, f"Looking at it came to no end within {seconds:g} s.", _HANGS)]
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _secrets(site: Site) -> Iterator[Finding]:
    path = site.folder / "secrets.toml"
    if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        yield fail("secrets", f"{path} can be read by others (mode {mode:o}).", f"chmod 600 {path}")
    else:
        yield ok("secrets", "readable by their owner alone")
    if make_url(site.settings.database or "sqlite://").password is not None:
        yield warn("secrets", "The database's password is in ivr.toml.", "Move it to secrets.toml: database_password.")
    yield from of_faults("settings", conf.setting_faults(site))


def _flows(site: Site) -> Iterator[Finding]:
    folder = site.folder / "dialplans"
    try:
        sentences = load_sentences(SHIPPED, site.folder / "prompts" / "texts")
    except UserError as error:
        yield from of_faults("texts", error.faults)
        yield from _kept_back(site, error.faults)
        return
    flows, faults = check_flow_files(flow_files(folder), sentences, site.settings.transfers_to)
    yield from of_faults("flows", faults)
    yield from _kept_back(site, faults)
    yield from of_faults("texts", unread_texts(flows.values(), sentences))
    for number, name in site.settings.hotline.numbers.items():
        flow = flows.get(name)
        if flow is None and not faults:
            where = "ivr.toml" if site.machine is None else TENANT_FILE
            mend = f"Write it, or name another in [hotline] of {where}: {', '.join(sorted(flows)) or 'there is none'}."
            yield fail("flows", f"Calls to {number!r} go to the flow {name!r}, which is not in {folder}.", mend)
        elif flow is not None and flow.kind != "hotline":
            yield fail("flows", f"Calls to {number!r} go to {name!r}, a promo flow.", "Name a hotline flow.")
    transfers = {node.to for flow in flows.values() for node in flow.nodes.values() if isinstance(node, Transfer)}
    if transfers and not site.settings.destinations:
        mend = f"Write the number of each under [destinations]: {', '.join(sorted(transfers))}."
        yield warn("flows", "Callers who ask for an operator are told that all are busy.", mend)
    if flows and not faults:
        yield ok("flows", ", ".join(f"{flow.name} ({' '.join(flow.languages)})" for flow in flows.values()))


def _tenants(site: Site) -> Iterator[Finding]:
    """The site's other tenants that have a folder in it."""
    good = []
    for name, folder in tenant_folders(site).items():
        if not NAME.fullmatch(name) or name == site.settings.tenant:
            yield fail("tenants", f"{folder}: this is no name for another tenant.", "Give the folder another name.")
            continue
        try:
            its = site.of_tenant(name, load_tenant(folder))
        except UserError as error:
            yield from of_faults("tenants", error.faults)
            continue
        found = list(_flows(its))
        yield from (replace(each, topic="tenants", what=f"{name}: {each.what}") for each in found if each.mend)
        good += [name] if all(each.level is not Level.FAIL for each in found) else []
    if good:
        yield ok("tenants", f"beside {site.settings.tenant}: {', '.join(good)}")


def _kept_back(site: Site, told: Collection[Fault]) -> Iterator[Finding]:
    """For what else nothing of the site is published, and what is heard meanwhile."""
    faults = faults_in(site.folder)
    yield from of_faults("prompts", [fault for fault in faults if fault not in told])
    if faults and (site.var / "versions").exists():
        mend = "What is good is heard at once, without a restart; see: ivr flow versions."
        yield warn("flows", "Until that is mended, callers hear what was published last.", mend)


def _speech(site: Site) -> Iterator[Finding]:
    wanted = site.settings.prompts
    voices = []
    for language in ("ru", "uk", "en"):
        try:
            found = speakers(language, wanted.engine.get(language, AUTO), wanted.voice.get(language, ""))
        except UserError as error:
            yield from of_faults("speech", error.faults)
            continue
        if found:
            voices.append(f"{language}: {found[0].engine}")
        else:
            mend = "Fetch one without root: ivr prompt engines --install rhvoice; or record it: prompts/recordings."
            yield warn("speech", f"No engine here speaks {language}.", mend)
    if voices:
        yield ok("speech", ", ".join(voices))


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
        yield from of_faults("database", error.faults)
    except OSError as error:
        yield fail("database", f"{site.var} can't be made: {error.strerror}.", "Check the folder's rights.")
    else:
        kind = site.settings.database.partition("://")[0] or "SQLite, opens and is up to date"
        yield warn("database", what, mend) if what else ok("database", kind)


def _asterisk(site: Site | None) -> Iterator[Finding]:
    mode = site.settings.asterisk.mode if site else "auto"
    if mode == "external":
        yield ok("asterisk", "somebody else starts it")
        return
    try:
        found = program.find(mode)
    except UserError as error:
        yield from of_faults("asterisk", error.faults)
        return
    what = f"{found.version} ({found.kind})"
    if found.patched:
        yield ok("asterisk", what)
    else:
        mend = 'Install a patched release, or take ours: ivr asterisk install and mode = "embedded".'
        yield warn("asterisk", f"{what} has CVE-2024-42365: who can dial can write files.", mend)


def _engine(site: Site) -> Iterator[Finding]:
    """Whether what should run does, and answers."""
    engine, asterisk = engine_state(site), asterisk_answers(site)
    pid = running.running_pid(conf.site_home(site))
    if engine is Answer.HANGS:
        what = "The engine does not move; callers hear the fallback."
        yield fail("engine", what, "End ivr up (kill -9 if it must be) and start it again; see var/ivr.log.")
    elif engine is Answer.GOOD:
        yield ok("engine", "runs")
    elif asterisk is Answer.AWAY:
        yield ok("engine", "does not run; it starts with: ivr up")
    else:
        what = "The engine does not run, but its Asterisk does: callers hear the fallback."
        yield warn("engine", what, "Start it: ivr up; or end that Asterisk: ivr asterisk stop.")
    if asterisk is Answer.HANGS:
        what = f"Asterisk (process {pid}) does not answer."
        yield fail("asterisk", what, f"ivr up ends it and starts another within a minute; by hand: kill -9 {pid}.")
    elif asterisk is Answer.GOOD:
        yield ok("asterisk", f"runs (process {pid}) and answers")


def _ami(site: Site) -> Iterator[Finding]:
    external = site.settings.asterisk.mode == "external"
    if not external and running.running_pid(conf.site_home(site)) is None:
        return
    where = f"{site.settings.asterisk.ami_host}:{site.settings.asterisk.ami_port}"
    said = ami_answers(site)
    if said == "":
        yield ok("ami", f"{where} takes our login")
    elif external:
        mend = "Start that Asterisk, or correct ami_host, ami_port, ami_user and the secret on both sides."
        yield fail("ami", f"{where}: {said}.", mend)
    else:
        yield fail("ami", f"{where}: {said}.", "Restart the site: ivr asterisk stop, ivr up.")


def _journal(site: Site) -> Iterator[Finding]:
    """What is not yet in the database, or never will be."""
    files = list(journal_files(site))
    for file in files:
        what = f"{file.lines} {file.what}: {file.path}"
        yield (fail if file.lost else warn)("journal", what, file.mend)
    lost = Missing()
    if (site.var / "ivr.sqlite3").exists() or site.settings.database:
        # A database that can't be read is told where the database is looked at.
        with contextlib.suppress(UserError, DBAPIError):
            lost = asyncio.run(missing(site))
    if lost.opt_outs:
        what = f"{lost.opt_outs} people asked for no more calls, and it could not be kept."
        yield fail("journal", what, "Their calls: ivr calls. Add them by: ivr campaign do-not-call add.")
    if lost.calls:
        what = f"Lines of {lost.calls} calls are missing: the disk or the database refused them."
        yield warn("journal", what, "Reports say so; see journal. lines in var/ivr.log for the reason.")
    if not files and lost == Missing():
        yield ok("journal", "nothing waits, nothing was lost")


def _copies(site: Site) -> Iterator[Finding]:
    """Campaigns that wait since the database was put back."""
    # A database that can't be read is told where the database is looked at.
    with contextlib.suppress(UserError, DBAPIError):
        copy, paused = asyncio.run(put_back(site))
        if copy is not None and (paused or not copy.done):
            mend = f"Let them go on by: ivr campaign resume NAME ({', '.join(paused)})." if paused else "Run: ivr up."
            yield warn("restored", sentence(copy, site.settings.timezone), mend)


def _trunks(site: Site) -> Iterator[Finding]:
    """What keeps trunks that commands have made from being used; those of ivr.toml are among the settings."""
    # A database that can't be read is told where the database is looked at.
    with contextlib.suppress(UserError, DBAPIError):
        for one in asyncio.run(kept_trunks(site)):
            if one.row.source == "command":
                yield from of_faults("trunk", one.faults)


#: What is looked at in a site that has good settings, in this order.
_LOOKS: Mapping[str, Callable[[Site], Iterable[Finding]]] = {
    "secrets": _secrets,
    "flows": _flows,
    "tenants": _tenants,
    "speech": _speech,
    "disk": examine_disk,
    "database": _database,
    "asterisk": _asterisk,
    "engine": _engine,
    "ami": _ami,
    "journal": _journal,
    "restored": _copies,
    "ports": examine_ports,
    "trunk": examine_trunk,
    "trunks": _trunks,
    "rtp": examine_room,
    "clock": examine_clock,
}
