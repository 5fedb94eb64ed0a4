"""Create notifications and deliveries.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notify_0001"
down_revision = None
branch_labels = ("notify",)
depends_on = None

_ID = postgresql.UUID(as_uuid=True)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_type", sa.Text),
        sa.Column("subject_id", _ID),
        sa.Column("parameters", postgresql.JSONB, nullable=False),
        sa.Column("batch_id", _ID),
        sa.Column("source_event_id", _ID, nullable=False),
        sa.Column("in_app", sa.Boolean, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("read_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint(
            "source_event_id", "member_id", "kind", name="uq_notifications_source_event_id_member_id_kind"
        ),
    )
    shown = sa.text("in_app")
    op.create_index("ix_notifications_shown", "notifications", ["member_id", "id"], postgresql_where=shown)
    unread = sa.text("in_app AND read_at IS NULL")
    op.create_index("ix_notifications_unread", "notifications", ["member_id", "id"], postgresql_where=unread)
    op.create_index("ix_notifications_created_at", "notifications", ["created_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", _ID, nullable=False),
        sa.Column("notification_id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("last_error_code", sa.Text),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("sent_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_deliveries_notification_id_notifications",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'sending', 'sent', 'failed', 'dead')", name="ck_deliveries_status_known"
        ),
    )
    due = sa.text("status IN ('queued', 'sending')")
    op.create_index("ix_deliveries_due", "deliveries", ["next_attempt_at", "id"], postgresql_where=due)
    op.create_index("ix_deliveries_member_id_id", "deliveries", ["member_id", "id"])
    op.create_index("ix_deliveries_status_id", "deliveries", ["status", "id"])
    op.create_index("ix_deliveries_notification_id", "deliveries", ["notification_id"])


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("notifications")
