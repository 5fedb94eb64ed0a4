"""Batches and their items. An item without outcome has not been worked yet."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from chassis.database import new_metadata

metadata = new_metadata()

batches = Table(
    "batches",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("actor_id", UUID(as_uuid=True), nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('running', 'cancelling', 'finished', 'cancelled')", name="status"),
    Index("ix_batches_open", "id", postgresql_where=text("finished_at IS NULL")),
    Index("ix_batches_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
)

batch_items = Table(
    "batch_items",
    metadata,
    Column("batch_id", UUID(as_uuid=True), ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("item_id", UUID(as_uuid=True), nullable=False),
    Column("outcome", Text),
    Column("code", Text, nullable=False, server_default=""),
    Column("parameters", JSONB, nullable=False, server_default=text("'{}'")),
    UniqueConstraint("batch_id", "item_id"),
    CheckConstraint("outcome IN ('done', 'skipped', 'failed')", name="outcome"),
    Index("ix_batch_items_pending", "batch_id", "position", postgresql_where=text("outcome IS NULL")),
)
