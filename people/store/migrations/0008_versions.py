"""What callers hear, in the database: content by its hash, versions that name it and never change

This expands: releases from 0001 on may go on reading and writing. Their campaigns and calls have no version.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
serves = "0001"

_NEVER_CHANGE = ("content", "version")
#: As the tables of 0007 have it.
_POLICY = (
    "CREATE POLICY of_tenant ON {table} USING (tenant = (SELECT nullif(current_setting('ivr.tenant', true), ''))"
    " OR (SELECT current_setting('ivr.tenant', true)) = '*')"
)


def upgrade() -> None:
    op.create_table(
        "content",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("piece", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "hash", "piece", name="pk_content"),
    )
    op.create_table(
        "version",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_version"),
        sa.UniqueConstraint("tenant", "hash", name="uq_version_tenant_hash"),
        sqlite_autoincrement=True,
    )
    for table in ("campaign", "call"):
        op.add_column(table, sa.Column("version", sa.Integer()))
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute(
            "CREATE FUNCTION never_changes() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'a published % never changes', TG_TABLE_NAME; END $$"
        )
        for table in _NEVER_CHANGE:
            op.execute(_POLICY.format(table=table))
    for table in _NEVER_CHANGE:
        trigger = f"CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table}"
        if sqlite:
            op.execute(f"{trigger} BEGIN SELECT RAISE(ABORT, 'a published {table} never changes'); END")
        else:
            op.execute(f"{trigger} FOR EACH ROW EXECUTE FUNCTION never_changes()")
