"""Rows of the tables, written by hand: `Rows` collects what happened, `store` puts it into a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from people.store import tables
from people.store.scope import Scope
from reports.figures import Report
from reports.metrics import compute_report
from tests.databases import all_rows, in_memory

MOSCOW = ZoneInfo("Europe/Moscow")


def ms(text: str) -> int:
    """UTC milliseconds of "2026-11-20 09:30"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


#: 12:00 in Moscow.
NOON = ms("2026-11-20 09:00")
NOW = ms("2026-11-22 18:00")
MESSAGE_MS = 20_000


@dataclass
class Rows:
    """Everything is added through the methods, which return ids and take the columns that a test is about."""

    rows: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)
    #: Set to another campaign to add what must not leak into the report.
    campaign_id: int = 1
    tenant: str = "shop"

    def _add(self, table: Table, **columns: Any) -> int:
        self.rows.setdefault(table, []).append(columns)
        return len(self.rows[table])

    def count(self, table: Table) -> int:
        return len(self.rows.get(table, []))

    def campaign(self, name: str = "tv-week", *, tenant: str = "shop", state: str = "finished") -> int:
        self.tenant, self.campaign_id = tenant, self.count(tables.campaign) + 1
        return self._add(
            tables.campaign,
            id=self.campaign_id,
            tenant=tenant,
            name=name,
            flow="promo",
            main_message="promo.offer",
            state=state,
            rules={},
            created_at_ms=NOON,
            started_at_ms=NOON,
            ended_at_ms=None,
        )

    def refused(self, reason: str) -> None:
        line = self.count(tables.refused_row) + 2
        self._add(
            tables.refused_row, tenant=self.tenant, campaign_id=self.campaign_id, line=line, reason=reason, detail=""
        )

    def lead(self, *, state: str = "done", excluded: str | None = None) -> int:
        number = self.count(tables.lead) + 1
        self._add(
            tables.contact,
            id=number,
            tenant=self.tenant,
            phone=f"+7916{number:07}",
            name="Ольга",
            language="ru",
            created_at_ms=NOON,
        )
        return self._add(
            tables.lead,
            id=number,
            tenant=self.tenant,
            campaign_id=self.campaign_id,
            contact_id=number,
            name="Ольга",
            language="ru",
            variables={},
            state="excluded" if excluded else state,
            excluded_reason=excluded,
            due_at_ms=0,
            attempts=0,
            outcome=None,
        )

    def attempt(self, lead: int, outcome: str | None, *, at: int = NOON, dialled: bool = True) -> str:
        number = 1 + sum(row["lead_id"] == lead for row in self.rows.get(tables.attempt, []))
        attempt_id = f"a{self.count(tables.attempt)}"
        self._add(
            tables.attempt,
            id=attempt_id,
            tenant=self.tenant,
            campaign_id=self.campaign_id,
            lead_id=lead,
            number=number,
            planned_at_ms=at,
            dialled_at_ms=at if dialled else None,
            outcome=outcome,
        )
        return attempt_id

    def call(
        self, attempt: str | None, *, language: str = "ru", ended_by: str | None = "hang_up", **columns: Any
    ) -> str:
        call_id = f"c{self.count(tables.call)}"
        self._add(
            tables.call,
            **{
                "id": call_id,
                "tenant": self.tenant,
                "direction": "outbound" if attempt else "inbound",
                "attempt_id": attempt,
                "campaign_id": self.campaign_id if attempt else None,
                "uniqueid": attempt or call_id,
                "phone": "+79161234567",
                "dialled": "",
                "flow": "promo",
                "version": None,
                "language": language,
                "amd": "",
                "started_at_ms": NOON,
                "answered_at_ms": NOON + 5_000,
                "ended_at_ms": NOON + 35_000,
                "ended_by": ended_by,
                **columns,
            },
        )
        return call_id

    def loss(self, call: str, attempt: str | None, kind: str) -> None:
        self._add(
            tables.loss,
            call_id=call,
            kind=kind,
            tenant=self.tenant,
            attempt_id=attempt,
            lines=1,
            at_ms=NOON,
            why="the disk was full",
        )

    def opt_out(self, phone: str) -> None:
        self._add(tables.do_not_call, tenant=self.tenant, phone=phone, since_ms=NOON, source="call", call_id=None)

    def note(self, call: str, kind: str, value: str = "", *, node: str = "offer", at: int = 0, **columns: Any) -> None:
        seq = sum(row["call_id"] == call for row in self.rows.get(tables.journal, []))
        blank = {"follow_up": False, "depth": 0, "main": False, "heard_ms": None, "length_ms": None, "ended": None}
        self._add(
            tables.journal,
            **{
                "call_id": call,
                "seq": seq,
                "at_ms": at,
                "kind": kind,
                "node": node,
                "value": value,
                **blank,
                **columns,
            },
        )

    def heard(
        self,
        call: str,
        heard_ms: int,
        ended: str = "hang_up",
        *,
        length_ms: int = MESSAGE_MS,
        main: bool = True,
        text: str = "promo.offer",
        at: int = 0,
    ) -> None:
        self.note(call, "heard", text, at=at, main=main, heard_ms=heard_ms, length_ms=length_ms, ended=ended)

    def person(self, heard_ms: int | None = None, ended: str = "hang_up", *, at: int = NOON) -> str:
        """A lead reached at the first attempt; with `heard_ms`, so much of the main message. The id of the call."""
        call = self.call(self.attempt(self.lead(), "human", at=at))
        if heard_ms is not None:
            self.heard(call, heard_ms, ended)
        return call


@asynccontextmanager
async def store(rows: Rows) -> AsyncIterator[AsyncEngine]:
    """A database of the test's kind with these rows; SQLite's is in memory."""
    async with in_memory() as engine:
        await put(engine, rows)
        yield engine


async def put(engine: AsyncEngine, rows: Rows) -> None:
    async with all_rows(engine).begin() as connection:
        for table in tables.metadata.sorted_tables:
            if values := rows.rows.get(table):
                await connection.execute(insert(table), values)


def one_listener(state: str = "finished") -> Rows:
    """A campaign with one person, who heard all of it."""
    rows = Rows()
    rows.campaign(state=state)
    rows.person(MESSAGE_MS, "played")
    return rows


async def report_of(rows: Rows, *, campaign: str = "tv-week", tenant: str = "shop") -> Report:
    async with store(rows) as engine:
        return await compute_report(Scope(engine, tenant), campaign_name=campaign, zone=MOSCOW, now_ms=NOW)
