"""Follow-ups and the touches they are; looks at hidden contacts; more of pools.

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

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
# What pools hide that know nothing of hiding yet: what was hidden before.
_HIDDEN = (
    "contact.mobile",
    "contact.phone",
    "contact.email",
    "contact.qq",
    "profile.email",
    "profile.non_primary_emails",
    "profile.phone_office",
    "profile.phone_alternate",
    "profile.fax",
)


def upgrade() -> None:
    _add_methods()
    _create_activities()
    _grow_pools()
    _mark_recycled()
    _create_reveals()


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


def _grow_pools() -> None:
    for name in ("role_ids", "admin_ids"):
        op.add_column("pools", sa.Column(name, ARRAY(UUID(as_uuid=True)), nullable=False, server_default="{}"))
    default = "{" + ",".join(_HIDDEN) + "}"
    op.add_column("pools", sa.Column("hidden_fields", ARRAY(sa.Text), nullable=False, server_default=default))
    op.add_column("pools", sa.Column("daily_reveals", sa.Integer, server_default="0"))


def _mark_recycled() -> None:
    """Of customers that lie in pools already, pool says so when the projection of assignments is rebuilt."""
    op.add_column("customers", sa.Column("recycled", sa.Boolean, nullable=False, server_default=sa.false()))
    for moment in ("created_at", "updated_at"):
        where = sa.text("recycled AND deleted_at IS NULL")
        name = f"ix_customers_recycled_{moment}"
        op.create_index(name, "customers", ["pool_id", moment, "id"], postgresql_where=where)


def _create_reveals() -> None:
    op.create_table(
        "reveals",
        sa.Column("member_id", UUID(as_uuid=True), nullable=False),
        sa.Column("pool_id", UUID(as_uuid=True), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("contact_id", UUID(as_uuid=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("surged", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("member_id", "pool_id", "day", "contact_id", name="pk_reveals"),
    )
    op.create_index("ix_reveals_member_id_at", "reveals", ["member_id", "pool_id", "at"])
    op.create_index("ix_reveals_at", "reveals", ["at"])


def downgrade() -> None:
    op.drop_table("reveals")
    for moment in ("created_at", "updated_at"):
        op.drop_index(f"ix_customers_recycled_{moment}", "customers")
    op.drop_column("customers", "recycled")
    for name in ("role_ids", "admin_ids", "hidden_fields", "daily_reveals"):
        op.drop_column("pools", name)
    op.drop_column("customers", "last_touch_at")
    op.drop_table("activities")
    op.execute("DELETE FROM dictionary_options WHERE dictionary = 'follow_up_method'")
