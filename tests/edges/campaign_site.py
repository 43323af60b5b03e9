"""A campaign on a real database, dialled through a fake Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivr.settings import Outbound, Settings, Trunk
from outbound import campaigns, making
from outbound.campaigns import Campaign, Rules
from outbound.clock import Clock
from outbound.gateway.ami import Ami
from outbound.gateway.lease import Lease, Terms
from outbound.worker import Worker
from people.contacts import open_contacts
from people.store.scope import Scope
from people.store.tables import attempt, call, contact, lead
from tests.databases import a_database, all_rows, url_of
from tests.edges.fake_ami import FakeAmi
from tests.edges.waiting import PATIENCE_S

#: Where hours pass in seconds.
_HOURLY = Terms(lease_s=7200, renew_every_s=1800)
SETTINGS = Settings(trunk=Trunk(host="127.0.0.1", dial_format="{digits}"))


def brief(lease_s: float) -> Terms:
    """A lease's terms in their proportions, so long."""
    return Terms(lease_s=lease_s, renew_every_s=lease_s / 4, margin_s=lease_s / 5)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def number(n: int) -> str:
    """The digits of subscriber `n`, as they are dialled."""
    return f"7916{n:07}"


@dataclass(kw_only=True)
class CampaignSite:
    folder: Path
    engine: AsyncEngine
    clock: Clock = field(default_factory=Clock)
    #: Of the workers' leases.
    terms: Terms = field(default_factory=Terms)
    #: Whose campaigns are made; those of every one are dialled.
    tenant: str = "shop"

    @property
    def scope(self) -> Scope:
        return Scope(self.engine, self.tenant)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    async def campaign(self, leads: int, *, name: str = "sony", first: int = 0, **rules: Any) -> Campaign:
        """A running campaign of so many subscribers from `first` on."""
        path = self.folder / f"{name}.csv"
        rows = (f"+{number(n)},Имя{n}\n" for n in range(first, first + leads))
        path.write_text("phone,name\n" + "".join(rows))
        own = {"channels": 50, "calls_per_second": 200, "retry_after_s": 1, "max_attempts": 1} | rules
        await making.create(
            self.scope,
            name=name,
            flow="promo",
            main_message="promo.offer",
            rules=Rules.of(Outbound(), **own),
            contacts=open_contacts(path, region="RU", language="ru"),
            clock_ms=self.clock.now_ms,
        )
        return await self.change("start", name=name)

    async def change(self, action: campaigns.Action, *, name: str = "sony") -> Campaign:
        now_ms = self.clock.now_ms()
        return await campaigns.change_state(self.scope, name=name, action=action, now_ms=now_ms)

    async def state(self, name: str = "sony") -> str:
        return (await campaigns.find(self.scope, name=name)).state

    async def until_state(self, state: str, *, name: str = "sony", within_s: float = PATIENCE_S) -> None:
        deadline_s = self.clock.monotonic_s() + within_s
        # To look takes milliseconds, in which a virtual clock goes on by as long as it sleeps.
        every_s = 0.05 if type(self.clock) is Clock else max(0.02, within_s / 100)
        while (now := await self.state(name)) != state:
            assert self.clock.monotonic_s() < deadline_s, f"the campaign is {now}"
            await self.clock.sleep(every_s)

    async def attempts(self) -> Sequence[Any]:
        """Every attempt with its lead's phone, in the order they were planned."""
        rows = (
            select(attempt, contact.c.phone, lead.c.state.label("lead_state"))
            .join(lead, lead.c.id == attempt.c.lead_id)
            .join(contact, contact.c.id == lead.c.contact_id)
            .order_by(contact.c.phone, attempt.c.number)
        )
        async with all_rows(self.engine).begin() as connection:
            return (await connection.execute(rows)).all()

    async def lead_states(self) -> dict[str, str]:
        """State of each lead by its dialled number."""
        rows = select(contact.c.phone, lead.c.state).join(contact, contact.c.id == lead.c.contact_id)
        async with all_rows(self.engine).begin() as connection:
            return {row.phone[1:]: row.state for row in await connection.execute(rows)}

    async def journal_call(self, attempt_id: str, *, answered_at_ms: int | None, amd: str = "") -> None:
        """The row that the engine writes of the call that came of an attempt."""
        async with all_rows(self.engine).begin() as connection:
            await connection.execute(
                insert(call).values(
                    id=attempt_id,
                    tenant="shop",
                    direction="outbound",
                    attempt_id=attempt_id,
                    uniqueid=attempt_id,
                    phone="",
                    flow="promo",
                    language="ru",
                    amd=amd,
                    started_at_ms=now_ms(),
                    answered_at_ms=answered_at_ms,
                )
            )

    @contextlib.asynccontextmanager
    async def working(
        self,
        fake: FakeAmi,
        *,
        grace_s: float = 1.0,
        settings: Settings = SETTINGS,
        may_dial: Callable[[Campaign], bool] = lambda _: True,
        clock: Clock | None = None,
    ) -> AsyncIterator[Worker]:
        """A worker on the fake Asterisk; the end drops the calls in flight as a crash does."""
        clock = clock or self.clock
        ami = ami_link(fake.port, clock=clock)
        async with owning(self.engine, settings.gateway, clock=clock, terms=self.terms) as lease:
            await ami.open()
            worker = Worker(
                self.engine,
                ami,
                settings,
                lease=lease,
                asterisk_log=self.log,
                grace_s=grace_s,
                may_dial=may_dial,
                clock=clock,
            )
            task = asyncio.create_task(worker.run())
            try:
                yield worker
            finally:
                await worker.close()
                await task
                await ami.aclose()


@contextlib.asynccontextmanager
async def owning(
    engine: AsyncEngine, gateway: str = "main", *, clock: Clock | None = None, terms: Terms | None = None
) -> AsyncIterator[Lease]:
    """The gateway, taken and renewed while the block lasts."""
    lease = Lease(engine, gateway, clock=clock, terms=terms)
    keeping = asyncio.create_task(lease.keep())
    try:
        yield lease
    finally:
        await lease.hand_back()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def ami_link(port: int, *, clock: Clock | None = None) -> Ami:
    return Ami(
        clock=clock,
        host="127.0.0.1",
        port=port,
        username="ivr",
        secret="right",
        answer_s=1.0,
        reconnect_first_s=0.02,
        reconnect_most_s=0.1,
    )


@contextlib.asynccontextmanager
async def opened(folder: Path, clock: Clock | None = None) -> AsyncIterator[CampaignSite]:
    async with a_database(folder) as engine:
        yield CampaignSite(folder=folder, engine=engine, clock=clock or Clock(), terms=_HOURLY if clock else Terms())


@contextlib.asynccontextmanager
async def engine_process(
    site: CampaignSite, fake: FakeAmi, *, lease_s: float | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own, so that it can be killed."""
    script = Path(__file__).with_name("dialling_process.py")
    words = (str(site.folder), url_of(site.engine), str(fake.port), *(() if lease_s is None else (str(lease_s),)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.edges.{script.stem}", *words, cwd=script.parents[2]
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
