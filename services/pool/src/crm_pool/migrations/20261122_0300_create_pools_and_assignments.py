"""Create pools, assignments and what is kept about them.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "pool_0001"
down_revision = None
branch_labels = ("pool",)
depends_on = None


def _uuid(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def upgrade() -> None:
    _create_pools()
    op.create_table(
        "customers",
        _uuid("id"),
        sa.Column("facts_version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        _uuid("created_by", null=True),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
    )
    _create_assignments()
    _create_placement_plans()


def _create_pools() -> None:
    op.create_table(
        "pools",
        _uuid("id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("open_to_all", sa.Boolean, nullable=False),
        sa.Column("member_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("department_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("daily_claim_quota", sa.Integer),
        sa.Column("cool_down_days", sa.Integer, nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
        _moment("deleted_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_pools"),
        sa.CheckConstraint("kind IN ('public', 'prospect', 'to_be_assigned')", name="ck_pools_kind"),
        sa.CheckConstraint("daily_claim_quota > 0", name="ck_pools_daily_claim_quota"),
        sa.CheckConstraint("cool_down_days >= 0", name="ck_pools_cool_down_days"),
    )
    op.create_index(
        "uq_pools_name", "pools", [sa.text("lower(name)")], unique=True, postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_index("uq_pools_default", "pools", ["kind"], unique=True, postgresql_where=sa.text("is_default"))
    op.create_table(
        "pool_settings",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("holding_cap", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_pool_settings"),
        sa.CheckConstraint("id = 1", name="ck_pool_settings_one_row"),
        sa.CheckConstraint("holding_cap > 0", name="ck_pool_settings_holding_cap"),
    )
    op.execute("INSERT INTO pool_settings (id, version) VALUES (1, 1)")


def _create_assignments() -> None:
    op.create_table(
        "assignments",
        _uuid("customer_id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _uuid("owner_id", null=True),
        _uuid("pool_id", null=True),
        _moment("held_since"),
        sa.Column("expires_on", sa.Date),
        sa.Column("suspended", sa.Boolean, nullable=False),
        _uuid("home_pool_id", null=True),
        sa.PrimaryKeyConstraint("customer_id", name="pk_assignments"),
        sa.CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="ck_assignments_place"),
    )
    for column in ("owner_id", "pool_id"):
        op.create_index(
            f"ix_assignments_{column}",
            "assignments",
            [column],
            postgresql_where=sa.text(f"{column} IS NOT NULL AND NOT suspended"),
        )
    op.create_table(
        "assignment_history",
        _uuid("customer_id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _moment("at"),
        _uuid("actor_id", null=True),
        sa.Column("cause", sa.Text, nullable=False),
        _uuid("from_owner_id", null=True),
        _uuid("from_pool_id", null=True),
        _uuid("to_owner_id", null=True),
        _uuid("to_pool_id", null=True),
        _uuid("batch_id", null=True),
        sa.PrimaryKeyConstraint("customer_id", "version", name="pk_assignment_history"),
    )
    op.create_table(
        "claim_ledger",
        _uuid("customer_id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        _uuid("member_id"),
        _uuid("pool_id"),
        sa.Column("day", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "version", name="pk_claim_ledger"),
    )
    op.create_index("ix_claim_ledger_member_id_day", "claim_ledger", ["member_id", "day"])


def _create_placement_plans() -> None:
    op.create_table(
        "placement_plans",
        _uuid("placement_id"),
        _uuid("customer_id"),
        sa.Column("name", sa.Text, nullable=False),
        _uuid("owner_id", null=True),
        _uuid("pool_id", null=True),
        _moment("planned_at"),
        _moment("committed_at", null=True),
        sa.PrimaryKeyConstraint("placement_id", "customer_id", name="pk_placement_plans"),
        sa.CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="ck_placement_plans_place"),
    )
    op.create_index(
        "ix_placement_plans_open", "placement_plans", ["owner_id"], postgresql_where=sa.text("committed_at IS NULL")
    )
    for column in ("customer_id", "planned_at"):
        op.create_index(f"ix_placement_plans_{column}", "placement_plans", [column])


def downgrade() -> None:
    for table in (
        "placement_plans",
        "claim_ledger",
        "assignment_history",
        "assignments",
        "customers",
        "pool_settings",
        "pools",
    ):
        op.drop_table(table)
