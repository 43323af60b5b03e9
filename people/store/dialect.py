"""Where the databases differ: each has ON CONFLICT in an insert of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table


def upsert(table: Table, dialect: str) -> Any:
    """An insert into `table` that knows ON CONFLICT. `dialect` is the database's name: sqlite or postgresql."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    # Slow to import, and seldom in use.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
