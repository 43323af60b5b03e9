"""Several numbers of one person; whoever forgets a person deletes one row

A further number of a person is a row of `contact` that points to his own; deleting that takes all of them along, and a
trigger takes the person out of leads, calls and requests, which stay.

This expands: releases from 0001 on may go on reading and writing. They take a person's further number for another
person, and pass over leads of people who were forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
serves = "0001"

#: SQLite makes tables anew for what is nullable now, and for keys: columns and constraints, the columns of the old.
_ANEW = {
    "contact": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_contact PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64) NOT NULL,
        phone VARCHAR(16) NOT NULL,
        name VARCHAR(200) NOT NULL,
        language VARCHAR(2) NOT NULL,
        created_at_ms BIGINT NOT NULL,
        person_id INTEGER,
        CONSTRAINT uq_contact_tenant_phone UNIQUE (tenant, phone),
        CONSTRAINT uq_contact_id_tenant UNIQUE (id, tenant),
        CONSTRAINT fk_contact_tenant FOREIGN KEY (tenant) REFERENCES tenant (name),
        CONSTRAINT fk_contact_tenant_person_id
            FOREIGN KEY (tenant, person_id) REFERENCES contact (tenant, id) ON DELETE CASCADE
        """,
        "id, tenant, phone, name, language, created_at_ms",
    ),
    "lead": (
        """
        id INTEGER NOT NULL CONSTRAINT pk_lead PRIMARY KEY AUTOINCREMENT,
        tenant VARCHAR(64),
        campaign_id INTEGER NOT NULL,
        contact_id INTEGER,
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
        phone_ids JSON,
        CONSTRAINT fk_lead_tenant_campaign_id FOREIGN KEY (tenant, campaign_id) REFERENCES campaign (tenant, id),
        CONSTRAINT fk_lead_tenant_contact_id FOREIGN KEY (tenant, contact_id) REFERENCES contact (tenant, id),
        CONSTRAINT uq_lead_contact_id_campaign_id UNIQUE (contact_id, campaign_id),
        CONSTRAINT uq_lead_campaign_id_id_tenant UNIQUE (campaign_id, id, tenant)
        """,
        "id, tenant, campaign_id, contact_id, line, name, language, variables, state, excluded_reason, due_at_ms,"
        " attempts, spared, outcome",
    ),
}
_INDEXES = (
    "CREATE INDEX ix_contact_person ON contact (tenant, person_id) WHERE person_id IS NOT NULL",
    "CREATE INDEX ix_call_phone ON call (tenant, phone)",
    "CREATE INDEX ix_request_phone ON request (tenant, phone)",
)
_FORGET = """
    UPDATE lead SET contact_id = NULL, phone_ids = NULL, name = '', variables = '{}'
        WHERE contact_id = OLD.id AND tenant = OLD.tenant;
    UPDATE call SET phone = '' WHERE tenant = OLD.tenant AND phone = OLD.phone;
    UPDATE request SET phone = '', variables = '{}' WHERE tenant = OLD.tenant AND phone = OLD.phone;
"""


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    (_make_anew if sqlite else _change)()
    op.add_column("attempt", sa.Column("phone_id", sa.Integer()))
    for statement in _INDEXES:
        op.execute(statement)
    trigger = "CREATE TRIGGER forget_contact BEFORE DELETE ON contact FOR EACH ROW"
    if sqlite:
        op.execute(f"{trigger} BEGIN {_FORGET} END")
    else:
        op.execute(
            "CREATE FUNCTION forget_contact() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {_FORGET} RETURN OLD; END $$"
        )
        op.execute(f"{trigger} EXECUTE FUNCTION forget_contact()")
    # What releases before have left of people who were kept no longer.
    op.execute("DELETE FROM contact WHERE phone LIKE '#%'")


def _make_anew() -> None:
    run = op.get_bind().exec_driver_sql
    # They go with the tables.
    of_both = "tbl_name IN ('contact', 'lead') AND type IN ('index', 'trigger') AND sql IS NOT NULL"
    again = run(f"SELECT sql FROM sqlite_master WHERE {of_both} ORDER BY rowid").scalars().all()  # noqa: S608
    for table, (columns, names) in _ANEW.items():
        run(f"CREATE TABLE new_{table} ({columns})")
        run(f"INSERT INTO new_{table} ({names}) SELECT {names} FROM {table} ORDER BY id")  # noqa: S608
        # Ids that were given to rows which are gone don't come back.
        run(f"DELETE FROM sqlite_sequence WHERE name = 'new_{table}'")  # noqa: S608
        run(f"INSERT INTO sqlite_sequence SELECT 'new_{table}', seq FROM sqlite_sequence WHERE name = '{table}'")  # noqa: S608
    for table in reversed(_ANEW):
        run(f"DROP TABLE {table}")
    for table in _ANEW:
        run(f"ALTER TABLE new_{table} RENAME TO {table}")
    for statement in again:
        run(statement)


def _change() -> None:
    op.add_column("contact", sa.Column("person_id", sa.Integer()))
    op.create_foreign_key(
        *("fk_contact_tenant_person_id", "contact", "contact", ["tenant", "person_id"], ["tenant", "id"]),
        ondelete="CASCADE",
    )
    op.add_column("lead", sa.Column("phone_ids", sa.JSON()))
    op.alter_column("lead", "contact_id", nullable=True)
    # What is asked of a person begins there.
    op.create_unique_constraint("uq_lead_contact_id_campaign_id", "lead", ["contact_id", "campaign_id"])
    op.drop_constraint("uq_lead_campaign_id_contact_id", "lead")
