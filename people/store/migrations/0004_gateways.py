"""Gateways with their owners, and whose each attempt is

This expands: what releases before dial is of the gateway "main", the name that a site has unless it is given another.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
serves = "0001"


def upgrade() -> None:
    op.create_table(
        "gateway",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("place", sa.String(80), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("born", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gateway"),
    )
    # Where it has never had an owner that says so, it can be retired all the same.
    op.execute("INSERT INTO gateway SELECT 'main', 0, 0, 0, '', '', 0, 0 WHERE EXISTS (SELECT 1 FROM attempt)")
    op.add_column("attempt", sa.Column("gateway", sa.String(64), server_default="main", nullable=False))
    op.add_column("attempt", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False))
    # Whoever asks what is in flight asks for one gateway.
    op.drop_index("ix_attempt_open", "attempt")
    op.execute("CREATE INDEX ix_attempt_open ON attempt (gateway, id) WHERE outcome IS NULL")
