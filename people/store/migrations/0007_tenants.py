"""Tenants as rows, every row with its tenant, and on PostgreSQL a policy for each table that lets a tenant see its own

This expands: releases from 0001 on may go on reading and writing for tenants that have rows. The policies hold from
the moment on at which no engine of an older release is at work: people.store.upgrade switches them on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
serves = "0001"

#: Where names of tenants are found, and when each was there first.
_SEEN = {
    "campaign": "created_at_ms",
    "contact": "created_at_ms",
    "call": "started_at_ms",
    "do_not_call": "since_ms",
    "loss": "at_ms",
    "request": "asked_at_ms",
}
#: Those that whoever dials or journals writes have none.
_POINTING = ("campaign", "contact")
#: Tables whose tenant may be left out of a new row; it must be there afterwards.
_CHECKED = ("refused_row", "lead", "attempt")
_APART = (
    *("contact", "campaign", "refused_row", "lead", "attempt", "call", "journal", "do_not_call", "loss", "request"),
    *("result", "tally", "pressed", "pressed_tally", "attempt_tally", "stale"),
)
_POLICY = (
    "CREATE POLICY of_tenant ON {table} USING ({column} = (SELECT nullif(current_setting('ivr.tenant', true), ''))"
    " OR (SELECT current_setting('ivr.tenant', true)) = '*')"
)

_CAMPAIGNS = "SELECT tenant FROM campaign WHERE id = NEW.campaign_id"
#: Table -> which of its new rows lack something, and what they are given.
_FILLED = {
    "refused_row": ("NEW.tenant IS NULL", {"tenant": _CAMPAIGNS}),
    "lead": (
        "NEW.tenant IS NULL",
        {
            "tenant": _CAMPAIGNS,
            "name": "SELECT name FROM contact WHERE id = NEW.contact_id",
            "language": "SELECT language FROM contact WHERE id = NEW.contact_id",
        },
    ),
    "attempt": ("NEW.tenant IS NULL", {"tenant": _CAMPAIGNS}),
    "call": (
        "NEW.campaign_id IS NULL AND NEW.attempt_id IS NOT NULL",
        {"campaign_id": "SELECT campaign_id FROM attempt WHERE id = NEW.attempt_id AND tenant = NEW.tenant"},
    ),
    "journal": ("NEW.tenant IS NULL", {"tenant": "SELECT tenant FROM call WHERE id = NEW.call_id"}),
}

_STALE = "tenant, campaign_id, lead_id, attempts, outcome, dialled_at_ms"
_NOTED = "NEW.main OR NEW.kind IN ('key', 'opt_out', 'transfer', 'request', 'invalid')"


def _mark(rows: str) -> str:
    return f"INSERT INTO stale ({_STALE}) {rows};"


#: On SQLite the tenant that a release before left out is filled in after this.
_WHOSE = f"coalesce(NEW.tenant, ({_CAMPAIGNS}))"
_OF_NEW = _mark(f"VALUES ({_WHOSE}, NEW.campaign_id, NEW.lead_id, 1, NEW.outcome, NEW.dialled_at_ms)")
_OF_OLD = _mark("VALUES (OLD.tenant, OLD.campaign_id, OLD.lead_id, -1, OLD.outcome, OLD.dialled_at_ms)")
_OF_LEAD = _mark(f"VALUES ({_WHOSE}, NEW.campaign_id, NEW.id, 0, NULL, NULL)")
#: Trigger -> the change and its table, when, what is done. `{is_not}` is the database's word for it.
_AFTER = {
    "stale_attempt_made": ("INSERT ON attempt", "", _OF_NEW),
    "stale_attempt_gone": ("DELETE ON attempt", "", _OF_OLD),
    "stale_attempt_changed": (
        "UPDATE OF outcome, dialled_at_ms ON attempt",
        "OLD.outcome {is_not} NEW.outcome OR OLD.dialled_at_ms {is_not} NEW.dialled_at_ms",
        _OF_OLD + _OF_NEW,
    ),
    "stale_lead_made": ("INSERT ON lead", "NEW.state <> 'waiting' OR NEW.outcome IS NOT NULL", _OF_LEAD),
    "stale_lead_changed": (
        "UPDATE OF state, outcome, excluded_reason ON lead",
        "OLD.state <> NEW.state OR OLD.outcome {is_not} NEW.outcome"
        " OR OLD.excluded_reason {is_not} NEW.excluded_reason",
        _OF_LEAD,
    ),
    "stale_call": (
        "INSERT ON call",
        "NEW.attempt_id IS NOT NULL",
        _mark(
            "SELECT tenant, campaign_id, lead_id, 0, NULL, NULL FROM attempt WHERE id = NEW.attempt_id"
            " AND tenant = NEW.tenant AND EXISTS (SELECT 1 FROM journal WHERE call_id = NEW.id)"
        ),
    ),
    "stale_journal": (
        "INSERT ON journal",
        _NOTED,
        _mark(
            "SELECT attempt.tenant, attempt.campaign_id, attempt.lead_id, 0, NULL, NULL FROM call"
            " JOIN attempt ON attempt.id = call.attempt_id AND attempt.tenant = call.tenant WHERE call.id = NEW.call_id"
        ),
    ),
    # Notes of a release before may have come before their call.
    "own_journal": (
        "INSERT ON call",
        "",
        "UPDATE journal SET tenant = NEW.tenant WHERE call_id = NEW.id AND tenant IS NULL;",
    ),
}


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name in (*(f"fill_{table}" for table in _FILLED if table != "journal"), *_AFTER):
        if name != "own_journal":
            _drop_trigger(name, sqlite)
    _make_tenants()
    (_point_on_sqlite if sqlite else _point_on_postgresql)()
    op.add_column("gateway", sa.Column("scoped_epoch", sa.Integer()))
    for table, (lacking, given) in _FILLED.items():
        (_fill_on_sqlite if sqlite else _fill_on_postgresql)(table, lacking, given)
    for name, (change, condition, body) in _AFTER.items():
        when = f" WHEN ({condition})".format(is_not="IS NOT" if sqlite else "IS DISTINCT FROM") if condition else ""
        if sqlite:
            op.execute(f"CREATE TRIGGER {name} AFTER {change}{when} BEGIN {body} END")
        else:
            _create_function(name, f"{body} RETURN NULL;")
            op.execute(f"CREATE TRIGGER {name} AFTER {change} FOR EACH ROW{when} EXECUTE FUNCTION {name}()")
    if not sqlite:
        for table in _APART:
            op.execute(_POLICY.format(table=table, column="tenant"))
        op.execute(_POLICY.format(table="tenant", column="name"))


def _drop_trigger(name: str, sqlite: bool) -> None:
    if sqlite:
        op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute(f"DROP FUNCTION {name}() CASCADE")


def _make_tenants() -> None:
    op.create_table(
        "tenant",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), server_default="", nullable=False),
        sa.Column("channels", sa.Integer()),
        sa.Column("calls_per_second", sa.Float()),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_tenant"),
        sa.CheckConstraint("name NOT IN ('', '*')", name="ck_tenant_name"),
    )
    seen = " UNION ALL ".join(f"SELECT tenant, {at_ms} AS at_ms FROM {table}" for table, at_ms in _SEEN.items())  # noqa: S608
    op.execute(
        f"INSERT INTO tenant (name, created_at_ms) SELECT tenant, min(at_ms) FROM ({seen}) AS seen"  # noqa: S608
        " WHERE tenant NOT IN ('', '*') GROUP BY tenant"
    )


def _point_on_sqlite() -> None:
    """SQLite gives keys, and columns that are never NULL, to new tables alone."""
    run = op.get_bind().exec_driver_sql
    for table in _POINTING:
        made = run(f"SELECT sql FROM sqlite_master WHERE name = '{table}'").scalar_one()  # noqa: S608
        columns = made.partition("(")[2].rstrip().removesuffix(")")
        key = f"CONSTRAINT fk_{table}_tenant FOREIGN KEY (tenant) REFERENCES tenant (name)"
        run(f"CREATE TABLE new_{table} ({columns}, {key})")
        run(f"INSERT INTO new_{table} SELECT * FROM {table} ORDER BY id")  # noqa: S608
        # Ids that were given to rows which are gone don't come back.
        run(f"DELETE FROM sqlite_sequence WHERE name = 'new_{table}'")  # noqa: S608
        run(f"INSERT INTO sqlite_sequence SELECT 'new_{table}', seq FROM sqlite_sequence WHERE name = '{table}'")  # noqa: S608
        run(f"DROP TABLE {table}")
        run(f"ALTER TABLE new_{table} RENAME TO {table}")
    run(
        "CREATE TABLE new_stale (id INTEGER NOT NULL, tenant VARCHAR(64) NOT NULL, campaign_id INTEGER NOT NULL,"
        " lead_id INTEGER NOT NULL, attempts INTEGER NOT NULL, outcome VARCHAR(16), dialled_at_ms BIGINT,"
        " CONSTRAINT pk_stale PRIMARY KEY (id))"
    )
    run(
        f"INSERT INTO new_stale (id, {_STALE}) SELECT s.id, c.tenant, s.campaign_id, s.lead_id, s.attempts, s.outcome,"  # noqa: S608
        " s.dialled_at_ms FROM stale s JOIN campaign c ON c.id = s.campaign_id ORDER BY s.id"
    )
    run("DROP TABLE stale")
    run("ALTER TABLE new_stale RENAME TO stale")
    run("CREATE INDEX ix_stale_lead ON stale (campaign_id, lead_id)")
    run("ALTER TABLE journal ADD COLUMN tenant VARCHAR(64)")
    run("UPDATE journal SET tenant = (SELECT tenant FROM call WHERE call.id = journal.call_id)")


def _point_on_postgresql() -> None:
    for table in _POINTING:
        op.create_foreign_key(f"fk_{table}_tenant", table, "tenant", ["tenant"], ["name"])
    for table in _CHECKED:
        op.create_check_constraint(op.f(f"ck_{table}_tenant"), table, "tenant IS NOT NULL")
    op.add_column("stale", sa.Column("tenant", sa.String(64)))
    op.execute("UPDATE stale SET tenant = c.tenant FROM campaign c WHERE c.id = campaign_id")
    op.alter_column("stale", "tenant", nullable=False)
    # A default is there at once, however many rows there are: only those of other tenants are written anew.
    most = "SELECT tenant FROM call GROUP BY tenant ORDER BY count(*) DESC LIMIT 1"
    whose = op.get_bind().scalar(sa.text(f"SELECT quote_literal(({most}))"))
    op.execute(f"ALTER TABLE journal ADD COLUMN tenant VARCHAR(64) DEFAULT {whose or 'NULL'}")
    op.execute("ALTER TABLE journal ALTER tenant DROP DEFAULT")
    if whose is not None:
        op.execute(
            f"UPDATE journal SET tenant = c.tenant FROM call c WHERE c.id = call_id AND c.tenant <> {whose}"  # noqa: S608
        )


def _fill_on_sqlite(table: str, lacking: str, given: dict[str, str]) -> None:
    values = ", ".join(f"{column} = ({query})" for column, query in given.items())
    refuse = f" SELECT RAISE(ABORT, 'a row of no tenant') WHERE ({_CAMPAIGNS}) IS NULL;" if table in _CHECKED else ""
    op.execute(
        f"CREATE TRIGGER fill_{table} AFTER INSERT ON {table} WHEN {lacking}"  # noqa: S608
        f" BEGIN UPDATE {table} SET {values} WHERE rowid = NEW.rowid;{refuse} END"
    )


def _fill_on_postgresql(table: str, lacking: str, given: dict[str, str]) -> None:
    values = " ".join(f"NEW.{column} := ({query});" for column, query in given.items())
    _create_function(f"fill_{table}", f"{values} RETURN NEW;")
    op.execute(
        f"CREATE TRIGGER fill_{table} BEFORE INSERT ON {table} FOR EACH ROW WHEN ({lacking})"
        f" EXECUTE FUNCTION fill_{table}()"
    )


def _create_function(name: str, body: str) -> None:
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
