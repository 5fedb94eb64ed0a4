"""Tables that every service has: outbox, inbox, idempotency keys, tickets, audit, projection marks."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from chassis.database import new_metadata

metadata = new_metadata()

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("subject", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("published_at", DateTime(timezone=True)),
    Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL")),
    Index("ix_outbox_published_at", "published_at", postgresql_where=text("published_at IS NOT NULL")),
)

inbox = Table(
    "inbox",
    metadata,
    Column("durable", Text, nullable=False),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("durable", "event_id"),
    Index("ix_inbox_received_at", "received_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("reply", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("member_id", "route", "key"),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

# One-time permits to fetch a file (chassis.tickets), by the hash of what the member was given.
tickets = Table(
    "tickets",
    metadata,
    Column("ticket_hash", LargeBinary, primary_key=True),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_tickets_expires_at", "expires_at"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor_id", UUID(as_uuid=True)),
    Column("action", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("trace_id", Text, nullable=False),
    Index("ix_audit_entries_subject", "subject_type", "subject_id", "id"),
    Index("ix_audit_entries_at", "at"),
    Index("ix_audit_entries_actor", "actor_id", "at"),
    # Found by the beginning of an action, whatever the database's collation.
    Index("ix_audit_entries_action", "action", "at", postgresql_ops={"action": "text_pattern_ops"}),
)

projection_marks = Table(
    "projection_marks",
    metadata,
    Column("projection", Text, primary_key=True),
    Column("rebuilt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
