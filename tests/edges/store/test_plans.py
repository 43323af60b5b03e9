"""What is asked of a campaign begins there, and a claim sorts nothing, as SQLite plans; no plan claims too many."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from outbound import campaigns, gateways
from outbound.clock import Clock
from outbound.gateway.lease import Lease
from outbound.ledger import Ledger, MostOpen
from outbound.plan.decide import CampaignRules, Caps
from outbound.running import RunningCampaigns
from people import do_not_call
from people.store.tables import metadata
from reports.calls import read_calls
from reports.metrics import compute_report
from tests.databases import all_rows
from tests.edges.campaign_site import CampaignSite, opened


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


@contextlib.contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if not many and statement.lstrip().startswith(("SELECT", "UPDATE", "INSERT", "DELETE")):
            statements.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def plans(engine: AsyncEngine, statements: list[tuple[str, Any]]) -> list[str]:
    """SQLite's steps for each of the statements that are about the store's own tables."""
    found = []
    async with all_rows(engine).begin() as connection:
        for statement, values in statements:
            if "report_" not in statement:
                steps = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                found += [f"{row.detail}: {statement}" for row in steps]
    return found


def scans(steps: list[str]) -> list[str]:
    tables = "|".join(metadata.tables)
    return [step for step in steps if re.match(rf"SCAN ({tables})\b", step)]


#: The index of releases before 0003, which a later release drops.
EXPANDED, CONTRACTED = "ix_lead_due", "ix_lead_waiting"


async def contract(engine: AsyncEngine) -> None:
    async with all_rows(engine).begin() as connection:
        await connection.execute(text("DROP INDEX ix_lead_due"))


@pytest.mark.parametrize("index", [EXPANDED, CONTRACTED])
async def test_a_claim_sorts_nothing_and_scans_nothing(site: CampaignSite, index: str) -> None:
    if index == CONTRACTED:
        await contract(site.engine)
    made = await site.campaign(30)
    assert made.rules is not None
    rules = CampaignRules(state="running", retry=made.rules.retry)
    lease = Lease(site.engine, "main")
    await lease.take()
    ledger = Ledger(database=site.engine, owner=lease.owner, clock=Clock())
    with asked() as statements:
        await ledger.claim(site.scope, made.id, 10, rules=rules, caps=Caps(campaign_channels=10, trunk_channels=10))
        await ledger.claim(
            site.scope,
            made.id,
            10,
            rules=rules,
            caps=Caps(campaign_channels=9, trunk_channels=9),
            most_open=MostOpen(19, of_tenant=19),
        )
        await ledger.in_flight()
        await campaigns.finish_if_done(site.scope, made.id, now_ms=1)
        await ledger.shorten_rests(site.scope, made.id, longest_s=10)
        await lease.hand_back()
        await gateways.retire(site.engine, "main")
    steps = await plans(site.engine, statements)
    assert scans(steps) == []
    due = [step for step in steps if "LIMIT" in step]
    assert any(step.startswith("SEARCH lead USING") and index in step for step in due), due
    assert not any("TEMP B-TREE" in step for step in due), due


def prefer_nested_loops(connection: Connection) -> None:
    """As PostgreSQL may choose by itself where it knows little of a table."""
    for other in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
        connection.exec_driver_sql(f"SET LOCAL enable_{other} = off")


@pytest.mark.postgresql_only
async def test_no_plan_claims_more_than_is_asked_for(site: CampaignSite) -> None:
    made = await site.campaign(12)
    assert made.rules is not None
    rules = CampaignRules(state="running", retry=made.rules.retry)
    lease = Lease(site.engine, "main")
    await lease.take()
    ledger = Ledger(database=site.engine, owner=lease.owner, clock=Clock())
    event.listen(site.engine.sync_engine, "begin", prefer_nested_loops)
    caps = Caps(campaign_channels=9, trunk_channels=9)
    assert len(await ledger.claim(site.scope, made.id, 3, rules=rules, caps=caps)) == 3


@pytest.mark.parametrize("index", [EXPANDED, CONTRACTED])
async def test_who_is_due_is_read_from_what_waits(site: CampaignSite, index: str) -> None:
    await site.campaign(3)
    if index == CONTRACTED:
        await contract(site.engine)
    reader = RunningCampaigns(site.engine, Clock())
    with asked() as statements:
        # It asks by the engine's connections then.
        await reader.close()
        (running,) = await reader.read()
    assert running.first_due_ms == 0
    steps = await plans(site.engine, statements)
    assert any(index in step for step in steps), steps
    # Of that index, all: it has those that run and no other.
    assert [step for step in scans(steps) if "ix_campaign_running" not in step] == []


async def test_a_page_sorts_nothing_and_scans_nothing(site: CampaignSite) -> None:
    with asked() as statements:
        await do_not_call.entries(site.scope, after=do_not_call.Entry(phone="+1", since_ms=1, source="call"))
    steps = await plans(site.engine, statements)
    assert any("SEARCH do_not_call" in step and "ix_do_not_call_since" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps


async def test_what_is_asked_of_a_campaign_begins_there(site: CampaignSite) -> None:
    await site.campaign(3)
    async with all_rows(site.engine).begin() as connection:
        # Marks it: its result is counted anew.
        await connection.execute(text("UPDATE lead SET state = 'done' WHERE id = 1"))
    with asked() as statements:
        await compute_report(site.scope, campaign_name="sony", zone=ZoneInfo("UTC"), now_ms=1)
        await read_calls(site.scope, campaign_name="sony")
        await campaigns.count_progress(site.scope, 1)
    steps = await plans(site.engine, statements)
    assert scans(steps) == []
    # A call is reached from its campaign, a note from its call.
    assert not any(re.match(r"SEARCH journal(?!.*call_id=)|SEARCH call.*ix_call_started", step) for step in steps)
