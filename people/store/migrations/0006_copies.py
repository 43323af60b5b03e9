"""What a restored database says of itself, and why a campaign is paused

This expands: releases from 0001 on may go on reading and writing. One of them that resumes a campaign leaves the reason
in its row, where it means nothing while the campaign is not paused.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
serves = "0001"


def upgrade() -> None:
    op.add_column("campaign", sa.Column("paused_because", sa.String(16)))
    op.create_table(
        "restored",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("restored_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("compared_at_ms", sa.BigInteger()),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("strangers", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_restored"),
        sqlite_autoincrement=True,
    )
