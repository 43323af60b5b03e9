"""What the service's role may do in PostgreSQL: read and write rows. It owns nothing, so it changes no table.

Whoever owns the tables runs these once; they hold for tables that come later, too.
"""

from __future__ import annotations

from collections.abc import Sequence


def grants(role: str) -> Sequence[str]:
    """The statements that let `role` serve, for the owner to run in the database when its tables are there."""
    name = '"' + role.replace('"', '""') + '"'
    rows, numbers = "SELECT, INSERT, UPDATE, DELETE ON", "USAGE ON"
    return (
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT {rows} ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT {numbers} ALL SEQUENCES IN SCHEMA public TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rows} TABLES TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {numbers} SEQUENCES TO {name}",
        # Which release the tables are of is the owner's to say.
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {name}",
    )
