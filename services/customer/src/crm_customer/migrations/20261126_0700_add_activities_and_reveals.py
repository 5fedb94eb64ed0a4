"""Follow-ups and the touches they are; looks at hidden contacts; more of pools.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "customer_0004"
down_revision = "customer_0003"
branch_labels = None
depends_on = None

# key, label_zh, label_en
_METHODS = (
    ("phone", "电话", "Phone"),
    ("email", "邮件", "E-mail"),
    ("visit", "上门拜访", "On-site visit"),
    ("sms", "短信", "SMS"),
    ("event", "活动", "Event"),
)


def upgrade() -> None:
    _add_methods()
    _create_activities()


def _add_methods() -> None:
    columns = ("key", "label_zh", "label_en")
    options = sa.table("dictionary_options", *map(sa.column, ("dictionary", *columns, "position", "built_in")))
    kept = {"dictionary": "follow_up_method", "built_in": True}
    rows = [kept | dict(zip(columns, row, strict=True)) for row in _METHODS]
    op.bulk_insert(options, [row | {"position": place} for place, row in enumerate(rows)])


def _create_activities() -> None:
    op.create_table(
        "activities",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("customer_id", UUID(as_uuid=True), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("member_id", UUID(as_uuid=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("next_contact_on", sa.Date),
        sa.PrimaryKeyConstraint("id", name="pk_activities"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_activities_customer_id_customers"),
    )
    op.create_index("ix_activities_customer_id_at", "activities", ["customer_id", "at", "id"])
    op.create_index(
        "ix_activities_promised",
        "activities",
        ["customer_id", "next_contact_on"],
        postgresql_where=sa.text("next_contact_on IS NOT NULL"),
    )
    op.add_column("customers", sa.Column("last_touch_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("customers", "last_touch_at")
    op.drop_table("activities")
    op.execute("DELETE FROM dictionary_options WHERE dictionary = 'follow_up_method'")
