"""Counting anew takes each attempt into account once, however little the database knows of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from people.store.scope import Scope
from reports.recount import of_campaign, results
from tests.unit.reports.example import example
from tests.unit.reports.rows import store


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.mark.postgresql_only
async def test_without_statistics_no_group_is_counted_anew_for_each_lead() -> None:
    async with store(example()) as engine:
        scope = Scope(engine, "shop")
        query = results(of_campaign(scope, 1)).compile(
            dialect=postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
            compile_kwargs={"literal_binds": True},
        )
        async with scope.begin() as connection:
            told = await connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + str(query).replace("%%", "%"))
            (explained,) = told.scalar_one()
    often = [each for each in nodes(explained["Plan"]) if "Aggregate" in each["Node Type"] and each["Actual Loops"] > 1]
    assert often == []
