"""Attempts that are not counted against a person, and what the journal could not keep"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
serves = "0001"


def upgrade() -> None:
    # Releases that changed tables one by one may have been killed in between.
    there = sa.inspect(op.get_bind())
    if "spared" not in {column["name"] for column in there.get_columns("lead")}:
        op.add_column("lead", sa.Column("spared", sa.Integer(), server_default="0", nullable=False))
    if there.has_table("loss"):
        op.drop_table("loss")
    op.create_table(
        "loss",
        sa.Column("call_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("attempt_id", sa.String(length=40), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "kind", name=op.f("pk_loss")),
    )
    with op.batch_alter_table("loss", schema=None) as batch_op:
        batch_op.create_index("ix_loss_at", ["tenant", "at_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_loss_attempt_id"), ["attempt_id"], unique=False)
