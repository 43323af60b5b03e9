"""`ivr up`: run a site until it is told to stop. Wires database, voice, Asterisk, engine and campaigns together."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from sqlalchemy.ext.asyncio import AsyncEngine

from app.commands.asterisk import install_progress
from app.commands.bars import render_with_bar
from app.commands.console import plain_console
from app.commands.logs import log_to
from app.commands.options import SiteFolder
from app.doctor import Level, examine_trunk
from faults import AuthorError, Fault, MachineError, UserError
from ivr.asterisk import conf, program, running
from ivr.asterisk.rotation import rotate
from ivr.engine import Engine
from ivr.flow.load import check_flow_files, flow_files
from ivr.flow.model import Flow
from ivr.settings import Site, load_site
from ivr.speech import fixed_speech, open_library
from outbound.gateway.ami import Ami
from outbound.rendering import release_finished
from outbound.worker import Worker
from people.store.db import open_database
from prompts.library import Library

log = structlog.get_logger(__name__)

_ROTATE_EVERY_S = 600.0
#: A dead Asterisk is started again after so long, and twice as long each further time.
_RESTART_FIRST_S, _RESTART_MOST_S = 1.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Up:
    """A site that runs."""

    site: Site
    database: AsyncEngine
    library: Library
    flows: Mapping[str, Flow]
    engine: Engine
    worker: Worker

    async def drain(self, seconds: float) -> None:
        """Start no call any more; those in progress may finish within `seconds`, then are told goodbye."""
        await asyncio.gather(self.worker.stop(drain_s=seconds), self.engine.drain(seconds))


def up(site: SiteFolder = Path()) -> None:
    """Take calls and dial campaigns until Ctrl-C; calls in progress may then finish. Ctrl-C again ends them."""
    loaded = load_site(site)
    log_to(loaded.var / "ivr.log")
    if not uvloop.run(_up(loaded, plain_console(soft_wrap=True))):
        raise typer.Exit(130)


async def _up(site: Site, console: Console) -> bool:
    """Run the site until it is stopped; False when it was stopped before it was up."""
    starting = asyncio.create_task(_until_stopped(site, console))
    _on_signals(starting.cancel)
    try:
        await starting
    except asyncio.CancelledError:
        console.print("Stopped before the site was up.")
        return False
    return True


def _on_signals(what: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, what)


async def _until_stopped(site: Site, console: Console) -> None:
    async with site_running(site, console) as site_up:
        stops: asyncio.Queue[None] = asyncio.Queue()
        _on_signals(lambda: stops.put_nowait(None))
        settings = site.settings
        console.print(
            f"[green]The site is up.[/green] Calls come in on SIP {settings.asterisk.sip_host}:"
            f"{settings.asterisk.sip_port} from {settings.trunk.host}; campaigns are dialled. Ctrl-C ends it."
        )
        await stops.get()
        seconds = settings.agi.drain_s
        console.print(
            f"Stopping: no new calls; the {site_up.engine.server.calls} in progress have {seconds:g} s to finish. "
            "Ctrl-C again ends them now."
        )
        draining = asyncio.create_task(site_up.drain(seconds))
        again = asyncio.create_task(stops.get())
        await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not draining.done():
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
    console.print("The site is down.")


@asynccontextmanager
async def site_running(site: Site, console: Console) -> AsyncIterator[Up]:
    """The site with everything that belongs to it, ready for calls; at the end nothing of it is left running.

    Raises UserError when something that it can't do without is missing.
    """
    _allow_many_files()
    _check(site)
    async with AsyncExitStack() as stack:
        database = await open_database(site.database_url)
        stack.push_async_callback(database.dispose)
        library = open_library(site)
        stack.callback(library.close)
        flows = _flows(site, library, console)
        for finding in examine_trunk(site):
            if finding.level is Level.FAIL:
                console.print(f"[yellow]warning:[/yellow] {escape(finding.what)} {escape(finding.mend)}")
        await release_finished(database, library, tenant=site.settings.tenant)
        await _render(library, flows, console)
        engine = Engine(site.settings, flows=flows, voice=library, database=database, var=site.var)
        await engine.start()
        stack.push_async_callback(engine.stop)
        if site.settings.asterisk.mode != "external":
            asterisk = await _start_asterisk(site, console)
            supervisor = asyncio.create_task(_keep_running(site, asterisk), name="asterisk")
            stack.push_async_callback(_stop_asterisk, site, supervisor)
        settings = site.settings.asterisk
        ami = Ami(
            host=settings.ami_host,
            port=settings.ami_port,
            username=settings.ami_user,
            secret=site.secrets.ami_secret.get_secret_value(),
        )
        await ami.open()
        stack.push_async_callback(ami.aclose)
        worker = Worker(database, ami, site.settings, asterisk_log=conf.site_home(site).log)
        dialling = asyncio.create_task(worker.run(), name="campaigns")
        stack.push_async_callback(_stopped, dialling, lambda: worker.stop(drain_s=0))
        _spare_the_collector()
        yield Up(site=site, database=database, library=library, flows=flows, engine=engine, worker=worker)


def _check(site: Site) -> None:
    """Raise UserError for what would keep the site from coming up, before minutes are spent on speech."""
    if faults := conf.setting_faults(site):
        raise AuthorError(faults)
    agi, ours = site.settings.agi, running.running_pid(conf.site_home(site))
    try:
        running.check_ports(running.Ports(tcp=(("agi.port", agi.host, agi.port),)))
    except MachineError as error:
        if ours is None:
            raise
        what = f"The site seems to be up already: its Asterisk runs in process {ours}."
        twice = Fault(
            what=what, where=site.folder, mend="See with: ivr asterisk status; end the first ivr up by Ctrl-C."
        )
        raise MachineError((twice, *error.faults)) from error
    if site.settings.asterisk.mode != "external" and ours is None:
        running.check_ports(conf.site_ports(site))
    try:
        site.spool.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"The folder can't be made: {error.strerror}."
        raise MachineError(Fault(what=what, where=site.spool, mend="Check its rights and free space.")) from error


def _flows(site: Site, library: Library, console: Console) -> dict[str, Flow]:
    """The good flows; the faults of the others are shown. Raises AuthorError when none is good."""
    folder = site.folder / "dialplans"
    flows, faults = check_flow_files(flow_files(folder), library.sentences)
    if not flows:
        none = Fault(what="There is no flow that can answer a call.", where=folder, mend="Check: ivr flow check.")
        raise AuthorError([*faults, none])
    for fault in faults:
        console.print(f"[yellow]left out:[/yellow] {escape(str(fault))}")
    for number, name in site.settings.hotline.numbers.items():
        if name not in flows:
            what = f"hotline.numbers leads {number!r} to the flow {name!r}, which is not there."
            mend = "Callers of it hear an apology until you mend it."
            console.print(f"[yellow]warning:[/yellow] {escape(str(Fault(what=what, where='ivr.toml', mend=mend)))}")
    return flows


async def _render(library: Library, flows: Mapping[str, Flow], console: Console) -> None:
    """Make the audio of all that is the same on every call. Without engine or disk, what is cached is still played."""
    wanted = fixed_speech(library, flows.values())
    try:
        await asyncio.to_thread(render_with_bar, library, wanted, "hotline", console)
    except MachineError as error:
        for fault in error.faults:
            console.print(f"[yellow]warning:[/yellow] {escape(str(fault))}")


async def _start_asterisk(site: Site, console: Console) -> running.Running:
    mode = site.settings.asterisk.mode
    assert mode != "external"  # noqa: S101 - the caller has looked
    try:
        found = program.find(mode)
    except MachineError:
        if mode == "system":
            raise
        with install_progress(console) as report:
            found = await asyncio.to_thread(program.install, report)
    files = conf.site_files(site, found)
    grace_s = site.settings.agi.drain_s
    return await running.ensure(conf.site_home(site), found, files, conf.site_ports(site), grace_s=grace_s)


async def _keep_running(site: Site, asterisk: running.Running) -> None:
    """Start Asterisk again whenever it ends by itself; the engine and the campaigns find it again."""
    wait_s = _RESTART_FIRST_S
    while True:
        try:
            async with asyncio.timeout(_ROTATE_EVERY_S):
                await asterisk.wait()
        except TimeoutError:
            wait_s = _RESTART_FIRST_S
            await rotate(asterisk)
            continue
        log.error("asterisk_died", again_in_s=wait_s, log=str(asterisk.home.messages))
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _RESTART_MOST_S)
        try:
            asterisk = await running.start(asterisk.home, asterisk.program, conf.site_ports(site))
        except UserError as error:
            log.error("asterisk_not_started", why=str(error))


async def _stop_asterisk(site: Site, supervisor: asyncio.Task[None]) -> None:
    supervisor.cancel()
    await asyncio.gather(supervisor, return_exceptions=True)
    present = running.adopt(conf.site_home(site), program.find())
    if present is not None:
        await present.stop()


async def _stopped(task: asyncio.Task[None], stop: Callable[[], Awaitable[None]]) -> None:
    await stop()
    await asyncio.gather(task, return_exceptions=True)


def _spare_the_collector() -> None:
    """What was loaded until now stays to the end: the garbage collector need not look at it on every call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _allow_many_files() -> None:
    """Each call holds a socket; the usual limit of 1024 open files is less than a busy evening needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
