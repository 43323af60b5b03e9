"""Debian's PostgreSQL, fetched without root, runs whether or not the machine has one of its own."""

from __future__ import annotations

import asyncpg
import pytest

from people.store import postgres


@pytest.fixture(scope="module")
def fetched() -> postgres.Program:
    return postgres.fetched_program()


async def test_the_fetched_one_runs_on_its_own_libraries(fetched: postgres.Program) -> None:
    with postgres.running(fetched) as cluster:
        connection = await asyncpg.connect(cluster.url().replace("+asyncpg", ""))
        try:
            assert await connection.fetchval("SELECT lower('ABC')") == "abc"
            folder = await connection.fetchval("SHOW data_directory")
        finally:
            await connection.close()
        assert folder.startswith(str(cluster.log.parent))
