"""One engine serves every tenant: its settings, the numbers that lead to it, and which campaigns run

This expands: releases from 0001 on may go on reading and writing. They serve one tenant, as its files say.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
serves = "0001"


def upgrade() -> None:
    op.add_column("tenant", sa.Column("settings", sa.JSON()))
    op.create_table(
        "hotline_number",
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_hotline_number"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_hotline_number_tenant"),
    )
    running = sa.text("state = 'running'")
    op.create_index("ix_campaign_running", "campaign", ["id", "tenant"], sqlite_where=running, postgresql_where=running)
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            "CREATE POLICY of_tenant ON hotline_number"
            " USING (tenant = (SELECT nullif(current_setting('ivr.tenant', true), ''))"
            " OR (SELECT current_setting('ivr.tenant', true)) = '*')"
        )
