"""A release of the tables 0002 at work, as it was: `python old_release.py DATABASE`. Its statements are its own.

It imports a person, claims, dials, journals and settles, and prints how many it has done; until its input ends.
"""

from __future__ import annotations

import select
import sqlite3
import sys
from typing import Any

CONTACT = (
    "INSERT INTO contact (tenant, phone, name, language, created_at_ms) VALUES ('shop', :phone, :name, 'uk', 1)"
    " ON CONFLICT (tenant, phone) DO UPDATE SET name = excluded.name, language = excluded.language RETURNING id"
)
LEAD = (
    "INSERT INTO lead (campaign_id, contact_id, variables, state, due_at_ms, attempts, spared)"
    " VALUES (1, :contact_id, '{}', 'waiting', 0, 0, 0)"
)
REFUSED = "INSERT INTO refused_row (campaign_id, line, reason, detail) VALUES (1, 7, 'duplicate', '')"
RUNNING = (
    "SELECT id, (SELECT due_at_ms FROM lead WHERE lead.campaign_id = campaign.id AND lead.state = 'waiting'"
    " ORDER BY due_at_ms LIMIT 1) AS first_due_ms, EXISTS (SELECT 1 FROM lead WHERE lead.campaign_id = campaign.id"
    " AND lead.state = 'dialling') AS dialling FROM campaign WHERE tenant = 'shop' AND state = 'running' ORDER BY id"
)
CLAIM = (
    "UPDATE lead SET state=:state, attempts=(lead.attempts + 1) WHERE lead.id IN (SELECT lead.id FROM lead"
    " WHERE lead.campaign_id = 1 AND lead.state = :waiting AND (EXISTS (SELECT * FROM campaign"
    " WHERE campaign.id = 1 AND campaign.state = 'running')) AND lead.due_at_ms <= 1000"
    " ORDER BY lead.due_at_ms, lead.id LIMIT 1 OFFSET 0) RETURNING id"
)
INTENT = "INSERT INTO attempt (id, campaign_id, lead_id, number, planned_at_ms) VALUES (:attempt_id, 1, :lead_id, 1, 2)"
DIALLED = "UPDATE attempt SET dialled_at_ms=coalesce(attempt.dialled_at_ms, 3) WHERE attempt.id = :attempt_id"
OUTBOUND = (
    "SELECT campaign.flow, contact.language, contact.phone, contact.name, lead.variables FROM attempt"
    " JOIN lead ON lead.id = attempt.lead_id JOIN contact ON contact.id = lead.contact_id"
    " JOIN campaign ON campaign.id = attempt.campaign_id WHERE attempt.id = :attempt_id"
)
BEGUN = (
    "INSERT INTO call (id, tenant, direction, attempt_id, uniqueid, phone, dialled, flow, language, amd,"
    " started_at_ms, answered_at_ms) VALUES (:attempt_id, 'shop', 'outbound', :attempt_id, :attempt_id, :phone, '',"
    " 'promo', 'uk', 'HUMAN', 4, 5) ON CONFLICT DO NOTHING"
)
NOTES = (
    "INSERT INTO journal (call_id, seq, at_ms, kind, node, value, follow_up, depth, main, heard_ms, length_ms, ended)"
    " VALUES (:attempt_id, 0, 0, 'heard', 'offer', 'promo.offer', 0, 0, 1, 4000, 4000, 'played')"
    " ON CONFLICT DO NOTHING"
)
SETTLE_LEAD = (
    "UPDATE lead SET state='done', due_at_ms=coalesce(NULL, lead.due_at_ms), spared=(lead.spared + 0),"
    " outcome=coalesce('human', lead.outcome)"
    " WHERE lead.id = :lead_id AND lead.state = 'dialling' AND lead.attempts = 1"
)
SETTLE_ATTEMPT = (
    "UPDATE attempt SET dialled_at_ms=coalesce(attempt.dialled_at_ms, NULL), answered_at_ms=5, ended_at_ms=6,"
    " outcome='human', settled_by='events' WHERE attempt.id = :attempt_id AND attempt.outcome IS NULL"
)


def connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def transaction(connection: sqlite3.Connection, values: dict[str, Any], *statements: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in statements:
        connection.execute(statement, values)
    connection.execute("COMMIT")


def work(writer: sqlite3.Connection, reader: sqlite3.Connection, number: int) -> None:
    """One person, from the file to the settled attempt."""
    values: dict[str, Any] = {"phone": f"+7917{number:07}", "name": f"Old {number}", "attempt_id": f"old{number}"}
    writer.execute("BEGIN IMMEDIATE")
    (values["contact_id"],) = writer.execute(CONTACT, values).fetchone()
    writer.execute(LEAD, values)
    writer.execute(REFUSED)
    writer.execute("COMMIT")
    assert reader.execute(RUNNING).fetchall() == [(1, 0, 1)], "the lead waits, another was in flight before"
    writer.execute("BEGIN IMMEDIATE")
    (values["lead_id"],) = writer.execute(CLAIM, {"state": "dialling", "waiting": "waiting"}).fetchone()
    writer.execute(INTENT, values)
    writer.execute("COMMIT")
    (row,) = reader.execute(OUTBOUND, values).fetchall()
    assert row == ("promo", "uk", values["phone"], values["name"], "{}"), row
    transaction(writer, values, DIALLED, BEGUN, NOTES, SETTLE_LEAD, SETTLE_ATTEMPT)


def main(path: str) -> None:
    writer, reader = connect(path), connect(path)
    number = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        work(writer, reader, number)
        number += 1
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
