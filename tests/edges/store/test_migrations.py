"""What the migrations make is what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from people.store.results import metadata
from tests.databases import a_database

pytestmark = pytest.mark.both_databases


async def test_the_newest_tables_are_those_that_the_migrations_make(tmp_path: Path) -> None:
    async with a_database(tmp_path) as database, database.connect() as connection:
        differences = await connection.run_sync(lambda one: compare_metadata(MigrationContext.configure(one), metadata))
    assert differences == []
