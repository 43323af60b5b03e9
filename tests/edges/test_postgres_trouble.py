"""PostgreSQL is stopped, slow or locked while the engine works: nobody is rung twice, nothing is lost, all is told."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from faults import MachineError
from ivr.journal import Journal
from people.store.db import NEWEST, make_engine, open_database
from people.store.group_commit import group_writer
from people.store.roles import OWNER, SERVICE
from people.store.tables import call, contact, journal, loss
from tests.databases import Server, all_rows, owning, url_of
from tests.edges.campaign_site import CampaignSite, opened
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.test_journal import KEY, count, leg
from tests.edges.waiting import until

pytestmark = pytest.mark.postgresql_only

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


async def test_a_server_that_is_started_again_costs_no_call_and_rings_nobody_twice(
    site: CampaignSite, postgresql: Server
) -> None:
    await site.campaign(60, channels=10, calls_per_second=100)
    fake = FakeAmi(log=site.log, subscribers=lambda _: Subscriber(rings_s=0.05, talks_s=0.1))
    async with running(fake), site.working(fake) as worker:
        for dialled in (10, 30):
            await until(lambda: len(fake.originates) >= dialled)  # noqa: B023
            await asyncio.to_thread(postgresql.cluster.stop)
            await until(lambda: worker.trouble is not None)
            postgresql.cluster.start()
        await site.until_state("finished")
    assert Counter(fake.dialled()).most_common(1)[0][1] == 1
    assert {row.outcome for row in await site.attempts()} == {"human"}
    assert len(fake.originates) == 60


async def test_journal_lines_outlive_a_server_that_is_away(
    site: CampaignSite, postgresql: Server, tmp_path: Path
) -> None:
    lines = Journal(group_writer(site.engine), tmp_path / "spill.jsonl")
    await lines.start()
    lines.begin(leg(1)).note(KEY, 2000)
    await until(lambda: not lines._work._behind() and not lines._ahead)
    await asyncio.to_thread(postgresql.cluster.stop)
    for number in range(2, 30):
        lines.begin(leg(number)).note(KEY, 2000)
    await until(lambda: lines._work.troubled)
    postgresql.cluster.start()
    await until(lambda: not lines._work.troubled)
    await lines.close()
    assert await count(site.engine, journal) == await count(site.engine, call) == 29


async def test_one_line_that_is_refused_costs_no_other(site: CampaignSite, tmp_path: Path) -> None:
    lines = Journal(group_writer(site.engine), tmp_path / "spill.jsonl")
    await lines.start()
    for number in range(20):
        begun = lines.begin(leg(number))
        if number == 7:
            noted = begun._noted(KEY, 2000)
            lines.write(noted._replace(row={**noted.row, "node": "+79161234567" * 20}))
    await lines.close()
    assert await count(site.engine, call) == 20
    async with all_rows(site.engine).begin() as connection:
        (why,) = (await connection.execute(select(loss.c.why))).scalars()
    assert why == "refused: StringDataRightTruncationError (22001)"


async def test_a_value_that_is_refused_is_told_without_it(site: CampaignSite) -> None:
    row = {"tenant": "shop", "phone": "+79161234567" * 2, "name": "", "language": "ru", "created_at_ms": 1}
    for change in ({}, {"phone": 79161234567}, {"phone": "+79161234567\0"}, {"phone": "+79161234567", "name": None}):
        with pytest.raises(DBAPIError) as told:
            async with all_rows(site.engine).begin() as connection:
                await connection.execute(contact.insert(), [row | change])
        error: BaseException | None = told.value
        while error is not None:
            assert "7916" not in str(error)
            error = error.__cause__


async def test_a_lock_is_not_waited_for_for_ever(site: CampaignSite, postgresql: Server) -> None:
    async with owning(site.engine) as owner, owner.connect() as blocker:
        await blocker.execute(text("LOCK TABLE contact"))
        async with all_rows(site.engine).begin() as connection:
            await connection.execute(text("SET lock_timeout = '50ms'"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                await connection.execute(select(func.count()).select_from(contact))
    async with all_rows(site.engine).begin() as connection:
        assert await connection.scalar(text("SHOW lock_timeout")) == "10s"


async def test_a_server_whose_machine_is_gone_is_noticed(site: CampaignSite, postgresql: Server) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_unix_connection(postgresql.cluster.sockets / ".s.PGSQL.5432")

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                target.write(data)
            target.close()

        await asyncio.gather(pass_on(reader, questions), pass_on(answers, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        url = site.engine.url.set(host="127.0.0.1", port=port, query={})
        database = make_engine(url.render_as_string(hide_password=False))
        async with all_rows(database).begin() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            link = driver._transport.get_extra_info("socket")
            assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert 0 < link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000
        await database.dispose()


@pytest.mark.parametrize(
    ("change", "said", "mend"),
    [
        ({"password": "a guess"}, "password authentication failed", "database_password in secrets.toml"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist', "CREATE DATABASE"),
        ({"username": "nobody"}, "password authentication failed", "database_password in secrets.toml"),
        ({"query": {"host": "/nowhere"}}, "No such file", "Start PostgreSQL"),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, "Connect call failed", "Start PostgreSQL"),
    ],
)
async def test_what_keeps_it_from_opening_is_told_with_a_mend(
    site: CampaignSite, change: dict[str, object], said: str, mend: str
) -> None:
    with pytest.raises(MachineError) as told:
        await open_database(site.engine.url.set(**change).render_as_string(hide_password=False))  # type: ignore[arg-type]
    (fault,) = told.value.faults
    assert said in fault.what
    assert mend in fault.mend
    assert "a guess" not in str(fault)
    assert "of the tests" not in str(fault)


async def test_a_role_without_rights_is_told(site: CampaignSite, tmp_path: Path) -> None:
    async with owning(site.engine) as owner, owner.begin() as connection:
        await connection.execute(text("REVOKE SELECT ON migration FROM ivr"))
    with pytest.raises(MachineError, match=r"permission denied.*GRANT"):
        await open_database(url_of(site.engine))


async def test_a_site_on_postgresql_from_init_to_use(postgresql: Server, tmp_path: Path) -> None:
    await postgresql.execute(f"CREATE DATABASE fresh OWNER {OWNER}")

    async def ivr(*words: str, **variables: str) -> tuple[int | None, str]:
        command = (sys.executable, "-m", "app", *words)
        env = {**os.environ, **variables}
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=PIPE, stderr=STDOUT, cwd=ROOT)
        said = (await process.communicate())[0].decode()
        return process.returncode, said

    site = str(tmp_path / "site")
    serving, owning = (postgresql.url("fresh", user=role).replace("+asyncpg", "") for role in (SERVICE, OWNER))
    try:
        assert (await ivr("init", site, IVR_DATABASE=serving))[0] == 0
        status, said = await ivr("campaign", "list", "--site", site)
        assert status == 1
        assert "no tables yet" in said
        status, said = await ivr("store", "upgrade", "--site", site)
        assert status == 1
        assert "permission denied" in said
        status, said = await ivr("store", "upgrade", "--site", site, IVR_DATABASE_OWNER=owning)
        assert (status, said) == (0, f"The tables are made ({NEWEST}).\n")
        assert (await ivr("campaign", "list", "--site", site))[0] == 0
        assert 'database = "postgresql://ivr@/fresh?' in (tmp_path / "site" / "ivr.toml").read_text("utf-8")
    finally:
        await postgresql.execute("DROP DATABASE fresh WITH (FORCE)")
