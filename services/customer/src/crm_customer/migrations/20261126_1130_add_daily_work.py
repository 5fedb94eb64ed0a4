"""Daily work: tasks, schedules, files, opportunities and orders; more of activities; what is due (decisions 0026 to 0028).

The running release must survive this file: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "customer_0005"
down_revision = "customer_0004"
branch_labels = None
depends_on = None

# dictionary, key, label_zh, label_en
_OPTIONS = (
    ("opportunity_stage", "initial", "初始阶段", "Initial stage"),
    ("opportunity_stage", "won", "结束阶段-已成单", "Closed: won"),
    ("opportunity_stage", "lost", "结束阶段-已丢单", "Closed: lost"),
    ("lost_reason", "price", "价格", "Price"),
    ("lost_reason", "competitor", "选择竞争对手", "Chose a competitor"),
    ("lost_reason", "no_budget", "没有预算", "No budget"),
    ("lost_reason", "no_need", "需求取消", "Need is gone"),
    ("lost_reason", "other", "其他", "Other"),
    ("opportunity_source", "self_found", "自主开发", "Found by ourselves"),
    ("opportunity_source", "referral", "转介绍", "Referral"),
    ("opportunity_source", "advertising", "广告", "Advertising"),
    ("opportunity_source", "other", "其他", "Other"),
    ("opportunity_channel", "direct", "直销", "Direct"),
    ("opportunity_channel", "partner", "代理商", "Partner"),
    ("opportunity_channel", "online", "线上", "Online"),
    ("opportunity_heat", "hot", "热", "Hot"),
    ("opportunity_heat", "warm", "温", "Warm"),
    ("opportunity_heat", "cold", "冷", "Cold"),
)


def upgrade() -> None:
    _add_options()
    _create_settings()
    _create_tasks()
    _create_schedules()
    _create_opportunities()
    _grow_activities()
    _create_files()
    _create_orders()
    _grow_customers()


def _add_options() -> None:
    columns = ("dictionary", "key", "label_zh", "label_en")
    options = sa.table("dictionary_options", *map(sa.column, (*columns, "position", "built_in")))
    rows = [dict(zip(columns, row, strict=True)) for row in _OPTIONS]
    op.bulk_insert(options, [row | {"position": place, "built_in": True} for place, row in enumerate(rows)])


def _create_settings() -> None:
    op.create_table(
        "opportunity_settings",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("restrict_manual_won", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_opportunity_settings"),
    )
    op.create_table(
        "reminder_settings",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("not_contacted_days", sa.SmallInteger(), server_default="7", nullable=False),
        sa.Column("no_progress_days", sa.SmallInteger(), server_default="14", nullable=False),
        sa.Column("birthday_days", sa.SmallInteger(), server_default="7", nullable=False),
        sa.Column("receivable_days", sa.SmallInteger(), server_default="7", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reminder_settings"),
    )
    op.create_table(
        "work_digests",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "member_id", "day", name="pk_work_digests"),
    )
    op.execute("INSERT INTO opportunity_settings (id, updated_at) VALUES (1, now())")
    op.execute("INSERT INTO reminder_settings (id, updated_at) VALUES (1, now())")


def _create_tasks() -> None:
    op.create_table(
        "task_dispatches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("remind_at", sa.DateTime(timezone=True)),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("handler_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_task_dispatches"),
    )
    op.create_index("ix_task_dispatches_created_by", "task_dispatches", ["created_by", "created_at"])
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("progress", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("dispatch_id", sa.Uuid()),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("handler_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("remind_at", sa.DateTime(timezone=True)),
        sa.Column("reminded_at", sa.DateTime(timezone=True)),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("closed_by", sa.Uuid()),
        sa.Column("close_note", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_tasks_customer_id_customers"),
        sa.ForeignKeyConstraint(["dispatch_id"], ["task_dispatches.id"], name="fk_tasks_dispatch_id_task_dispatches"),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_index(
        "ix_tasks_created_by",
        "tasks",
        ["created_by", "status", "due_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_tasks_customer_id", "tasks", ["customer_id", "created_at", "id"])
    op.create_index(
        "ix_tasks_due_at",
        "tasks",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL AND closed_at IS NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_tasks_handler_id",
        "tasks",
        ["handler_id", "status", "due_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_tasks_owner_id",
        "tasks",
        ["owner_id", "status", "due_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_tasks_remind_at",
        "tasks",
        ["remind_at"],
        postgresql_where=sa.text(
            "remind_at IS NOT NULL AND reminded_at IS NULL AND closed_at IS NULL AND deleted_at IS NULL"
        ),
    )
    op.create_index(
        "ix_tasks_status", "tasks", ["status", "due_at", "id"], postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_index("uq_tasks_dispatch", "tasks", ["dispatch_id", "customer_id"], unique=True)


def _create_schedules() -> None:
    op.create_table(
        "schedule_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("all_day", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("place", sa.Text()),
        sa.Column("purpose", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.Column("remind_at", sa.DateTime(timezone=True)),
        sa.Column("reminded_at", sa.DateTime(timezone=True)),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_schedule_entries_customer_id_customers"),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_entries"),
    )
    op.create_index("ix_schedule_entries_customer_id", "schedule_entries", ["customer_id", "starts_at", "id"])
    op.create_index(
        "ix_schedule_entries_member_id",
        "schedule_entries",
        ["member_id", "starts_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_schedule_entries_remind_at",
        "schedule_entries",
        ["remind_at"],
        postgresql_where=sa.text("remind_at IS NOT NULL AND reminded_at IS NULL AND deleted_at IS NULL"),
    )
    op.create_table(
        "calendar_feeds",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("member_id", name="pk_calendar_feeds"),
        sa.UniqueConstraint("ticket_hash", name="uq_calendar_feeds_ticket_hash"),
    )


def _create_opportunities() -> None:
    op.create_table(
        "opportunities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("grams", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2)),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("stage_before", sa.Text()),
        sa.Column("won_by_orders", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("amount_before", sa.Numeric(precision=14, scale=2)),
        sa.Column("expected_on", sa.Date()),
        sa.Column("source", sa.Text()),
        sa.Column("channel", sa.Text()),
        sa.Column("heat", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("lost_reason", sa.Text()),
        sa.Column("close_note", sa.Text()),
        sa.Column("progress_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name="fk_opportunities_contact_id_contacts"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_opportunities_customer_id_customers"),
        sa.PrimaryKeyConstraint("id", name="pk_opportunities"),
    )
    op.create_index(
        "ix_opportunities_closed_at",
        "opportunities",
        ["closed_at", "id"],
        postgresql_where=sa.text("closed_at IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_opportunities_expected_on",
        "opportunities",
        ["expected_on", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_opportunities_amount",
        "opportunities",
        [sa.text("amount DESC NULLS LAST"), sa.text("id DESC")],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_opportunities_grams", "opportunities", ["grams"], postgresql_using="gin")
    op.create_index("ix_opportunities_contact_id", "opportunities", ["contact_id"])
    op.create_index(
        "ix_opportunities_created_at",
        "opportunities",
        ["created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_opportunities_customer_id", "opportunities", ["customer_id", "created_at", "id"])
    op.create_index(
        "ix_opportunities_owner_id",
        "opportunities",
        ["owner_id", "created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_opportunities_progress_at",
        "opportunities",
        ["progress_at", "id"],
        postgresql_where=sa.text("closed_at IS NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_opportunities_stage",
        "opportunities",
        ["stage", "created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("uq_opportunities_number", "opportunities", ["number"], unique=True)


def _grow_activities() -> None:
    op.add_column("activities", sa.Column("version", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("activities", sa.Column("title", sa.Text()))
    op.add_column("activities", sa.Column("contact_id", sa.Uuid()))
    op.add_column("activities", sa.Column("opportunity_id", sa.Uuid()))
    op.add_column("activities", sa.Column("about_id", sa.Uuid()))
    op.add_column(
        "activities",
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("activities", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.alter_column("activities", "method", existing_type=sa.TEXT(), nullable=True)
    op.create_index("ix_activities_about_id", "activities", ["about_id"])
    op.create_index("ix_activities_at", "activities", ["at", "id"], postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_index("ix_activities_contact_id", "activities", ["contact_id"])
    op.create_index(
        "ix_activities_member_id_at",
        "activities",
        ["member_id", "at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_activities_next_contact_on",
        "activities",
        ["next_contact_on", "member_id"],
        postgresql_where=sa.text("next_contact_on IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index("ix_activities_opportunity_id", "activities", ["opportunity_id", "at"])
    op.create_foreign_key("fk_activities_contact_id_contacts", "activities", "contacts", ["contact_id"], ["id"])
    op.create_foreign_key(
        "fk_activities_opportunity_id_opportunities", "activities", "opportunities", ["opportunity_id"], ["id"]
    )
    op.create_foreign_key("fk_activities_about_id_activities", "activities", "activities", ["about_id"], ["id"])


def _create_files() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("activity_id", sa.Uuid()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("has_preview", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("purged_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["activity_id"], ["activities.id"], name="fk_attachments_activity_id_activities"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_attachments_customer_id_customers"),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
    )
    op.create_index("ix_attachments_activity_id", "attachments", ["activity_id"])
    op.create_index("ix_attachments_customer_id", "attachments", ["customer_id", "created_at", "id"])
    op.create_index(
        "ix_attachments_deleted",
        "attachments",
        ["deleted_at"],
        postgresql_where=sa.text("deleted_at IS NOT NULL AND purged_at IS NULL"),
    )
    op.create_index(
        "ix_attachments_unstored", "attachments", ["created_at"], postgresql_where=sa.text("stored_at IS NULL")
    )


def _create_orders() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text()),
        sa.Column("price", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
    )
    op.create_index("ix_products_name", "products", ["name", "id"], postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_index(
        "uq_products_code", "products", ["code"], unique=True, postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.Uuid()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("deal_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("amount_agreed", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("remark", sa.Text()),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("cancel_note", sa.Text()),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_orders_customer_id_customers"),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunities.id"], name="fk_orders_opportunity_id_opportunities"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
    )
    op.create_index(
        "ix_orders_created_at", "orders", ["created_at", "id"], postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_index("ix_orders_customer_id", "orders", ["customer_id", "deal_on", "id"])
    op.create_index("ix_orders_deal_on", "orders", ["deal_on", "id"], postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_index(
        "ix_orders_deleted_at", "orders", ["deleted_at", "id"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    op.create_index(
        "ix_orders_member_id", "orders", ["member_id", "deal_on", "id"], postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_index("ix_orders_opportunity_id", "orders", ["opportunity_id"])
    op.create_index(
        "ix_orders_owner_id", "orders", ["owner_id", "created_at", "id"], postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_index(
        "ix_orders_owner_id_deal_on",
        "orders",
        ["owner_id", "deal_on", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_orders_status", "orders", ["status", "created_at", "id"], postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_index("uq_orders_number", "orders", ["number"], unique=True)
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("product_id", sa.Uuid()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text()),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("price", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_lines_order_id_orders"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_order_lines_product_id_products"),
        sa.PrimaryKeyConstraint("order_id", "position", name="pk_order_lines"),
    )
    op.create_index("ix_order_lines_product_id", "order_lines", ["product_id"])
    op.create_table(
        "receivables",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("outstanding", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_receivables_order_id_orders"),
        sa.PrimaryKeyConstraint("id", name="pk_receivables"),
    )
    op.create_index(
        "ix_receivables_due_on", "receivables", ["due_on", "id"], postgresql_where=sa.text("outstanding > 0")
    )
    op.create_index("ix_receivables_order_id", "receivables", ["order_id", "due_on"])
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_payments_order_id_orders"),
        sa.PrimaryKeyConstraint("id", name="pk_payments"),
    )
    op.create_index("ix_payments_order_id", "payments", ["order_id", "paid_on"])


def _grow_customers() -> None:
    op.add_column("customers", sa.Column("won", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "customers", sa.Column("open_opportunities", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("customers", sa.Column("last_opportunity_at", sa.DateTime(timezone=True)))
    op.add_column("customers", sa.Column("last_deal_at", sa.DateTime(timezone=True)))
    for place in ((), ("pool_id",)):
        for moment in ("created_at", "updated_at"):
            op.create_index(
                "_".join(("ix_customers_won", *place, moment)),
                "customers",
                [*place, moment, "id"],
                postgresql_where=sa.text("won AND deleted_at IS NULL"),
            )


def downgrade() -> None:
    for place in ((), ("pool_id",)):
        for moment in ("created_at", "updated_at"):
            op.drop_index("_".join(("ix_customers_won", *place, moment)), "customers")
    for name in ("won", "open_opportunities", "last_opportunity_at", "last_deal_at"):
        op.drop_column("customers", name)
    for name in ("payments", "receivables", "order_lines", "orders", "products", "attachments"):
        op.drop_table(name)
    op.execute("DELETE FROM activities WHERE method IS NULL")
    op.alter_column("activities", "method", nullable=False)
    op.drop_index("ix_activities_member_id_at", "activities")
    op.drop_index("ix_activities_next_contact_on", "activities")
    for name in ("version", "title", "contact_id", "opportunity_id", "about_id", "updated_at", "deleted_at"):
        op.drop_column("activities", name)
    for name in ("opportunities", "calendar_feeds", "schedule_entries", "tasks", "task_dispatches"):
        op.drop_table(name)
    for name in ("work_digests", "reminder_settings", "opportunity_settings"):
        op.drop_table(name)
    op.execute(
        "DELETE FROM dictionary_options WHERE dictionary IN ('opportunity_stage', 'lost_reason', 'opportunity_source',"
        " 'opportunity_channel', 'opportunity_heat')"
    )
