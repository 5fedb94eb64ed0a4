"""Create batches and their items.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "batch_0001"
down_revision = None
branch_labels = ("batch",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor_id", UUID(as_uuid=True), nullable=False),
        sa.Column("parameters", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.CheckConstraint("status IN ('running', 'cancelling', 'finished', 'cancelled')", name="ck_batches_status"),
    )
    op.create_index("ix_batches_open", "batches", ["id"], postgresql_where=sa.text("finished_at IS NULL"))
    op.create_index(
        "ix_batches_finished_at", "batches", ["finished_at"], postgresql_where=sa.text("finished_at IS NOT NULL")
    )
    op.create_table(
        "batch_items",
        sa.Column("batch_id", UUID(as_uuid=True), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("item_id", UUID(as_uuid=True), nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("code", sa.Text, nullable=False, server_default=""),
        sa.Column("parameters", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.PrimaryKeyConstraint("batch_id", "position", name="pk_batch_items"),
        sa.UniqueConstraint("batch_id", "item_id", name="uq_batch_items_batch_id_item_id"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_batch_items_batch_id_batches", ondelete="CASCADE"
        ),
        sa.CheckConstraint("outcome IN ('done', 'skipped', 'failed')", name="ck_batch_items_outcome"),
    )
    op.create_index(
        "ix_batch_items_pending", "batch_items", ["batch_id", "position"], postgresql_where=sa.text("outcome IS NULL")
    )


def downgrade() -> None:
    op.drop_table("batch_items")
    op.drop_table("batches")
