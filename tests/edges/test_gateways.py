"""Who owns a gateway: one engine at a time, by the database's clock; and engines that share a database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from app.commands.main import app
from faults import Fault, MachineError, UserError
from ivr.settings import Settings
from ivr.site import free_ports, init_site
from outbound import gateways
from outbound.attempts import Settlement
from outbound.clock import Clock
from outbound.gateway.lease import Lease, Terms
from outbound.ledger import Ledger, MostOpen
from outbound.plan.decide import CampaignRules, Caps
from outbound.plan.outcome import Outcome
from outbound.plan.retry import Retry
from outbound.worker import Worker
from people.store import ownership
from people.store.machine_tables import gateway
from people.store.ownership import Gateway, GatewayLost, Owner
from people.store.tables import lead
from tests.databases import all_rows, put_tables, url_of
from tests.edges import fake_ami
from tests.edges.campaign_site import SETTINGS, CampaignSite, brief, engine_process, now_ms, number, opened, owning
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.waiting import PATIENCE_S, until

pytestmark = pytest.mark.both_databases

#: A lease that runs out within a test, and one that does not.
SHORT, LONG = brief(1.0), brief(600.0)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


async def found(site: CampaignSite, name: str = "main") -> Gateway:
    return next(each for each in await ownership.gateways(site.engine) if each.name == name)


async def set_row(site: CampaignSite, **values: object) -> None:
    async with all_rows(site.engine).begin() as connection:
        await connection.execute(update(gateway).values(**values))


async def taken(site: CampaignSite, *, terms: Terms = SHORT, clock: Clock | None = None) -> Lease:
    lease = Lease(site.engine, "main", terms=terms, clock=clock)
    await lease.take()
    return lease


# ---------------------------------------------------------------- one owner at a time


async def test_an_owner_that_lives_is_not_followed(site: CampaignSite) -> None:
    async with owning(site.engine, terms=SHORT) as lease:
        await until(lambda: lease.taken)
        told: list[Fault] = []
        with pytest.raises(MachineError) as refused:
            await Lease(site.engine, "main", terms=SHORT).take(told.append)
        assert lease.owner.epoch == (await found(site)).epoch == 1
    says = rf"The gateway 'main' is owned by another engine: process {os.getpid()} on \S+, since 20.+, until 20.+ UTC\."
    assert refused.match(says)
    assert refused.match("End that ivr up first")
    assert len(told) == 1


async def test_an_owner_that_is_silent_is_waited_for(site: CampaignSite) -> None:
    first = await taken(site)
    await until(lambda: first.relied_on)
    second = await taken(site)
    assert not first.relied_on
    assert (second.owner.epoch, second.relied_on) == (2, True)
    with pytest.raises(GatewayLost):
        await first.keep()
    assert first.lost


async def test_what_was_handed_back_is_had_at_once(site: CampaignSite) -> None:
    first = await taken(site, terms=LONG)
    await first.hand_back()
    assert not first.relied_on
    second = await taken(site, terms=LONG)
    assert second.owner.epoch == 2
    # Late, and of nobody.
    await first.hand_back()
    assert (await found(site)).held


#: Owns the gateway for ten minutes, and stands still.
OWNS = """
import asyncio, os, sys
from outbound.gateway.lease import Lease, Terms
from people.store.db import make_engine

async def main():
    await Lease(make_engine(sys.argv[1]), "main", terms=Terms(lease_s=600.0)).take()
    sys.stdin.read()

asyncio.run(main())
"""


@contextlib.contextmanager
def an_owner(site: CampaignSite) -> Iterator[subprocess.Popen[bytes]]:
    words = (sys.executable, "-c", OWNS, url_of(site.engine))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert b"gateway_taken" in process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("reaped", [True, False])
async def test_a_dead_owner_of_this_machine_is_followed_at_once(site: CampaignSite, reaped: bool) -> None:
    """Its parent may not have looked at it yet."""
    with an_owner(site) as process:
        assert not (await found(site)).process.is_dead
        process.kill()
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if reaped:
            process.wait()
        async with asyncio.timeout(PATIENCE_S):
            assert (await taken(site, terms=LONG)).owner.epoch == 2


async def test_a_process_with_the_number_of_a_dead_one_is_not_taken_for_it(site: CampaignSite) -> None:
    await taken(site, terms=LONG)
    born = (await found(site)).process.born
    await set_row(site, born=born - 1)
    assert (await taken(site, terms=LONG)).owner.epoch == 2
    # Of another machine, or another container, nobody knows whether it lives.
    await set_row(site, born=born - 1, place="elsewhere")
    assert not (await found(site)).process.is_dead


# ---------------------------------------------------------------- clocks, and a database that is away


class WrongClock(Clock):
    """The time of day is hours ahead."""

    def now_ms(self) -> int:
        return super().now_ms() + 5 * 3_600_000


async def test_a_wrong_time_of_day_takes_nothing_from_an_owner(site: CampaignSite) -> None:
    async with owning(site.engine, terms=SHORT) as lease:
        await until(lambda: lease.taken)
        with pytest.raises(MachineError):
            await taken(site, clock=WrongClock())
        assert lease.relied_on


async def test_a_lease_that_the_database_set_far_ahead_ends_all_the_same(site: CampaignSite) -> None:
    """Its clock was put back since."""
    first = await taken(site)
    await set_row(site, lease_until_ms=(await found(site)).lease_until_ms + 3_600_000)
    second = await taken(site)
    assert not first.relied_on
    assert second.owner.epoch == 2


@pytest.mark.sqlite_only("locked as a whole by one writer")
async def test_an_owner_that_can_not_renew_relies_on_nothing_before_the_lease_has_run_out(site: CampaignSite) -> None:
    async with owning(site.engine, terms=SHORT) as lease:
        await until(lambda: lease.relied_on)
        with contextlib.closing(sqlite3.connect(site.folder / "ivr.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await until(lambda: not lease.relied_on)
            assert (await found(site)).held
            other.execute("ROLLBACK")
        await until(lambda: lease.relied_on)
        assert lease.owner.epoch == 1


async def test_a_database_that_refuses_at_the_start_is_asked_again(
    site: CampaignSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, refuse = ownership.take, [OperationalError("", {}, OSError("disk full"))]

    async def take(*args: object, **kwargs: object) -> object:
        if refuse:
            raise refuse.pop()
        return await whole(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ownership, "take", take)
    lease = await taken(site)
    assert (lease.taken, lease.trouble.what) == (False, "disk full")
    keeping = asyncio.create_task(lease.keep())
    await until(lambda: lease.relied_on)
    await lease.hand_back()
    await keeping


# ---------------------------------------------------------------- the fence


async def test_an_owner_of_before_claims_nobody_and_settles_nothing(site: CampaignSite) -> None:
    campaign = await site.campaign(2)
    rules, caps = (
        CampaignRules(state="running", retry=Retry.after(1, max_attempts=1)),
        Caps(campaign_channels=9, trunk_channels=9),
    )

    def ledger(epoch: int) -> Ledger:
        return Ledger(database=site.engine, owner=Owner(gateway="main", epoch=epoch), clock=Clock())

    await (await taken(site)).hand_back()
    old = ledger(1)
    (claim,) = await old.claim(site.scope, campaign.id, 1, rules=rules, caps=caps)
    assert (await taken(site)).owner.epoch == 2
    assert await old.claim(site.scope, campaign.id, 1, rules=rules, caps=caps) == []
    end = Settlement(
        attempt_id=claim.attempt_id,
        tenant=claim.tenant,
        lead_id=claim.lead_id,
        number=1,
        outcome=Outcome.HUMAN,
        settled_by="events",
        ended_at_ms=1,
    )
    for write in (
        old.settle(end),
        old.release(claim),
        old.shorten_rests(site.scope, campaign.id, longest_s=0),
        old.claim(site.scope, campaign.id, 1, rules=rules, caps=caps, most_open=MostOpen(9)),
    ):
        with pytest.raises(GatewayLost):
            await write
    (row,) = await site.attempts()
    assert (row.outcome, row.gateway, row.epoch, row.lead_state) == (None, "main", 1, "dialling")
    # The owner of now settles what the one before dialled.
    new = ledger(2)
    assert [each.attempt_id for each in await new.in_flight()] == [claim.attempt_id]
    await new.settle(end)
    (row,) = await site.attempts()
    assert (row.outcome, row.lead_state) == ("human", "done")


async def test_nobody_takes_a_gateway_over_in_the_middle_of_a_claim(site: CampaignSite) -> None:
    campaign = await site.campaign(1)
    first = await taken(site)
    ledger = Ledger(database=site.engine, owner=first.owner, clock=Clock())
    async with all_rows(site.engine).begin() as connection:
        assert len(await connection.run_sync(ledger._take_due, "shop", campaign.id, 1)) == 1
        await site.clock.sleep(SHORT.lease_s)
        assert not (await found(site)).held
        taking = asyncio.create_task(taken(site))
        done, _ = await asyncio.wait({taking}, timeout=0.5)
        assert not done
    assert (await taking).owner.epoch == 2


#: epoll_wait and epoll_pwait of x86-64, epoll_pwait of arm64.
_EPOLL = ("232", "281", "22")


def its_loop_waits(pid: int) -> bool:
    """Whether the main thread is in epoll, or was stopped there."""
    return Path(f"/proc/{pid}/syscall").read_text("ascii").split()[0] in _EPOLL


async def stopped(process: asyncio.subprocess.Process, database: Path) -> None:
    """Stop it where it holds no lock: SQLite lets nobody write before such a process is gone.

    And where its loop waits: no process can help it to be stopped between its last look at the lease and the sending.
    """
    while True:
        await until(lambda: its_loop_waits(process.pid))
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED)
        if not its_loop_waits(process.pid):
            process.send_signal(signal.SIGCONT)
            continue
        with contextlib.closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
            else:
                return
        await asyncio.sleep(0)


async def test_an_engine_that_stood_still_while_another_took_over_dials_nobody_and_writes_nothing(
    site: CampaignSite,
) -> None:
    await site.campaign(60, channels=4)
    site.terms = SHORT
    async with (
        running(FakeAmi(log=site.log, subscribers=lambda _: Subscriber(talks_s=0.1))) as fake,
        engine_process(site, fake, lease_s=1.0) as process,
    ):
        await until(lambda: len(fake.originates) >= 10)
        await stopped(process, site.folder / "ivr.sqlite3")
        dialled = len(fake.originates)
        async with site.working(fake):
            await until(lambda: len(fake.originates) >= dialled + 12)
            before = {row.id: row.outcome for row in await site.attempts() if row.epoch == 1}
            sent = {action["ChannelId"] for action in fake.originates} & before.keys()
            process.send_signal(signal.SIGCONT)
            # It knows that another has the gateway.
            assert await process.wait() != 0
            await site.until_state("finished")
    attempts = await site.attempts()
    assert {row.id for row in attempts if row.epoch == 1} == before.keys()
    assert {action["ChannelId"] for action in fake.originates} & before.keys() == sent
    assert set(Counter(fake.dialled()).values()) == {1}
    # What the first had dialled was live, or in Asterisk's records; what it had only claimed nobody knows.
    assert {row.outcome for row in attempts if row.id in sent or row.epoch == 2} == {"human"}
    assert {row.outcome for row in attempts} <= {"human", "unknown"}


# ---------------------------------------------------------------- engines that share a database


def at(name: str) -> Settings:
    return SETTINGS.model_copy(update={"gateway": name})


@contextlib.asynccontextmanager
async def two_engines(site: CampaignSite, subscriber: Subscriber) -> AsyncIterator[tuple[FakeAmi, FakeAmi]]:
    """Each with an Asterisk of its own; they know of each other."""
    site.terms = SHORT
    first, second = (FakeAmi(log=site.folder / f"log-{n}", subscribers=lambda _: subscriber) for n in "ab")
    async with (
        running(first),
        running(second),
        site.working(first, settings=at("a")) as one,
        site.working(second, settings=at("b")) as two,
    ):
        await until(lambda: all(each._lease.relied_on and each._lease.others == 1 for each in (one, two)))
        yield first, second


async def turns(worker: Worker) -> None:
    """Return when the worker has looked at the campaigns again."""
    before = worker._turns
    await until(lambda: worker._turns >= before + 3)


async def test_two_engines_dial_one_campaign_within_its_caps(site: CampaignSite) -> None:
    async with two_engines(site, Subscriber(talks_s=PATIENCE_S)) as engines:
        open_calls: list[int] = []
        for fake in engines:
            fake.on_originate = lambda _: open_calls.append(1 + sum(len(each.channels) for each in engines))
        # So slowly that neither takes all the channels before the other has looked.
        await site.campaign(24, channels=6, calls_per_second=8)
        await until(lambda: [call["ChannelState"] for each in engines for call in each.channels.values()] == ["6"] * 6)
        for fake in engines:
            fake.subscribers = lambda _: Subscriber(talks_s=1.0)
            fake.hang_up()
        await site.until_state("finished")
        dialled = [fake.dialled() for fake in engines]
    assert sorted(dialled[0] + dialled[1]) == [number(n) for n in range(24)]
    assert all(dialled)
    assert max(open_calls) == 6
    attempts = await site.attempts()
    assert Counter(row.gateway for row in attempts) == {"a": len(dialled[0]), "b": len(dialled[1])}
    assert {row.outcome for row in attempts} == {"human"}


async def test_a_database_that_was_put_back_is_nobodys(site: CampaignSite) -> None:
    lease = Lease(site.engine, "main", terms=SHORT)
    await lease.take()
    async with all_rows(site.engine).begin() as connection:
        # As the database had it that was replaced.
        await ownership.fence_out_all(connection, {"main": 7, "b": 3})
    found = {each.name: (each.epoch, each.held) for each in await ownership.gateways(site.engine)}
    assert found == {"main": (8, False), "b": (4, False)}
    assert await ownership.read_epochs(site.engine) == {"main": 8, "b": 4}
    with pytest.raises(GatewayLost):
        async with all_rows(site.engine).begin() as connection:
            await connection.run_sync(ownership.fence, lease.owner)


async def test_an_engine_asks_only_about_its_own_attempts(site: CampaignSite) -> None:
    """Its Asterisk knows nothing of the other's calls, which are live."""
    await site.campaign(4)
    site.terms = SHORT
    first = FakeAmi(log=site.folder / "log-a", subscribers=lambda _: Subscriber(talks_s=3.0))
    second = FakeAmi(log=site.folder / "log-b")
    async with running(first), running(second), site.working(first, settings=at("a")):
        await until(lambda: len(first.channels) == 4)
        async with site.working(second, settings=at("b"), grace_s=0.0) as worker:
            await until(lambda: second.logins == 1)
            await worker._recovery.settle_lost()
            await turns(worker)
            assert [row.outcome for row in await site.attempts()] == [None] * 4
            assert await site.state() == "running"
            await site.until_state("finished")
    assert [(row.outcome, row.settled_by) for row in await site.attempts()] == [("human", "events")] * 4
    assert second.originates == []


async def test_engines_agree_by_the_databases_clock_who_is_due(site: CampaignSite) -> None:
    """One machine's time of day is hours ahead: it lets nobody's rest be shorter."""
    await site.campaign(3, max_attempts=2, retry_after_s=3600)
    site.terms = SHORT
    busy = FakeAmi(subscribers=lambda _: fake_ami.BUSY)
    async with running(busy), running(FakeAmi()) as second, site.working(busy, settings=at("a")) as one:
        await until(lambda: len(busy.originates) == 3 and one.in_flight == 0)
        async with site.working(second, settings=at("b"), clock=WrongClock()) as two:
            await until(lambda: two._lease.relied_on)
            await turns(two)
    assert second.originates == []
    async with all_rows(site.engine).begin() as connection:
        due_ms = (await connection.execute(select(lead.c.due_at_ms))).scalars().all()
    assert all(0 < each - now_ms() <= 3_600_000 for each in due_ms)


async def test_a_campaign_waits_for_the_gateway_that_is_gone(site: CampaignSite) -> None:
    await site.campaign(4)
    site.terms = SHORT
    first = FakeAmi(log=site.log)
    first.let_go.clear()
    async with running(first), running(FakeAmi()) as second:
        async with site.working(first, settings=at("a")):
            await until(lambda: len(first.channels) == 4)
        first.let_go.set()
        async with site.working(second, settings=at("b"), grace_s=0.0) as worker:
            await until(lambda: not first.channels and second.logins == 1)
            await worker._recovery.settle_lost()
            await turns(worker)
            assert await site.state() == "running"
            async with site.working(first, settings=at("a")):
                await site.until_state("finished")
    assert {(row.outcome, row.settled_by) for row in await site.attempts()} == {("human", "cdr")}


async def test_a_machine_that_is_gone_holds_no_channels_for_ever(site: CampaignSite) -> None:
    made = await site.campaign(6)
    assert made.rules is not None
    rules, caps = CampaignRules(state="running", retry=made.rules.retry), Caps(campaign_channels=9, trunk_channels=9)

    ledgers = {}
    for name in ("main", "b"):
        lease = Lease(site.engine, name)
        await lease.take()
        ledgers[name] = Ledger(database=site.engine, owner=lease.owner, clock=Clock())

    async def claimed(name: str, *, longest_s: float) -> int:
        most = MostOpen(4, longest_s=longest_s)
        return len(await ledgers[name].claim(site.scope, made.id, 4, rules=rules, caps=caps, most_open=most))

    assert await claimed("main", longest_s=0) == 4
    # It may still have the gateway, or its calls may still go on.
    assert await claimed("b", longest_s=0) == 0
    await set_row(site, lease_until_ms=1)
    assert await claimed("b", longest_s=PATIENCE_S) == 0
    assert await claimed("b", longest_s=0) == 2


async def test_what_a_retired_gateway_left_is_unknown_and_dialled_no_more(site: CampaignSite) -> None:
    await site.campaign(3, max_attempts=3)
    site.terms = SHORT
    async with running(FakeAmi(subscribers=lambda _: Subscriber(rings_s=60))) as first:
        async with site.working(first, settings=at("a")):
            await until(lambda: len(first.channels) == 3)
            with pytest.raises(UserError, match=r"'a' is owned by an engine: process \d+ on .* End that ivr up"):
                await gateways.retire(site.engine, "a")
        epoch = (await found(site, "a")).epoch
        assert (await found(site, "a")).open == 3
        assert await gateways.retire(site.engine, "a") == 3
        assert ((await found(site, "a")).epoch, (await found(site, "a")).open) == (epoch + 1, 0)
        with pytest.raises(UserError, match="There is no gateway 'c'"):
            await gateways.retire(site.engine, "c")
        async with running(FakeAmi()) as second, site.working(second, settings=at("b")):
            await site.until_state("finished")
    attempts = await site.attempts()
    assert [(row.outcome, row.settled_by, row.lead_state) for row in attempts] == [("unknown", "none", "done")] * 3
    assert second.originates == []


@pytest.mark.sqlite_only("the site's own file")
def test_the_commands(tmp_path: Path) -> None:
    init_site(tmp_path, {**free_ports(), "trunk.host": "127.0.0.1"})
    put_tables(tmp_path / "var/ivr.sqlite3")
    with contextlib.closing(sqlite3.connect(tmp_path / "var/ivr.sqlite3")) as database, database:
        database.execute("INSERT INTO gateway VALUES ('far', 7, 1, 1, 'there', 'x', 42, 0, 7)")

    def ivr(*words: str) -> str:
        done = CliRunner().invoke(app, ["gateway", *words, "--site", str(tmp_path)], catch_exceptions=False)
        return done.output

    assert re.search(r"^far +silent +there 42 +1970-01-01 \S+ +1970-01-01 \S+ +0$", ivr("list"), re.MULTILINE)
    assert ivr("retire", "far") == "far is retired; 0 attempts are unknown now.\n"
    assert re.search(r"^far +free ", ivr("list"), re.MULTILINE)
