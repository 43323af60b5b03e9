"""Two roles of PostgreSQL: one owns the tables; the service's reads and writes rows, and changes no table.

The README has the same for an administrator to type.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from faults import AuthorError, Fault
from people.store.db import make_engine, unusable
from people.store.scope import EveryTenant, Job
from people.store.upgrade import Upgraded, upgrade

OWNER, SERVICE = "ivr_owner", "ivr"


def grants(role: str) -> Sequence[str]:
    """The statements that let `role` serve, for the owner to run once in the database when its tables are there.

    They hold for tables that come later, too.
    """
    name = '"' + role.replace('"', '""') + '"'
    rows, numbers = "SELECT, INSERT, UPDATE, DELETE ON", "USAGE ON"
    return (
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT {rows} ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT {numbers} ALL SEQUENCES IN SCHEMA public TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rows} TABLES TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {numbers} SEQUENCES TO {name}",
        # Which release the tables are of is the owner's to say.
        f"REVOKE INSERT, UPDATE, DELETE ON migration, alembic_version FROM {name}",
    )


async def set_up(superuser: str, *, database: str, password: str) -> str:
    """Make both roles with `password`, and a database with tables; the URL with which the service opens it.

    `superuser` is the URL of any database of the server. Raises MachineError.
    """
    # Slow to import, and seldom in use.
    import asyncpg

    url = make_url(superuser)
    connection = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        for role in (OWNER, SERVICE):
            # A statement that makes a role takes no parameters.
            quoted = await connection.fetchval("SELECT quote_literal($1)", password)
            await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD {quoted}")
        await connection.execute(f"CREATE DATABASE {database} OWNER {OWNER}")
    finally:
        await connection.close()
    url = url.set(database=database, password=password)
    owner, service = (url.set(username=role).render_as_string(hide_password=False) for role in (OWNER, SERVICE))
    await upgrade_as_owner(owner, serves=service)
    return service


async def upgrade_as_owner(owner: str, *, serves: str) -> Upgraded:
    """Bring the tables up to date, as the role of the URL `owner`, and let the role of the URL `serves` use them.

    Raises AuthorError when they are not two roles of one database of PostgreSQL, MachineError when that refuses.
    """
    own, service = make_url(owner), make_url(serves)
    if service.get_backend_name() != "postgresql" or not service.username or own.database != service.database:
        what = "The owner's address is not of the database that the site uses."
        mend = "Set database in ivr.toml to postgresql://role@host/name, and give the owner's of the same."
        raise AuthorError(Fault(what=what, where=own.render_as_string(hide_password=True), mend=mend))
    done = await upgrade(owner)
    engine = make_engine(owner)
    try:
        async with engine.begin() as connection:
            for statement in grants(service.username):
                await connection.execute(text(statement))
    except DBAPIError as error:
        raise unusable(error, owner) from error
    finally:
        await engine.dispose()
    return done


_SEES = text(
    "SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS all_rows,"
    " bool_or(pg_has_role(c.relowner, 'USAGE')) AS owner, bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS held"
    " FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid WHERE p.polname = 'of_tenant'"
    " AND c.relnamespace = current_schema()::regnamespace"
)


async def mixes_tenants(engine: AsyncEngine) -> tuple[str, str]:
    """What keeps PostgreSQL from holding tenants apart for the role of `engine`, and how to mend it; "": nothing."""
    if engine.dialect.name == "sqlite":
        return "", ""
    async with EveryTenant(engine, Job.TENANTS).begin() as connection:
        sees = (await connection.execute(_SEES)).one()
    if sees.all_rows or sees.owner:
        what = "The role that serves may pass over what holds tenants apart."
        return what, "Give it a role that owns no table, without SUPERUSER and BYPASSRLS, as the README shows."
    if not sees.held:
        what = "PostgreSQL does not hold tenants apart yet: an engine of an older release was at work at the upgrade."
        return what, "When none is any more, let the owner run it again: ivr store upgrade."
    return "", ""
