"""What the calls of each lead came to, counted; and marks of the leads whose rows have changed since

This expands: releases from 0002 on may go on reading and writing, for it is triggers that mark. What there is already
is marked here, and counted by whoever reads or refreshes next (reports.kept).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
serves = "0001"

_CAME_TO = """
    state VARCHAR(16) NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    excluded_reason VARCHAR(32) NOT NULL,
    dialled INTEGER NOT NULL,
    verdict VARCHAR(16) NOT NULL,
    unknown INTEGER NOT NULL,
    human_number INTEGER NOT NULL,
    human_slot INTEGER NOT NULL,
    quartile INTEGER NOT NULL,
    stopped_by_key INTEGER NOT NULL,
    opted_out INTEGER NOT NULL,
    transferred INTEGER NOT NULL,
    invalid_key INTEGER NOT NULL,
    elsewhere INTEGER NOT NULL
"""
_CELL = (
    "state, outcome, excluded_reason, dialled, verdict, unknown, human_number, human_slot, quartile, stopped_by_key,"
    " opted_out, transferred, invalid_key, elsewhere, heard_s, follow_up_step"
)
_PRESSED = """
    kind VARCHAR(16) NOT NULL,
    node VARCHAR(100) NOT NULL,
    value VARCHAR(200) NOT NULL,
    follow_up INTEGER NOT NULL,
    times INTEGER NOT NULL
"""
#: Table -> its columns beside campaign and tenant, its key beside the campaign.
_TABLES = {
    "result": (
        f"lead_id INTEGER NOT NULL, {_CAME_TO}, heard_ms INTEGER, length_ms INTEGER, follow_up_at_ms INTEGER",
        "lead_id",
    ),
    "tally": (
        f"{_CAME_TO}, heard_s INTEGER NOT NULL, follow_up_step INTEGER NOT NULL, leads INTEGER NOT NULL,"
        " longest_ms INTEGER NOT NULL",
        _CELL,
    ),
    "pressed": (f"lead_id INTEGER NOT NULL, {_PRESSED}", "lead_id, kind, node, value, follow_up"),
    "pressed_tally": (f"{_PRESSED}, leads INTEGER NOT NULL", "kind, node, value, follow_up"),
    "attempt_tally": (
        "outcome VARCHAR(16) NOT NULL, slot INTEGER NOT NULL, attempts INTEGER NOT NULL, first_ms BIGINT,"
        " last_ms BIGINT",
        "outcome, slot",
    ),
}
_STALE = (
    "campaign_id INTEGER NOT NULL, lead_id INTEGER NOT NULL, attempts INTEGER NOT NULL, outcome VARCHAR(16),"
    " dialled_at_ms BIGINT"
)
#: Notes that change a figure.
_NOTED = "NEW.main OR NEW.kind IN ('key', 'opt_out', 'transfer', 'request', 'invalid')"


def _mark(rows: str) -> str:
    return "INSERT INTO stale (campaign_id, lead_id, attempts, outcome, dialled_at_ms) " + rows


_OF_NEW = _mark("VALUES (NEW.campaign_id, NEW.lead_id, 1, NEW.outcome, NEW.dialled_at_ms);")
_OF_OLD = _mark("VALUES (OLD.campaign_id, OLD.lead_id, -1, OLD.outcome, OLD.dialled_at_ms);")
_OF_LEAD = _mark("VALUES (NEW.campaign_id, NEW.id, 0, NULL, NULL);")
#: Trigger -> the change and its table, when, what is done. `{is_not}` is the database's word for it.
_MARKING = {
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
    # Its notes may have come before it.
    "stale_call": (
        "INSERT ON call",
        "NEW.attempt_id IS NOT NULL",
        _mark(
            "SELECT campaign_id, lead_id, 0, NULL, NULL FROM attempt WHERE id = NEW.attempt_id"
            " AND EXISTS (SELECT 1 FROM journal WHERE call_id = NEW.id);"
        ),
    ),
    "stale_journal": (
        "INSERT ON journal",
        _NOTED,
        _mark(
            "SELECT attempt.campaign_id, attempt.lead_id, 0, NULL, NULL FROM call"
            " JOIN attempt ON attempt.id = call.attempt_id WHERE call.id = NEW.call_id;"
        ),
    ),
}
_MARKED = (
    _mark("SELECT campaign_id, lead_id, 1, outcome, dialled_at_ms FROM attempt"),
    _mark("SELECT campaign_id, id, 0, NULL, NULL FROM lead WHERE state <> 'waiting' OR outcome IS NOT NULL"),
    "UPDATE campaign SET leads = (SELECT count(*) FROM lead WHERE lead.campaign_id = campaign.id),"
    " counted_to = (SELECT max(id) FROM lead WHERE lead.campaign_id = campaign.id) WHERE state <> 'importing'",
)


def upgrade() -> None:
    for counted in ("leads", "counted_to"):
        op.add_column("campaign", sa.Column(counted, sa.Integer()))
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, (columns, key) in _TABLES.items():
        whose = ", lead_id" if "lead_id" in key else ""
        parent = "lead (tenant, campaign_id, id)" if whose else "campaign (tenant, id)"
        name = f"{table}_tenant_campaign_id{whose.replace(', ', '_')}"
        keys = f"CONSTRAINT fk_{name} FOREIGN KEY (tenant, campaign_id{whose}) REFERENCES {parent}"
        op.execute(
            f"CREATE TABLE {table} (campaign_id INTEGER NOT NULL, tenant VARCHAR(64) NOT NULL, {columns},"
            f" CONSTRAINT pk_{table} PRIMARY KEY (campaign_id, {key}), {keys}){' WITHOUT ROWID' if sqlite else ''}"
        )
    made_by = "INTEGER NOT NULL" if sqlite else "BIGINT GENERATED BY DEFAULT AS IDENTITY"
    op.execute(f"CREATE TABLE stale (id {made_by}, {_STALE}, CONSTRAINT pk_stale PRIMARY KEY (id))")
    op.create_index("ix_stale_lead", "stale", ["campaign_id", "lead_id"])
    for statement in _MARKED:
        op.execute(statement)
    for name, (change, lacking, body) in _MARKING.items():
        when = f" WHEN ({lacking})".format(is_not="IS NOT" if sqlite else "IS DISTINCT FROM") if lacking else ""
        if sqlite:
            op.execute(f"CREATE TRIGGER {name} AFTER {change}{when} BEGIN {body} END")
            continue
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$")
        op.execute(f"CREATE TRIGGER {name} AFTER {change} FOR EACH ROW{when} EXECUTE FUNCTION {name}()")
