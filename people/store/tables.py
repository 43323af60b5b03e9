"""The tables. Every time is UTC in whole milliseconds since 1970 (`*_ms`); every phone is E.164 ("+79161234567").

Every row is a tenant's, and says whose (people.store.scope); those of no tenant are in people.store.machine_tables.

contact ─< lead >─ campaign ─ version ─< content     who is to be called, why, and what is said
            │
            └─< attempt ─< call ─< journal           what was dialled, answered, heard and pressed
                   │
                gateway                              which Asterisk dials it, and who owns that one
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    literal_column,
)

from people.store import machine_tables

#: Of all tables, those of no tenant too.
metadata = machine_tables.metadata

#: A retailer. What is written while somebody is called has no foreign key to it, so as not to wait or fail for it.
tenant = Table(
    "tenant",
    metadata,
    #: Neither "" nor "*", which stands for all (people.store.scope).
    Column("name", String(64), primary_key=True),
    #: As people read it; "": as `name`.
    Column("title", String(200), nullable=False, server_default=""),
    #: Of all its campaigns together, on all gateways: calls at one time, and started per second; None: no limit.
    Column("channels", Integer),
    Column("calls_per_second", Float),
    Column("created_at_ms", BigInteger, nullable=False),
    #: None: it is open. Nobody is dialled for a closed one.
    Column("closed_at_ms", BigInteger),
    #: What is its own of the settings (ivr.settings.TenantSettings); NULL: nobody has said.
    Column("settings", JSON),
)

#: Which tenant's flow answers a dialled number: one number means one tenant.
hotline_number = Table(
    "hotline_number",
    metadata,
    #: As `people.numbers.normal_form` writes it; "*": every number that has no row.
    Column("number", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("flow", String(64), nullable=False),
    #: file: as the tenant's folder says; command: as a person said.
    Column("source", String(16), nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenant.name"]),
)

#: A person by one of his numbers. Who has several has a row for each: one is the person's, to which the others and his
#: leads point, so that a number is one person's. When that is deleted the others go along, and a trigger takes him out
#: of leads, calls and requests.
contact = Table(
    "contact",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    #: Leads and attempts point to it; calls and requests have the other party's own.
    Column("phone", String(16), nullable=False),
    #: As the first file said, for releases before 0003. Leads have what their own file said.
    Column("name", String(200), nullable=False, default=""),
    Column("language", String(2), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    #: If this is a further number: the person's row, which is older.
    Column("person_id", Integer),
    ForeignKeyConstraint(["tenant"], ["tenant.name"]),
    ForeignKeyConstraint(["tenant", "person_id"], ["contact.tenant", "contact.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant", "phone"),
    UniqueConstraint("id", "tenant"),
    sqlite_autoincrement=True,
)
FURTHER = contact.c.person_id.is_not(None)
Index("ix_contact_person", contact.c.tenant, contact.c.person_id, sqlite_where=FURTHER, postgresql_where=FURTHER)

#: Bytes of files that versions name, by their hash (SHA-256, hexadecimal), in pieces. Written once, never changed.
content = Table(
    "content",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("hash", String(64), primary_key=True),
    #: From 0.
    Column("piece", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

#: What a site's callers and a campaign's people hear: flows, texts, dictionaries, recordings. A row never changes.
version = Table(
    "version",
    metadata,
    #: People know it by this number.
    Column("id", Integer, Identity(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    #: Of `files` as a whole, so that the same is there once.
    Column("hash", String(64), nullable=False),
    #: Name of each file -> hash of its content.
    Column("files", JSON, nullable=False),
    Column("published_at_ms", BigInteger, nullable=False),
    UniqueConstraint("tenant", "hash"),
    sqlite_autoincrement=True,
)

campaign = Table(
    "campaign",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    #: What people call it on the command line; unique for the tenant.
    Column("name", String(64), nullable=False),
    Column("flow", String(64), nullable=False),
    #: Its flow and texts; None: a release before 0008 made it, and they are those that the site's callers hear. No
    #: foreign key, for which SQLite would make the table anew: rows of `version` stay, and their ids never come back.
    Column("version", Integer),
    #: Text key of the main message, as the flow named it when the campaign was made.
    Column("main_message", String(100), nullable=False),
    #: importing, ready, running, paused, stopped, finished
    Column("state", String(16), nullable=False),
    #: Who paused it, if no person did: restored (`restored` says of which copy), moved (it goes on in another
    #: database). Means nothing in other states.
    Column("paused_because", String(16)),
    #: Caps, ring time and the retry rule: outbound.campaigns.Rules as JSON.
    Column("rules", JSON, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    #: So many leads were counted, up to this id; None: none yet.
    Column("leads", Integer),
    Column("counted_to", Integer),
    ForeignKeyConstraint(["tenant"], ["tenant.name"]),
    UniqueConstraint("tenant", "name"),
    UniqueConstraint("id", "tenant"),
    sqlite_autoincrement=True,
)
_running = campaign.c.state == literal_column("'running'")
Index("ix_campaign_running", campaign.c.id, campaign.c.tenant, sqlite_where=_running, postgresql_where=_running)

#: Rows of the contacts file that never became a lead. Kept, because the report counts them.
refused_row = Table(
    "refused_row",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    #: A trigger fills it in for releases that don't know it, and refuses a row of nobody; so in all that may lack it.
    Column("tenant", String(64)),
    Column("campaign_id", Integer, nullable=False, index=True),
    #: 1-based line of the contacts file.
    Column("line", Integer, nullable=False),
    #: invalid_number, duplicate, unreadable
    Column("reason", String(32), nullable=False),
    #: What was wrong with it, without the number itself.
    Column("detail", String(200), nullable=False, default=""),
    ForeignKeyConstraint(["tenant", "campaign_id"], ["campaign.tenant", "campaign.id"]),
    sqlite_autoincrement=True,
)

lead = Table(
    "lead",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("tenant", String(64)),
    Column("campaign_id", Integer, nullable=False),
    #: None: the person was forgotten.
    Column("contact_id", Integer),
    #: What the campaign's own file said of the person. The line is 1-based; None: a release before did not keep it.
    Column("line", Integer),
    Column("name", String(200)),
    Column("language", String(2)),
    #: Further columns of the contacts file: the variables of the prompts.
    Column("variables", JSON, nullable=False),
    #: waiting, dialling, done, excluded
    Column("state", String(16), nullable=False),
    #: state excluded: do_not_call, no_consent, frequency_cap
    Column("excluded_reason", String(32)),
    #: state waiting: not before this moment.
    Column("due_at_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    #: Of `attempts`, those that are not counted against the person.
    Column("spared", Integer, nullable=False, default=0, server_default="0"),
    #: Outcome of the last settled attempt.
    Column("outcome", String(16)),
    #: The numbers that its own file said, in that order: ids of `contact`; None: the one of `contact_id` alone.
    Column("phone_ids", JSON(none_as_null=True)),
    ForeignKeyConstraint(["tenant", "campaign_id"], ["campaign.tenant", "campaign.id"]),
    ForeignKeyConstraint(["tenant", "contact_id"], ["contact.tenant", "contact.id"]),
    UniqueConstraint("contact_id", "campaign_id"),
    UniqueConstraint("campaign_id", "id", "tenant"),  # a campaign's leads in the order of their ids
    Index("ix_lead_due", "campaign_id", "state", "due_at_ms"),  # for releases before 0003
    sqlite_autoincrement=True,
)
#: As literals: neither database takes a partial index for a parameter.
WAITING = lead.c.state == literal_column("'waiting'")
DIALLING = lead.c.state == literal_column("'dialling'")
# With the id inside nothing is sorted, however many are due at one instant.
_by_due = (lead.c.campaign_id, lead.c.due_at_ms, lead.c.id)
Index("ix_lead_waiting", *_by_due, sqlite_where=WAITING, postgresql_where=WAITING)
Index("ix_lead_dialling", lead.c.campaign_id, lead.c.id, sqlite_where=DIALLING, postgresql_where=DIALLING)

attempt = Table(
    "attempt",
    metadata,
    #: Also the channel's id (Uniqueid) and the AMI action's id.
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64)),
    Column("campaign_id", Integer, nullable=False),
    Column("lead_id", Integer, nullable=False, index=True),
    #: 1 for the first attempt of this lead.
    Column("number", Integer, nullable=False),
    #: Who dials it: the gateway, and the epoch of its owner then. A release before 0004 says neither.
    Column("gateway", String(64), nullable=False, server_default="main"),
    Column("epoch", Integer, nullable=False, server_default="0"),
    #: By which trunk it went; None: a release before 0010 dialled it.
    Column("trunk", String(32)),
    #: Committed before anything is sent to Asterisk.
    Column("planned_at_ms", BigInteger, nullable=False),
    #: Asterisk accepted the Originate, or reported on the channel; None: it never reached the network.
    Column("dialled_at_ms", BigInteger),
    Column("answered_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    #: One of outbound.plan.outcome.Outcome; None: in flight.
    Column("outcome", String(16)),
    #: As Asterisk reported them: OriginateResponse Reason, Hangup Cause, SIP status.
    Column("reason", Integer),
    Column("cause", Integer),
    Column("sip_status", Integer),
    #: events, cdr, call (our journal), none: where the outcome was learned.
    Column("settled_by", String(16)),
    #: The row of the number that it dialled, if the lead has several. No foreign key: the person may be forgotten.
    Column("phone_id", Integer),
    ForeignKeyConstraint(["tenant", "campaign_id", "lead_id"], ["lead.tenant", "lead.campaign_id", "lead.id"]),
    Index("ix_attempt_campaign_outcome", "campaign_id", "outcome"),
)
_open = attempt.c.outcome.is_(None)
Index("ix_attempt_open", attempt.c.gateway, attempt.c.id, sqlite_where=_open, postgresql_where=_open)

call = Table(
    "call",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    #: inbound or outbound
    Column("direction", String(8), nullable=False),
    #: outbound only; no foreign key, so that the journal never waits for the dialler.
    Column("attempt_id", String(40), index=True),
    #: The attempt's campaign. A trigger writes it, so that whoever journals the call need not know it.
    Column("campaign_id", Integer),
    #: Asterisk's Uniqueid of the channel.
    Column("uniqueid", String(64), nullable=False),
    #: The other party; "" when withheld.
    Column("phone", String(32), nullable=False),
    #: inbound: the number that was dialled.
    Column("dialled", String(32), nullable=False, default=""),
    Column("flow", String(64), nullable=False),
    #: Whose flow and texts it went by; None: a release before 0008 wrote it, or none was published.
    Column("version", Integer),
    #: Language at the end of the call.
    Column("language", String(2), nullable=False),
    #: AMD's verdict as Asterisk gave it ("MACHINE-LONGGREETING-…"); "" when not asked.
    Column("amd", String(64), nullable=False, default=""),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("answered_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    #: hang_up (caller), no_audio (from the phone), flow, steps, fault, drain, limit; None: in progress, or the
    #: engine died.
    Column("ended_by", String(16)),
    Index("ix_call_started", "tenant", "started_at_ms"),
    Index("ix_call_phone", "tenant", "phone"),
)
_of_campaign = call.c.campaign_id.is_not(None)
Index(
    "ix_call_campaign",
    call.c.campaign_id,
    call.c.started_at_ms,
    sqlite_where=_of_campaign,
    postgresql_where=_of_campaign,
)

#: One row per Note (ivr.flow.steps.Note) and per text heard.
journal = Table(
    "journal",
    metadata,
    Column("call_id", String(40), primary_key=True),
    #: Order within the call, from 0.
    Column("seq", Integer, primary_key=True),
    #: Its call's. None only where a release before 0007 wrote it of a call that never came.
    Column("tenant", String(64)),
    #: Since the call was answered.
    Column("at_ms", Integer, nullable=False),
    #: ivr.flow.steps.NoteKind
    Column("kind", String(16), nullable=False),
    Column("node", String(100), nullable=False),
    #: heard: the text's key. Others: Note.value.
    Column("value", String(200), nullable=False, default=""),
    Column("follow_up", Boolean, nullable=False, default=False),
    Column("depth", Integer, nullable=False, default=0),
    #: heard only
    Column("main", Boolean, nullable=False, default=False),
    Column("heard_ms", Integer),
    Column("length_ms", Integer),
    #: heard only: ivr.flow.steps.Ended
    Column("ended", String(16)),
)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("phone", String(16), primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    #: call (the opt-out key), import, command
    Column("source", String(16), nullable=False),
    Column("call_id", String(40)),
    #: The newest first, a page at a time.
    Index("ix_do_not_call_since", "tenant", "since_ms", "phone"),
)

#: What the journal could not keep of a call. Nothing is missing without a row here, so that reports can say so.
loss = Table(
    "loss",
    metadata,
    Column("call_id", String(40), primary_key=True),
    #: What kind of line: begun, notes, ended, opt_outs, requests.
    Column("kind", String(16), primary_key=True),
    Column("tenant", String(64), nullable=False),
    #: outbound calls only
    Column("attempt_id", String(40), index=True),
    Column("lines", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("why", String(200), nullable=False, default=""),
    Index("ix_loss_at", "tenant", "at_ms"),
)

#: What callers asked for: send_address, call_back.
request = Table(
    "request",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("phone", String(32), nullable=False),
    #: None when the local fallback noted it.
    Column("call_id", String(40)),
    Column("variables", JSON, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    Index("ix_request_asked", "tenant", "asked_at_ms"),
    Index("ix_request_phone", "tenant", "phone"),
    sqlite_autoincrement=True,
)
