"""A running site: its database, versions, engine, Asterisk and campaigns, put together and watched over.

The order of the start is that of `site_running`; that of the end is app.service.ending.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.copies.telling import sentence
from app.findings import Level
from app.machine import examine_trunk
from app.retention import remove_nightly
from app.service import ending
from app.service.asterisk import Keeper
from app.service.heartbeat import Heartbeat, Watchdog
from app.service.reporter import Reporter
from app.service.settled import settle
from app.service.supervision import Supervision
from app.service.systemd import Systemd
from app.service.tenants import Serving
from app.service.trunks import TrunksKept
from faults import AuthorError, Fault, MachineError
from ivr.asterisk import conf, ports, program, running
from ivr.engine import Engine
from ivr.settings import Site
from ivr.tenants import Tenants
from ivr.trunks import SiteTrunk
from outbound.campaigns import Campaign
from outbound.clock import Clock
from outbound.gateway.ami import Ami
from outbound.gateway.lease import Lease
from outbound.restored import compare, last_restored, paused_by_restoring
from outbound.trouble import words
from outbound.worker import Worker
from people.store.db import open_database
from people.store.dialect import is_embedded
from people.store.scope import Scope
from people.store.upgrade import upgrade
from people.tenants import closed, register
from reports.kept import keep_fresh

log = structlog.get_logger(__name__)

#: The campaigns' task is given up, and the service ended for whoever starts it again, when it died so often at once.
_WORKER_DEATHS = 4
#: How long the campaigns' task may take to come to its end when the worker was closed.
_WORKER_ENDS_S = 5.0


@dataclass(kw_only=True)
class Up:
    """A site that runs."""

    site: Site
    #: Of the site's own tenant; beside it, those of `engine.tenants` are served.
    scope: Scope
    serving: Serving
    trunks: TrunksKept
    engine: Engine
    systemd: Systemd
    supervision: Supervision
    heartbeat: Heartbeat
    parts: ending.Parts = field(default_factory=ending.Parts)
    #: `end` was called.
    over: bool = False

    @property
    def failed(self) -> Awaitable[str]:
        """Which task was given up, and why: the service is to be ended."""
        return asyncio.shield(self.supervision.failed)

    async def end(self, within_s: float, now: asyncio.Event | None = None) -> None:
        """End in order; calls may finish within `within_s`, or until `now` is set. A second call changes nothing."""
        if self.over:
            return
        self.over = True
        self.systemd.tell(STOPPING=1, EXTEND_TIMEOUT_USEC=round((within_s + ending.CLOSING_S) * 1e6))
        for name in ("campaigns", "gateway"):
            self.supervision.release(name)
        await self.supervision.stop("engine", "link", "asterisk", "rotation", "spool", "fallback", "versions", "trunks")
        try:
            await ending.end(self.parts, within_s=within_s, now=now or asyncio.Event())
        finally:
            await self.supervision.ended("campaigns", _WORKER_ENDS_S)
            await self.supervision.stop()
            self.heartbeat.stop()


@asynccontextmanager
async def site_running(site: Site, reporter: Reporter | None = None) -> AsyncIterator[Up]:
    """The site with everything that belongs to it, ready for calls; at the end nothing of it is left running.

    Raises UserError when something that it can't do without is missing.
    """
    reporter = reporter or Reporter()
    _allow_many_files()
    _check(site)
    async with AsyncExitStack() as stack:
        if is_embedded(site.database_url):
            await upgrade(site.database_url)
        database = await open_database(site.database_url)
        stack.push_async_callback(database.dispose)
        scope = Scope(database, site.settings.tenant)
        await register(scope, now_ms=Clock().now_ms())
        if (fault := await closed(scope)) is not None:
            reporter.warning(fault)
        trunks = TrunksKept(site, database, reporter)
        stack.callback(trunks.close)
        await trunks.begin()
        serving = Serving(site, database, reporter)
        stack.callback(serving.close)
        tenants = await serving.begin()
        for finding in examine_trunk(site):
            if finding.level is Level.FAIL:
                reporter.warning(Fault(what=finding.what, mend=finding.mend))
        up = _made(site, scope, serving, tenants, trunks)
        stack.push_async_callback(up.end, 0.0)
        await _start(up, reporter)
        settle()
        up.systemd.tell(READY=1)
        yield up


def _made(site: Site, scope: Scope, serving: Serving, tenants: Tenants, trunks: TrunksKept) -> Up:
    engine = Engine(tenants, database=scope.database, agi_key=site.agi_key, var=site.var, trunks=trunks.in_use)
    systemd = Systemd()

    def status() -> str:
        return f"{engine.server.calls} calls"

    dog = Watchdog(site.var / "ivr.log", after_s=site.settings.agi.hung_after_s)
    return Up(
        site=site,
        scope=scope,
        serving=serving,
        trunks=trunks,
        engine=engine,
        systemd=systemd,
        supervision=Supervision(),
        heartbeat=Heartbeat(site.var / conf.ALIVE, dog, systemd, status),
    )


async def _start(up: Up, reporter: Reporter) -> None:
    """Start the parts one after the other, each with what watches over it."""
    site, engine, keep = up.site, up.engine, up.supervision.keep
    keep("heartbeat", up.heartbeat.run)
    up.parts.gateway = lease = Lease(up.scope.database, site.settings.gateway)
    await lease.take(reporter.warning)
    keep("gateway", lease.keep, deaths=1)
    keep("figures", lambda: keep_fresh(up.scope.database, Clock()))
    keep("retention", lambda: remove_nightly(up.scope, site, clock=Clock()))
    await engine.start()
    up.parts.answering = engine
    keep("engine", engine.watch, deaths=1)
    keep("spool", engine.pick_up)
    up.supervision.until_done("fallback", engine.prepare_fallback)
    keep("versions", lambda: up.serving.watch(engine.tenants, engine.prepare_fallback))
    keeper = None
    if site.settings.asterisk.mode != "external":
        keeper = await _start_asterisk(site, up.trunks.in_use.trunks, reporter)
        up.parts.asterisk = keeper
        keep("asterisk", keeper.run)
        keep("rotation", keeper.rotate)
    settings = site.settings.asterisk
    ami = Ami(
        host=settings.ami_host,
        port=settings.ami_port,
        username=settings.ami_user,
        secret=site.secrets.ami_secret.get_secret_value(),
    )
    await ami.open()
    up.parts.link = ami
    keep("link", ami.watch, deaths=1)
    compared = await _compare_copy(site, up.scope, reporter)

    def may_dial(campaign: Campaign) -> bool:
        # Who was promised to be called no more is on the list before; and whoever answers hears the campaign's texts.
        heard = engine.tenants.has(campaign.tenant, campaign.version)
        return heard and compared and engine.journal.opt_outs_waiting == 0

    worker = Worker(
        up.scope.database,
        ami,
        site.settings,
        lease=lease,
        asterisk_log=conf.site_home(site).log,
        may_dial=may_dial,
        trunks=up.trunks.in_use,
    )
    up.parts.dialling = worker
    keep("campaigns", worker.run, deaths=_WORKER_DEATHS)
    present = None if keeper is None else lambda: keeper.asterisk
    keep("trunks", lambda: up.trunks.watch(present, worker.trunks))


async def _compare_copy(site: Site, scope: Scope, reporter: Reporter) -> bool:
    """Whether campaigns may be dialled: of a database that was put back it is known whom the one before it dialled."""
    try:
        await compare(scope.database, conf.site_home(site).log, now_ms=Clock().now_ms())
    except (OSError, SQLAlchemyError) as error:
        what = f"Nobody is dialled, for it can't be learned who was since the copy was taken: {words(error)}."
        reporter.warning(Fault(what=what, where=conf.site_home(site).log, mend="Mend that, and start ivr up again."))
        return False
    paused = await paused_by_restoring(scope)
    copy = await last_restored(scope.database) if paused else None
    if copy is not None:
        mend = f"When you know that to be right, go on by: ivr campaign resume NAME ({', '.join(paused)})."
        reporter.warning(Fault(what=sentence(copy, site.settings.timezone), mend=mend))
    return True


def _check(site: Site) -> None:
    """Raise UserError for what would keep the site from coming up, before minutes are spent on speech."""
    if faults := conf.setting_faults(site):
        raise AuthorError(faults)
    agi, ours = site.settings.agi, running.running_pid(conf.site_home(site))
    try:
        ports.check_ports(ports.Ports(tcp=(("agi.port", agi.host, agi.port),)))
    except MachineError as error:
        if ours is None:
            raise
        what = f"The site seems to be up already: its Asterisk runs in process {ours}."
        twice = Fault(
            what=what, where=site.folder, mend="See with: ivr asterisk status; end the first ivr up by Ctrl-C."
        )
        raise MachineError((twice, *error.faults)) from error
    if site.settings.asterisk.mode != "external" and ours is None:
        ports.check_ports(conf.site_ports(site))
    try:
        site.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        what = f"The folder can't be made: {error.strerror}."
        raise MachineError(Fault(what=what, where=site.spool, mend="Check its rights and free space.")) from error


async def _start_asterisk(site: Site, trunks: Sequence[SiteTrunk], reporter: Reporter) -> Keeper:
    mode = site.settings.asterisk.mode
    assert mode != "external"  # noqa: S101 - the caller has looked
    try:
        found = program.find(mode)
    except MachineError:
        if mode == "system":
            raise
        with reporter.installing() as report:
            found = await asyncio.to_thread(program.install, report)
    home, needed = conf.site_home(site), conf.site_ports(site)
    asterisk = await running.ensure(
        home, found, conf.site_files(site, found, trunks), needed, grace_s=site.settings.agi.drain_s
    )
    return Keeper(
        asterisk, lambda: running.start(home, found, needed), hung_after_s=site.settings.asterisk.hung_after_s
    )


def _allow_many_files() -> None:
    """Each call holds a socket; the usual limit of 1024 open files is less than a busy evening needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
