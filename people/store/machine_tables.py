"""Tables of no tenant: what is known of the database itself, and of the machines that share it.

Times are UTC in whole milliseconds since 1970 (`*_ms`).
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Identity, Integer, MetaData, String, Table

#: Of all tables: people.store.tables puts those of tenants into it.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: The migrations that made these tables.
migration = Table(
    "migration",
    metadata,
    #: "0002"
    Column("revision", String(8), primary_key=True),
    #: The oldest release that may use the tables as this migration left them, by the number of its own.
    Column("serves", String(8), nullable=False),
)

#: One Asterisk with its engine and audio, of no tenant. A row is never taken away: its epoch would begin again.
gateway = Table(
    "gateway",
    metadata,
    Column("name", String(64), primary_key=True),
    #: Grows with every owner. Whoever writes for the gateway says which is his, so that an old owner writes nothing.
    Column("epoch", Integer, nullable=False),
    #: The owner has it until then by the database's clock, unless the lease is renewed; 0: it was given back.
    Column("lease_until_ms", BigInteger, nullable=False),
    #: By the database's clock, and people.store.processes.Process.
    Column("since_ms", BigInteger, nullable=False),
    Column("host", String(255), nullable=False),
    Column("place", String(80), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("born", BigInteger, nullable=False),
    #: `epoch`, if its owner is of a release that says to the database whose rows it asks for.
    Column("scoped_epoch", Integer),
)

#: A SIP peer that carries calls, of no tenant. Passwords are in secrets.toml.
trunk = Table(
    "trunk",
    metadata,
    #: "": every gateway that has none of its own of this name.
    Column("gateway", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    #: file (ivr.toml alone changes it), command
    Column("source", String(16), nullable=False),
    #: ivr.settings.Trunk as JSON.
    Column("settings", JSON, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)

#: One row for each time that this database was put back from a copy of itself.
restored = Table(
    "restored",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("taken_at_ms", BigInteger, nullable=False),
    Column("restored_at_ms", BigInteger, nullable=False),
    #: Until then nobody is dialled: who was dialled since the copy was taken is looked for at the next start.
    Column("compared_at_ms", BigInteger),
    #: Attempts made since the copy that were found, and are unknown now.
    Column("found", Integer, nullable=False),
    #: Attempts found of people who are in no campaign of the copy.
    Column("strangers", Integer, nullable=False),
    #: People who wait in a campaign and may have been dialled since the copy without a record that is left.
    Column("unseen", Integer, nullable=False),
    sqlite_autoincrement=True,
)

MACHINE = (migration, gateway, trunk, restored)
