"""The same figures by straightforward Python over the same rows, written from design.md and not from reports/."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from people.store import tables
from tests.unit.reports.rows import Rows

Row = dict[str, Any]


def naive_figures(rows: Rows, campaign_id: int, zone: ZoneInfo) -> dict[str, Any]:
    """Name -> count or list of counts, for the campaign."""

    def of_campaign(table: Any) -> list[Row]:
        return [row for row in rows.rows.get(table, []) if row["campaign_id"] == campaign_id]

    refused, leads, attempts = (of_campaign(table) for table in (tables.refused_row, tables.lead, tables.attempt))
    by_lead: dict[int, list[Row]] = {lead["id"]: [a for a in attempts if a["lead_id"] == lead["id"]] for lead in leads}

    # What we gave up ourselves was an attempt, and is nobody's.
    persons = {
        lead: sum(a["dialled_at_ms"] is not None and a["outcome"] != "cancelled" for a in tries)
        for lead, tries in by_lead.items()
    }

    def journal(attempt: Row) -> list[Row]:
        calls = {call["id"] for call in rows.rows.get(tables.call, []) if call["attempt_id"] == attempt["id"]}
        return [note for note in rows.rows.get(tables.journal, []) if note["call_id"] in calls]

    def touched(lead: Row) -> bool:
        return bool(persons[lead["id"]]) or any(
            a["outcome"] in ("human", "machine", "unknown") for a in by_lead[lead["id"]]
        )

    out = [lead for lead in leads if lead["state"] == "excluded" and not touched(lead)]
    dialled = {lead for lead, tries in persons.items() if tries}
    outcomes = {lead: {a["outcome"] for a in tries} for lead, tries in by_lead.items()}
    reached = [lead for lead in by_lead if "human" in outcomes[lead]]
    notes = {lead: [n for a in by_lead[lead] if a["outcome"] == "human" for n in journal(a)] for lead in reached}
    mains = {
        lead: [n for n in notes[lead] if n["main"] and n["ended"] != "fault" and n["length_ms"] > 0] for lead in reached
    }

    def to_end(note: Row) -> bool:
        return bool(note["length_ms"] - note["heard_ms"] <= 500)

    listened = [lead for lead in reached if any(map(to_end, mains[lead]))]
    keyed = [lead for lead in reached if lead not in listened and any(n["ended"] == "key" for n in mains[lead])]
    longest = {lead: max(n["heard_ms"] for n in mains[lead]) for lead in reached if mains[lead]}
    length = max((n["length_ms"] for lead in reached for n in mains[lead]), default=0)
    keys = [(lead, n) for lead in reached for n in notes[lead] if n["kind"] == "key"]
    asked = {lead for lead, n in keys if n["follow_up"]}

    def hour(attempt: Row) -> int:
        return datetime.fromtimestamp(attempt["dialled_at_ms"] / 1000, UTC).astimezone(zone).hour

    def first_human_hour(lead: int) -> int:
        return hour(next(a for a in by_lead[lead] if a["outcome"] == "human"))

    def pressed(kind: str) -> int:
        return sum(any(n["kind"] == kind for n in notes[lead]) for lead in reached)

    return {
        "rows": len(refused) + len(leads),
        "audience": len(leads) - len(out),
        "excluded": Counter([r["reason"] for r in refused] + [lead["excluded_reason"] for lead in out]),
        "dialled": len(dialled),
        "reached": len(reached),
        "machine": sum("machine" in outcomes[lead] and "human" not in outcomes[lead] for lead in dialled),
        "unknown": sum("unknown" in found and "human" not in found for found in outcomes.values()),
        "listened": len(listened),
        "key_before_end": len(keyed),
        "left_before_end": sum(bool(mains[lead]) and lead not in listened and lead not in keyed for lead in reached),
        "quartiles": [
            sum(
                any(to_end(n) or (q < 100 and n["heard_ms"] >= n["length_ms"] * q / 100) for n in mains[lead])
                for lead in reached
            )
            for q in (25, 50, 75, 100)
        ],
        "retention": [sum(heard >= second * 1000 for heard in longest.values()) for second in range(length // 1000 + 1)]
        if length
        else [],
        "follow_up": len(asked),
        "keys": {
            key: (len(leads_), len(set(leads_)))
            for key in {(n["node"], n["value"], n["follow_up"]) for _, n in keys}
            if (leads_ := [lead for lead, n in keys if (n["node"], n["value"], n["follow_up"]) == key])
        },
        "depths": Counter(depth for _, depth in {(lead, n["depth"]) for lead, n in keys if n["follow_up"]}),
        "after": Counter(
            min(n["at_ms"] for who, n in keys if who == lead and n["follow_up"]) // 10_000 * 10 for lead in asked
        ),
        "opted_out": pressed("opt_out"),
        "transferred": pressed("transfer"),
        "attempt_outcomes": Counter(a["outcome"] or "in_flight" for a in attempts),
        "attempts_by_hour": Counter(hour(a) for a in attempts if a["dialled_at_ms"] is not None),
        "answers_by_hour": Counter(
            hour(a) for a in attempts if a["dialled_at_ms"] is not None and a["outcome"] == "human"
        ),
        "listened_by_hour": Counter(first_human_hour(lead) for lead in listened),
        "numbers": Counter(persons[lead] for lead in dialled),
    }
