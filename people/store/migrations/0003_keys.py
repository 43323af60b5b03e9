"""Keys that hold tenants apart, ids that never come back, leads that keep what their own file said

This expands: releases from 0001 on may go on reading and writing. What they leave out of a new row (its tenant, a
lead's name and language) triggers fill in. A release that comes after all of those are gone makes these columns NOT
NULL and drops: the triggers but that of `call`, contact.name, contact.language, ix_lead_due.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
serves = "0001"

#: SQLite gives keys to new tables alone: table -> its columns and constraints, the columns of the old, where from.
_ANEW = {
    "contact": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_contact PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64) NOT NULL,
        phone VARCHAR(16) NOT NULL,
        name VARCHAR(200) NOT NULL,
        language VARCHAR(2) NOT NULL,
        created_at_ms BIGINT NOT NULL,
        CONSTRAINT uq_contact_tenant_phone UNIQUE (tenant, phone),
        CONSTRAINT uq_contact_id_tenant UNIQUE (id, tenant)
        """,
        "id, tenant, phone, name, language, created_at_ms",
        "SELECT id, tenant, phone, name, language, created_at_ms FROM contact ORDER BY id",
    ),
    "campaign": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_campaign PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64) NOT NULL,
        name VARCHAR(64) NOT NULL,
        flow VARCHAR(64) NOT NULL,
        main_message VARCHAR(100) NOT NULL,
        state VARCHAR(16) NOT NULL,
        rules JSON NOT NULL,
        created_at_ms BIGINT NOT NULL,
        started_at_ms BIGINT,
        ended_at_ms BIGINT,
        CONSTRAINT uq_campaign_tenant_name UNIQUE (tenant, name),
        CONSTRAINT uq_campaign_id_tenant UNIQUE (id, tenant)
        """,
        "id, tenant, name, flow, main_message, state, rules, created_at_ms, started_at_ms, ended_at_ms",
        "SELECT id, tenant, name, flow, main_message, state, rules, created_at_ms, started_at_ms, ended_at_ms"
        " FROM campaign ORDER BY id",
    ),
    "refused_row": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_refused_row PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64),
        campaign_id INTEGER NOT NULL,
        line INTEGER NOT NULL,
        reason VARCHAR(32) NOT NULL,
        detail VARCHAR(200) NOT NULL,
        CONSTRAINT fk_refused_row_tenant_campaign_id
            FOREIGN KEY (tenant, campaign_id) REFERENCES campaign (tenant, id)
        """,
        "id, tenant, campaign_id, line, reason, detail",
        "SELECT r.id, c.tenant, r.campaign_id, r.line, r.reason, r.detail"
        " FROM refused_row r JOIN campaign c ON c.id = r.campaign_id ORDER BY r.id",
    ),
    "lead": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_lead PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64),
        campaign_id INTEGER NOT NULL,
        contact_id INTEGER NOT NULL,
        line INTEGER,
        name VARCHAR(200),
        language VARCHAR(2),
        variables JSON NOT NULL,
        state VARCHAR(16) NOT NULL,
        excluded_reason VARCHAR(32),
        due_at_ms BIGINT NOT NULL,
        attempts INTEGER NOT NULL,
        spared INTEGER DEFAULT '0' NOT NULL,
        outcome VARCHAR(16),
        CONSTRAINT fk_lead_tenant_campaign_id FOREIGN KEY (tenant, campaign_id) REFERENCES campaign (tenant, id),
        CONSTRAINT fk_lead_tenant_contact_id FOREIGN KEY (tenant, contact_id) REFERENCES contact (tenant, id),
        CONSTRAINT uq_lead_campaign_id_contact_id UNIQUE (campaign_id, contact_id),
        CONSTRAINT uq_lead_campaign_id_id_tenant UNIQUE (campaign_id, id, tenant)
        """,
        "id, tenant, campaign_id, contact_id, name, language, variables, state, excluded_reason, due_at_ms, attempts,"
        " spared, outcome",
        "SELECT l.id, p.tenant, l.campaign_id, l.contact_id, p.name, p.language, l.variables, l.state,"
        " l.excluded_reason, l.due_at_ms, l.attempts, l.spared, l.outcome"
        " FROM lead l JOIN contact p ON p.id = l.contact_id ORDER BY l.id",
    ),
    "attempt": (
        """
        id VARCHAR(40) NOT NULL,
        tenant VARCHAR(64),
        campaign_id INTEGER NOT NULL,
        lead_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        planned_at_ms BIGINT NOT NULL,
        dialled_at_ms BIGINT,
        answered_at_ms BIGINT,
        ended_at_ms BIGINT,
        outcome VARCHAR(16),
        reason INTEGER,
        cause INTEGER,
        sip_status INTEGER,
        settled_by VARCHAR(16),
        CONSTRAINT pk_attempt PRIMARY KEY (id),
        CONSTRAINT fk_attempt_tenant_campaign_id_lead_id
            FOREIGN KEY (tenant, campaign_id, lead_id) REFERENCES lead (tenant, campaign_id, id)
        """,
        "id, tenant, campaign_id, lead_id, number, planned_at_ms, dialled_at_ms, answered_at_ms, ended_at_ms, outcome,"
        " reason, cause, sip_status, settled_by",
        "SELECT a.id, c.tenant, a.campaign_id, a.lead_id, a.number, a.planned_at_ms, a.dialled_at_ms,"
        " a.answered_at_ms, a.ended_at_ms, a.outcome, a.reason, a.cause, a.sip_status, a.settled_by"
        " FROM attempt a JOIN campaign c ON c.id = a.campaign_id ORDER BY a.rowid",
    ),
    "request": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_request PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        phone VARCHAR(32) NOT NULL,
        call_id VARCHAR(40),
        variables JSON NOT NULL,
        asked_at_ms BIGINT NOT NULL
        """,
        "id, tenant, kind, phone, call_id, variables, asked_at_ms",
        "SELECT id, tenant, kind, phone, call_id, variables, asked_at_ms FROM request ORDER BY id",
    ),
}
#: They go with the old table.
_INDEXES_ANEW = (
    "CREATE INDEX ix_refused_row_campaign_id ON refused_row (campaign_id)",
    "CREATE INDEX ix_lead_due ON lead (campaign_id, state, due_at_ms)",
    "CREATE INDEX ix_attempt_campaign_outcome ON attempt (campaign_id, outcome)",
    "CREATE INDEX ix_attempt_lead_id ON attempt (lead_id)",
    "CREATE INDEX ix_request_asked ON request (tenant, asked_at_ms)",
)
#: Table -> which of its new rows lack something, and what they are given.
_FILLED = {
    "refused_row": ("NEW.tenant IS NULL", {"tenant": "SELECT tenant FROM campaign WHERE id = NEW.campaign_id"}),
    "lead": (
        "NEW.tenant IS NULL",
        {
            "tenant": "SELECT tenant FROM campaign WHERE id = NEW.campaign_id",
            "name": "SELECT name FROM contact WHERE id = NEW.contact_id",
            "language": "SELECT language FROM contact WHERE id = NEW.contact_id",
        },
    ),
    "attempt": ("NEW.tenant IS NULL", {"tenant": "SELECT tenant FROM campaign WHERE id = NEW.campaign_id"}),
    "call": (
        "NEW.campaign_id IS NULL AND NEW.attempt_id IS NOT NULL",
        {"campaign_id": "SELECT campaign_id FROM attempt WHERE id = NEW.attempt_id"},
    ),
}
_INDEXES = (
    # What waits is a small part of all that ever was, and the id in it leaves nothing to sort.
    "CREATE INDEX ix_lead_waiting ON lead (campaign_id, due_at_ms, id) WHERE state = 'waiting'",
    "CREATE INDEX ix_lead_dialling ON lead (campaign_id, id) WHERE state = 'dialling'",
    "CREATE INDEX ix_attempt_open ON attempt (tenant, id) WHERE outcome IS NULL",
    "CREATE INDEX ix_call_campaign ON call (campaign_id, started_at_ms) WHERE campaign_id IS NOT NULL",
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        _make_anew()
    else:
        _add_keys()
    op.add_column("call", sa.Column("campaign_id", sa.Integer()))
    op.execute(
        "UPDATE call SET campaign_id = (SELECT campaign_id FROM attempt WHERE attempt.id = call.attempt_id)"
        " WHERE attempt_id IS NOT NULL"
    )
    # A report began at all keys that were ever pressed.
    op.drop_index("ix_journal_kind", "journal")
    for statement in _INDEXES:
        op.execute(statement)
    for table, (lacking, given) in _FILLED.items():
        (_fill_on_sqlite if sqlite else _fill_on_postgresql)(table, lacking, given)


def _make_anew() -> None:
    for table, (columns, names, rows) in _ANEW.items():
        op.execute(f"CREATE TABLE new_{table} ({columns})")
        op.execute(f"INSERT INTO new_{table} ({names}) {rows}")
    for table in _ANEW:
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
    for statement in _INDEXES_ANEW:
        op.execute(statement)


def _add_keys() -> None:
    for table in ("contact", "campaign", "refused_row", "lead", "request"):
        op.execute(f"ALTER TABLE {table} ALTER id DROP DEFAULT")
        op.execute(f"DROP SEQUENCE {table}_id_seq")
        op.execute(f"ALTER TABLE {table} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY")
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            " HAVING max(id) IS NOT NULL"
        )
    for table in ("refused_row", "lead", "attempt"):
        op.add_column(table, sa.Column("tenant", sa.String(64)))
    op.add_column("lead", sa.Column("line", sa.Integer()))
    op.add_column("lead", sa.Column("name", sa.String(200)))
    op.add_column("lead", sa.Column("language", sa.String(2)))
    op.execute("UPDATE refused_row SET tenant = c.tenant FROM campaign c WHERE c.id = campaign_id")
    op.execute(
        "UPDATE lead SET tenant = p.tenant, name = p.name, language = p.language FROM contact p WHERE p.id = contact_id"
    )
    op.execute("UPDATE attempt SET tenant = c.tenant FROM campaign c WHERE c.id = campaign_id")
    op.create_unique_constraint("uq_contact_id_tenant", "contact", ["id", "tenant"])
    op.create_unique_constraint("uq_campaign_id_tenant", "campaign", ["id", "tenant"])
    op.create_unique_constraint("uq_lead_campaign_id_id_tenant", "lead", ["campaign_id", "id", "tenant"])
    for table, columns, parent, keys in (
        ("refused_row", ["tenant", "campaign_id"], "campaign", ["tenant", "id"]),
        ("lead", ["tenant", "campaign_id"], "campaign", ["tenant", "id"]),
        ("lead", ["tenant", "contact_id"], "contact", ["tenant", "id"]),
        ("attempt", ["tenant", "campaign_id", "lead_id"], "lead", ["tenant", "campaign_id", "id"]),
    ):
        op.create_foreign_key(f"fk_{table}_{'_'.join(columns)}", table, parent, columns, keys)
    for table, column in (
        ("refused_row", "campaign_id"),
        ("lead", "campaign_id"),
        ("lead", "contact_id"),
        ("attempt", "campaign_id"),
        ("attempt", "lead_id"),
    ):
        op.drop_constraint(f"fk_{table}_{column}", table)


def _fill_on_sqlite(table: str, lacking: str, given: dict[str, str]) -> None:
    values = ", ".join(f"{column} = ({query})" for column, query in given.items())
    op.execute(
        f"CREATE TRIGGER fill_{table} AFTER INSERT ON {table} WHEN {lacking}"  # noqa: S608
        f" BEGIN UPDATE {table} SET {values} WHERE rowid = NEW.rowid; END"
    )


def _fill_on_postgresql(table: str, lacking: str, given: dict[str, str]) -> None:
    values = " ".join(f"NEW.{column} := ({query});" for column, query in given.items())
    op.execute(
        f"CREATE FUNCTION fill_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {values} RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER fill_{table} BEFORE INSERT ON {table} FOR EACH ROW WHEN ({lacking})"
        f" EXECUTE FUNCTION fill_{table}()"
    )
