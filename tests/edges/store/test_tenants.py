"""No query of a tenant's reads or changes another's rows: each that takes a scope, and raw SQL on PostgreSQL."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

import app
import ivr
import outbound
import people
import reports
from faults import UserError
from ivr.settings import Outbound, Site, Trunk
from ivr.settings_files import load_site
from ivr.site import free_ports, init_site
from ivr.speech import open_library
from ivr.trunks import SiteTrunk
from outbound.attempts import Claim, Settlement
from outbound.campaigns import Campaign, Rules
from outbound.clock import Clock
from outbound.launch import promo_flow
from outbound.ledger import Ledger
from outbound.plan.decide import CampaignRules, Caps
from outbound.plan.outcome import Outcome
from people.contacts import Contact, open_contacts
from people.store import machine_tables, results, tables
from people.store.dialect import never_below
from people.store.forgetting import chores
from people.store.ownership import Owner
from people.store.results import metadata
from people.store.scope import Scope
from people.store.versions import Version
from prompts.library import Library
from reports.kept import refresh
from tests.databases import a_database, all_rows

OURS, THEIRS = "shop", "rival"
PHONE, THEIR_PHONE, THEIR_NAME, THEIR_HASH = "+79160000007", "+79160000009", "lg", "theirs"
APART = [each for each in metadata.sorted_tables if each not in machine_tables.MACHINE]
_GATEWAY = {
    **{"name": "main", "epoch": 1, "scoped_epoch": 1, "lease_until_ms": 0, "since_ms": 0, "host": "", "place": ""},
    **{"pid": 0, "born": 0},
}
_RULES = Rules.of(Outbound())
_VERSION = Version(number=2, hash=THEIR_HASH, files={"dialplans/promo.yaml": THEIR_HASH}, published_at_ms=1)
#: Each has a row of either tenant, with another id.
_ROWS: dict[Any, dict[str, Any]] = {
    tables.hotline_number: {"flow": "hotline", "source": "file"},
    tables.content: {"hash": "ours", "piece": 0, "data": b"x"},
    tables.version: {"hash": "ours", "files": {"dialplans/promo.yaml": "ours"}, "published_at_ms": 1},
    tables.contact: {"phone": PHONE, "name": "Иван", "language": "ru", "created_at_ms": 1},
    tables.campaign: {
        **{"name": "tv", "flow": "promo", "main_message": "m", "state": "running", "created_at_ms": 1},
        "rules": _RULES.model_dump(),
    },
    tables.refused_row: {"line": 3, "reason": "duplicate", "detail": ""},
    tables.lead: {
        "name": "Иван",
        "language": "ru",
        "variables": {},
        "state": "dialling",
        "due_at_ms": 0,
        "attempts": 1,
    },
    tables.attempt: {"number": 1, "gateway": "main", "epoch": 1, "planned_at_ms": 1, "dialled_at_ms": 2},
    tables.call: {
        **{"direction": "outbound", "uniqueid": "u", "phone": PHONE, "dialled": "", "flow": "promo", "language": "ru"},
        **{"amd": "", "started_at_ms": 2, "answered_at_ms": 3},
    },
    tables.journal: {
        **{"seq": 0, "at_ms": 1, "kind": "key", "node": "n", "value": "1", "follow_up": True, "depth": 0},
        **{"main": False},
    },
    tables.do_not_call: {"phone": "+79160000008", "since_ms": 1, "source": "call"},
    tables.loss: {"kind": "opt_outs", "lines": 1, "at_ms": 1, "why": ""},
    tables.request: {"kind": "call_back", "phone": PHONE, "variables": {}, "asked_at_ms": 1},
    results.removed: {"before_ms": 1},
}


def _row(table: Any, tenant: str, number: int) -> dict[str, Any]:
    """A row of the tenant; all that name an id name its own."""
    row = {**_ROWS[table], "tenant": tenant}
    ids = {"campaign_id": number, "contact_id": number, "lead_id": number, "call_id": f"c{number}"}
    ids |= {"attempt_id": f"h{number}" if table is tables.call else f"a{number}"}
    row |= {name: value for name, value in ids.items() if name in table.c}
    if table is tables.hotline_number:
        row["number"] = f"+7800000000{number}"
    if "id" in table.c:
        row["id"] = {"call": f"c{number}", "attempt": f"a{number}"}.get(table.name, number)
    return row


async def fill(database: AsyncEngine, tenant: str, number: int, **more: str) -> None:
    async with all_rows(database).begin() as connection:
        for table in _ROWS:
            row = _row(table, tenant, number)
            await connection.execute(insert(table), [row | {k: v for k, v in more.items() if k in table.c}])
        # Beside the one in flight.
        over = {"id": f"h{number}", "outcome": "human", "number": 2}
        await connection.execute(insert(tables.attempt), [_row(tables.attempt, tenant, number) | over])
        # PostgreSQL knows nothing of ids that it did not give.
        await never_below(
            connection, dict.fromkeys(("contact", "campaign", "version", "refused_row", "lead", "request"), 10)
        )


@asynccontextmanager
async def two_tenants(folder: Path, *, alone: bool = False) -> AsyncIterator[AsyncEngine]:
    """A database with our rows under the number 1 and theirs under 2; `alone`: with ours only."""
    os.mkdir(folder)  # noqa: PTH102
    async with a_database(folder) as database:
        await fill(database, OURS, 1, name="tv", phone=PHONE)
        if not alone:
            await fill(database, THEIRS, 2, name=THEIR_NAME, phone=THEIR_PHONE, hash=THEIR_HASH)
        await refresh(database)
        async with all_rows(database).begin() as connection:
            await connection.execute(insert(machine_tables.gateway).values(**_GATEWAY))
            # Marks that nobody has worked off.
            await connection.execute(tables.lead.update().values(outcome="busy"))
        yield database


async def rows_of(database: AsyncEngine, tenant: str) -> dict[str, list[str]]:
    """Every row of a tenant, by table."""
    found = {}
    async with all_rows(database).begin() as connection:
        for table in APART:
            whose = table.c.name if table is tables.tenant else table.c.tenant
            rows = await connection.execute(select(table).where(whose == tenant))
            found[table.name] = sorted(map(str, rows))
    return found


# ------------------------------------------------------------ what asks for a tenant's rows

#: Takes a scope and is made of what is walked here.
_COMPOSED = {
    "ivr.engine.Engine",
    "ivr.spool.keep_picking_up",
    "outbound.worker.Worker",
    "app.service.running.Up",
    "app.service.publishing.Publishing",
    # Whoever wants a number that another has is told whose it is (tests/edges/test_hotline_numbers.py).
    "people.hotline_numbers.add_number",
    "people.hotline_numbers.import_numbers",
    # For ever; and those that bring kept figures up to date before, which is a job of all.
    "app.retention.remove_nightly",
    "app.retention.look",
    "app.retention.remove",
    "reports.metrics.prove_copied",
}
#: Take an attempt that says whose it is.
_SAYS_WHOSE = {f"outbound.ledger.Ledger.{name}" for name in ("release", "settle", "flush")}


def _modules() -> Iterator[Any]:
    for package in (people, ivr, outbound, reports, app):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name and not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def _takes_scope(what: Any) -> bool:
    try:
        return any(each.annotation in ("Scope", Scope) for each in inspect.signature(what).parameters.values())
    except (TypeError, ValueError):
        return False


def asking() -> dict[str, Any]:
    """Every public function or method that waits for a database and takes a scope, and all such of what has one.

    Those that wait for nothing make statements for them.
    """
    found = {}
    for module in _modules():
        for name, what in vars(module).items():
            full = f"{module.__name__}.{name}"
            if getattr(what, "__module__", "") != module.__name__ or name.startswith("_") or full in _COMPOSED:
                continue
            members = inspect.getmembers(what, inspect.isfunction) if inspect.isclass(what) else [("", what)]
            for member, function in members:
                if not (_takes_scope(what) or _takes_scope(function) or f"{full}.{member}" in _SAYS_WHOSE):
                    continue
                waits = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
                if waits and not member.startswith("_"):
                    found[f"{full}.{member}".rstrip(".")] = function
    # What makes something of theirs under our name comes last.
    return dict(sorted(found.items(), key=lambda each: (each[0].endswith(".create"), each[0])))


def of_theirs(folder: Path, site: Site, library: Library, clock: Clock) -> dict[str, Any]:
    """Parameter -> what names something of theirs, or is good for any."""
    numbers, contacts = folder / "numbers.txt", folder / "people.csv"
    numbers.write_text(THEIR_PHONE)
    contacts.write_text(f"phone,name\n{THEIR_PHONE},Их\n")
    rules = CampaignRules(state="running", retry=_RULES.retry)
    fields: dict[str, Any] = {
        **{
            "id": 2,
            "tenant": OURS,
            "name": THEIR_NAME,
            "flow": "promo",
            "version": 2,
            "main_message": "m",
            "state": "running",
            "rules": _RULES,
        },
        **{"paused_because": None, "fault": None, "created_at_ms": 1, "started_at_ms": 1, "ended_at_ms": None},
    }
    claim: dict[str, Any] = {"attempt_id": "a2", "tenant": OURS, "lead_id": 2, "number": 1}
    return {
        **{
            "name": THEIR_NAME,
            "campaign_name": THEIR_NAME,
            "campaign_id": 2,
            "ids": [2],
            "id": 2,
            "campaign": Campaign(**fields),
        },
        **{"phone": THEIR_PHONE, "phones": [THEIR_PHONE], "number": THEIR_PHONE, "numbers": [THEIR_PHONE]},
        **{"attempt_id": "a2", "attempt_ids": ["a1", "a2"], "person": 2},
        "rows": [Contact(line=2, phones=(THEIR_PHONE, "+74951112233"), name="Их", language="ru", variables={})],
        "claim": Claim(**claim, campaign_id=2, spent=1, phone=THEIR_PHONE, language="ru", planned_at_ms=1),
        "end": Settlement(**claim, outcome=Outcome.BUSY, settled_by="events", ended_at_ms=9),
        **{"path": numbers, "spool": folder, "library": library, "site": site, "clock": clock, "region": "RU"},
        **{
            "settings": {},
            "title": "",
            "contacts": contacts,
            "flow": "promo",
            "main_message": "m",
            "source": "command",
            "action": "pause",
        },
        **{
            "by": "language",
            "now_ms": 9,
            "clock_ms": lambda: 9,
            "zone": ZoneInfo("UTC"),
            "trunks": [SiteTrunk(name="main", how=Trunk(host="127.0.0.1"))],
        },
        **{
            "hash": THEIR_HASH,
            "hashes": [THEIR_HASH],
            "files": {"a": THEIR_HASH},
            "pieces": [b"x"],
            "flows": ["promo"],
        },
        **{"longest_s": 1, "count": 5, "caps": Caps(campaign_channels=9, trunk_channels=9)},
        **{"rules": {"claim": rules}.get, "chore": chores("requests", tenant=OURS, before_ms=0)[0]},
    }


async def answer(full: str, function: Any, scope: Scope, given: Mapping[str, Any]) -> str:
    """What the function says when it is asked, in this scope, for something of theirs."""
    *_, name = full.split(".")
    values = {}
    async with AsyncExitStack() as stack:
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name == "self":
                values["self"] = _made(full, scope, given)
            elif parameter.name == "scope":
                values["scope"] = scope
            elif parameter.name == "connection":
                values["connection"] = await stack.enter_async_context(scope.snapshot())
            elif parameter.name == "number" and name == "remove_number":
                values["number"] = _row(tables.hotline_number, THEIRS, 2)["number"]
            elif parameter.name == "rules":
                values["rules"] = given["rules"](name) or _RULES
            elif parameter.name == "flow" and name == "render_campaign":
                site = given["site"]
                values["flow"] = promo_flow(site, "promo", site.folder, given["library"].sentences)
            elif parameter.name == "version":
                values["version"] = _VERSION if name == "folder_of" else _VERSION.number
            elif parameter.name == "contacts" and ".making." in full:
                values["contacts"] = open_contacts(given["contacts"], region="RU", language="ru")
            elif parameter.name in given:
                values[parameter.name] = given[parameter.name]
            else:
                assert parameter.default is not parameter.empty, f"say what {full} is to be asked: {parameter.name}"
        try:
            asked = function(**values)
            said = repr([each async for each in asked] if inspect.isasyncgen(asked) else await asked)
            return re.sub(r"seconds=[^,)]*", "", said)
        except UserError as error:
            return str(error).replace(str(given["spool"]), "")


def _made(full: str, scope: Scope, given: Mapping[str, Any]) -> Any:
    assert "Ledger" in full, f"say how {full} is made"
    ledger = Ledger(database=scope.database, owner=Owner(gateway="main", epoch=1), clock=Clock())
    ledger.dialled(given["claim"], 7)
    return ledger


def test_there_is_something_to_walk() -> None:
    found = asking()
    for name in ("people.do_not_call.entries", "outbound.ledger.Ledger.claim", "reports.metrics.compute_report"):
        assert name in found
    assert len(found) > 35


@pytest.mark.both_databases
async def test_whoever_asks_for_theirs_finds_nothing_and_changes_nothing(tmp_path: Path) -> None:
    init_site(tmp_path / "site", {**free_ports(), "trunk.host": "127.0.0.1"})
    site, clock = load_site(tmp_path / "site"), Clock()
    answers: dict[bool, dict[str, str]] = {False: {}, True: {}}
    with contextlib.closing(open_library(site)) as library:
        for alone in (False, True):
            async with two_tenants(tmp_path / f"alone-{alone}", alone=alone) as database:
                before = await rows_of(database, THEIRS)
                assert alone or all(before.values()), before
                given = of_theirs(tmp_path / f"alone-{alone}", site, library, clock)
                for full, function in asking().items():
                    answers[alone][full] = await answer(full, function, Scope(database, OURS), given)
                assert await rows_of(database, THEIRS) == before
    assert answers[False] == answers[True]


# ------------------------------------------------------------ what PostgreSQL itself keeps apart


def test_every_table_is_a_tenants_or_the_machines() -> None:
    assert {each.name for each in machine_tables.MACHINE} == {"migration", "gateway", "trunk", "restored"}
    assert [each.name for each in APART if each is not tables.tenant and "tenant" not in each.c] == []


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(tmp_path / "both") as database:
        yield database


@pytest.mark.postgresql_only
async def test_every_table_of_a_tenant_has_its_policy(both: AsyncEngine) -> None:
    held = text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity")
    async with all_rows(both).begin() as connection:
        assert set((await connection.scalars(held)).all()) == {each.name for each in APART}


@pytest.mark.postgresql_only
async def test_sql_that_names_nobody_sees_and_changes_the_scopes_rows_alone(both: AsyncEngine) -> None:
    before = await rows_of(both, THEIRS)
    for table in reversed(APART):
        whose = "name" if table is tables.tenant else "tenant"
        async with Scope(both, OURS).begin() as connection:
            assert set((await connection.scalars(text(f'SELECT {whose} FROM "{table.name}"'))).all()) == {OURS}  # noqa: S608
        changes = table not in (tables.content, tables.version)
        with pytest.raises(DBAPIError, match="row-level security" if changes else "never changes"):
            async with Scope(both, OURS).begin() as connection:
                await connection.execute(text(f"UPDATE \"{table.name}\" SET {whose} = '{THEIRS}'"))  # noqa: S608
        update = f'UPDATE "{table.name}" SET {whose} = {whose}'  # noqa: S608
        for change in (*([update] if changes else []), f'DELETE FROM "{table.name}"'):  # noqa: S608
            # Rows of other tables may point to ours.
            with contextlib.suppress(IntegrityError):
                async with Scope(both, OURS).begin() as connection:
                    await connection.execute(text(change))
    assert await rows_of(both, THEIRS) == before


@pytest.mark.postgresql_only
async def test_without_a_scope_nothing_is_seen(both: AsyncEngine) -> None:
    # A connection that was a tenant's before.
    async with Scope(both, OURS).begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.lead)) == 1
    async with both.connect() as connection:
        for table in APART:
            assert await connection.scalar(select(func.count()).select_from(table)) == 0, table.name
    with pytest.raises(DBAPIError, match="row-level security"):
        async with both.begin() as connection:
            await connection.execute(insert(tables.do_not_call), [_row(tables.do_not_call, OURS, 3)])


def test_only_a_sight_opens_transactions() -> None:
    """Elsewhere nobody asks an engine for a connection, but where tables and files are made."""
    opened = re.compile(r"\b(?:engine|database|own|_postgres)\.(?:connect|begin)\(\)")
    root = Path(people.__file__).parents[1]
    found = {
        str(path.relative_to(root))
        for package in ("people", "ivr", "outbound", "reports", "app")
        for path in (root / package).rglob("*.py")
        if opened.search(path.read_text("utf-8"))
    }
    assert found == {
        "people/store/scope.py",
        # What there is, and what it may do.
        *("people/store/db.py", "people/store/upgrade.py", "people/store/roles.py"),
        # A connection that is the tenant's from its beginning.
        "outbound/running.py",
        # A new file of SQLite's, that nobody else has.
        *("app/copies/unpacking.py", "app/copies/restore.py"),
        # All of a database that nobody else may write meanwhile.
        "app/copies/change_over.py",
    }
