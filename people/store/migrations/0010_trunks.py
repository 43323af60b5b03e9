"""Trunks as rows, and by which one an attempt went

This expands: releases from 0001 on may go on reading and writing. They dial by the trunk of ivr.toml, and their
attempts name none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
serves = "0001"


def upgrade() -> None:
    op.create_table(
        "trunk",
        sa.Column("gateway", sa.String(64), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "name", name="pk_trunk"),
    )
    op.add_column("attempt", sa.Column("trunk", sa.String(32)))
