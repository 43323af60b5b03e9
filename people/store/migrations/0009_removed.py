"""Until when the calls of a campaign were removed, so that nobody counts them anew as none

This expands: releases from 0001 on may go on reading and writing. One that counts results and knows nothing of this
counts a lead anew only when a line of its calls comes after they were removed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
serves = "0001"


def upgrade() -> None:
    op.create_table(
        "removed",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("before_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_removed"),
        sa.ForeignKeyConstraint(
            ["tenant", "campaign_id"], ["campaign.tenant", "campaign.id"], name="fk_removed_tenant_campaign_id"
        ),
    )
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            "CREATE POLICY of_tenant ON removed"
            " USING (tenant = (SELECT nullif(current_setting('ivr.tenant', true), ''))"
            " OR (SELECT current_setting('ivr.tenant', true)) = '*')"
        )
