"""Add preferences, announcements, messages, mailings, suppressions and robots; deliveries of any channel and state.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "notify_0002"
down_revision = "notify_0001"
branch_labels = None
depends_on = None

_ID = postgresql.UUID(as_uuid=True)
_TIME = sa.DateTime(timezone=True)
_NOW = sa.func.now()


def upgrade() -> None:
    _notifications()
    _preferences()
    _announcements()
    _messages()
    _mailings()
    _deliveries()
    _channels()


def _notifications() -> None:
    op.add_column("notifications", sa.Column("occurred_at", _TIME, nullable=False, server_default=_NOW))
    op.add_column("notifications", sa.Column("snoozed_until", _TIME))
    op.add_column("notifications", sa.Column("dismissed_at", _TIME))
    op.execute("UPDATE notifications SET occurred_at = created_at")
    in_order = ["member_id", "occurred_at", "id"]
    shown = "in_app AND dismissed_at IS NULL AND snoozed_until IS NULL"
    op.create_index("ix_notifications_inbox", "notifications", in_order, postgresql_where=sa.text(shown))
    op.drop_index("ix_notifications_unread", "notifications")
    unread = sa.text(f"{shown} AND read_at IS NULL")
    op.create_index("ix_notifications_unread", "notifications", in_order, postgresql_where=unread)
    aside = sa.text("in_app AND (dismissed_at IS NOT NULL OR snoozed_until IS NOT NULL)")
    op.create_index("ix_notifications_aside", "notifications", in_order, postgresql_where=aside)
    op.create_index("ix_notifications_kind", "notifications", ["member_id", "kind", "occurred_at", "id"])
    snoozed = sa.text("snoozed_until IS NOT NULL")
    op.create_index("ix_notifications_snoozed", "notifications", ["snoozed_until"], postgresql_where=snoozed)
    op.drop_index("ix_notifications_shown", "notifications")


def _preferences() -> None:
    op.create_table(
        "preference_defaults",
        sa.Column("id", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("matrix", postgresql.JSONB, nullable=False),
        sa.Column("locked", postgresql.JSONB, nullable=False),
        sa.Column("quiet_from", sa.Time),
        sa.Column("quiet_until", sa.Time),
        sa.Column("digest_at", sa.Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_preference_defaults"),
        sa.CheckConstraint("id = 1", name="ck_preference_defaults_one"),
    )
    op.create_table(
        "preferences",
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("matrix", postgresql.JSONB, nullable=False),
        sa.Column("quiet_from", sa.Time),
        sa.Column("quiet_until", sa.Time),
        sa.Column("digest_at", sa.Time),
        sa.PrimaryKeyConstraint("member_id", name="pk_preferences"),
    )


def _announcements() -> None:
    op.create_table(
        "announcements",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("audience", postgresql.JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("told_to", _ID),
        sa.Column("receivers", sa.Integer, nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("withdrawn_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_announcements"),
        sa.CheckConstraint(
            "status IN ('telling', 'told', 'withdrawing', 'withdrawn')", name="ck_announcements_status_known"
        ),
    )
    under_way = sa.text("status IN ('telling', 'withdrawing')")
    op.create_index("ix_announcements_under_way", "announcements", ["id"], postgresql_where=under_way)


def _messages() -> None:
    op.create_table(
        "member_messages",
        sa.Column("id", _ID, nullable=False),
        sa.Column("thread_id", _ID, nullable=False),
        sa.Column("sender_id", _ID, nullable=False),
        sa.Column("receiver_ids", postgresql.ARRAY(_ID), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("customer_id", _ID),
        sa.Column("customer_name", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("withdrawn_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_member_messages"),
    )
    op.create_index("ix_member_messages_thread_id_id", "member_messages", ["thread_id", "id"])
    op.create_index("ix_member_messages_sender_id_id", "member_messages", ["sender_id", "id"])
    op.create_index("ix_member_messages_receiver_ids", "member_messages", ["receiver_ids"], postgresql_using="gin")


def _mailings() -> None:
    op.create_table(
        "message_templates",
        sa.Column("id", _ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("updated_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("deleted_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_message_templates"),
    )
    kept = sa.text("deleted_at IS NULL")
    op.create_index("uq_message_templates_name", "message_templates", ["name"], unique=True, postgresql_where=kept)
    op.create_table(
        "mailings",
        sa.Column("id", _ID, nullable=False),
        sa.Column("actor_id", _ID, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("template_id", _ID),
        sa.Column("selection", sa.LargeBinary, nullable=False),
        sa.Column("scope", postgresql.JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("finished_at", _TIME),
        sa.Column("forgotten_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_mailings"),
        sa.CheckConstraint(
            "status IN ('collecting', 'sending', 'finished', 'cancelled', 'failed')", name="ck_mailings_status_known"
        ),
    )
    open_ = sa.text("status IN ('collecting', 'sending')")
    op.create_index("ix_mailings_open", "mailings", ["id"], postgresql_where=open_)
    op.create_index("ix_mailings_actor_id_id", "mailings", ["actor_id", "id"])
    unforgotten = sa.text("forgotten_at IS NULL")
    op.create_index("ix_mailings_unforgotten", "mailings", ["finished_at"], postgresql_where=unforgotten)
    op.create_table(
        "mailing_recipients",
        sa.Column("id", _ID, nullable=False),
        sa.Column("mailing_id", _ID, nullable=False),
        sa.Column("customer_id", _ID, nullable=False),
        sa.Column("customer_name", sa.Text, nullable=False),
        sa.Column("contact_name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("owner_id", _ID),
        sa.Column("skip_code", sa.Text),
        sa.Column("unsubscribe_token", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_mailing_recipients"),
        sa.ForeignKeyConstraint(
            ["mailing_id"], ["mailings.id"], name="fk_mailing_recipients_mailing_id_mailings", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("mailing_id", "customer_id", name="uq_mailing_recipients_mailing_id_customer_id"),
        sa.UniqueConstraint("unsubscribe_token", name="uq_mailing_recipients_unsubscribe_token"),
    )
    sent = sa.text("skip_code IS NULL AND address <> ''")
    op.create_index(
        "uq_mailing_recipients_address",
        "mailing_recipients",
        ["mailing_id", "address"],
        unique=True,
        postgresql_where=sent,
    )
    op.create_table(
        "mailing_attachments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("mailing_id", _ID),
        sa.Column("actor_id", _ID, nullable=False),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("object_key", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("id", name="pk_mailing_attachments"),
        sa.ForeignKeyConstraint(
            ["mailing_id"], ["mailings.id"], name="fk_mailing_attachments_mailing_id_mailings", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_mailing_attachments_mailing_id", "mailing_attachments", ["mailing_id"])
    unused = sa.text("mailing_id IS NULL")
    op.create_index("ix_mailing_attachments_unused", "mailing_attachments", ["created_at"], postgresql_where=unused)


def _deliveries() -> None:
    op.add_column("deliveries", sa.Column("recipient_id", _ID))
    op.add_column("deliveries", sa.Column("digest_id", _ID))
    op.alter_column("deliveries", "notification_id", nullable=True)
    op.alter_column("deliveries", "member_id", nullable=True)
    op.create_foreign_key(
        "fk_deliveries_recipient_id_mailing_recipients",
        "deliveries",
        "mailing_recipients",
        ["recipient_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_unique_constraint("uq_deliveries_recipient_id", "deliveries", ["recipient_id"])
    op.create_check_constraint("ck_deliveries_of_one", "deliveries", "num_nonnulls(notification_id, recipient_id) = 1")
    op.drop_constraint("ck_deliveries_status_known", "deliveries", type_="check")
    op.create_check_constraint(
        "ck_deliveries_status_known",
        "deliveries",
        "status IN ('queued', 'sending', 'sent', 'uncertain', 'bounced', 'suppressed', 'failed', 'dead')",
    )
    op.drop_index("ix_deliveries_due", "deliveries")
    for name, what, last in (
        ("notices", "recipient_id IS NULL AND digest_id IS NULL", "id"),
        ("digests", "digest_id IS NOT NULL", "digest_id"),
        ("mailings", "recipient_id IS NOT NULL AND digest_id IS NULL", "id"),
    ):
        op.create_index(
            f"ix_deliveries_due_{name}",
            "deliveries",
            ["channel", "next_attempt_at", last],
            postgresql_where=sa.text(f"status = 'queued' AND {what}"),
        )


def _channels() -> None:
    op.create_table(
        "mail_servers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("next_mail_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("paused_until", _TIME),
        sa.Column("pauses", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("name", name="pk_mail_servers"),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_by", _ID),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
        sa.UniqueConstraint("channel", "address", "reason", name="uq_suppressions_channel_address_reason"),
        sa.CheckConstraint("reason IN ('bounced', 'unsubscribed', 'manual')", name="ck_suppressions_reason_known"),
    )
    op.create_table(
        "robots",
        sa.Column("id", _ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("vendor", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("webhook", sa.LargeBinary, nullable=False),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("department_id", _ID),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("id", name="pk_robots"),
        sa.CheckConstraint("vendor IN ('wecom', 'dingtalk', 'feishu')", name="ck_robots_vendor_known"),
    )
    op.create_index("ix_robots_department_id", "robots", ["department_id"])


def downgrade() -> None:
    op.execute("DELETE FROM deliveries WHERE notification_id IS NULL OR member_id IS NULL")
    op.execute("UPDATE deliveries SET status = 'dead' WHERE status IN ('uncertain', 'bounced', 'suppressed')")
    op.drop_table("robots")
    op.drop_table("suppressions")
    op.drop_table("mail_servers")
    op.drop_constraint("ck_deliveries_status_known", "deliveries", type_="check")
    op.create_check_constraint(
        "ck_deliveries_status_known", "deliveries", "status IN ('queued', 'sending', 'sent', 'failed', 'dead')"
    )
    op.drop_constraint("ck_deliveries_of_one", "deliveries", type_="check")
    op.drop_index("ix_deliveries_due_notices", "deliveries")
    op.drop_column("deliveries", "recipient_id")
    op.drop_column("deliveries", "digest_id")
    op.alter_column("deliveries", "notification_id", nullable=False)
    op.alter_column("deliveries", "member_id", nullable=False)
    due = sa.text("status IN ('queued', 'sending')")
    op.create_index("ix_deliveries_due", "deliveries", ["next_attempt_at", "id"], postgresql_where=due)
    for table in ("mailing_attachments", "mailing_recipients", "mailings", "message_templates"):
        op.drop_table(table)
    for table in ("member_messages", "announcements", "preferences", "preference_defaults"):
        op.drop_table(table)
    shown = sa.text("in_app")
    op.create_index("ix_notifications_shown", "notifications", ["member_id", "id"], postgresql_where=shown)
    for index in ("inbox", "unread", "aside", "kind", "snoozed"):
        op.drop_index(f"ix_notifications_{index}", "notifications")
    unread = sa.text("in_app AND read_at IS NULL")
    op.create_index("ix_notifications_unread", "notifications", ["member_id", "id"], postgresql_where=unread)
    for column in ("occurred_at", "snoozed_until", "dismissed_at"):
        op.drop_column("notifications", column)
