"""The do-not-call list, read a page at a time, the newest first

This expands: releases from 0001 on may go on reading and writing.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
serves = "0001"


def upgrade() -> None:
    op.create_index("ix_do_not_call_since", "do_not_call", ["tenant", "since_ms", "phone"])
