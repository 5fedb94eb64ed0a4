"""Rules and their clock, runs, rehearsals, extensions, reminders; wider pools, caps, reasons and history.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "pool_0004"
down_revision = "pool_0003"
branch_labels = None
depends_on = None

# id, label_zh, label_en
_REASONS = (
    ("019acb00-0000-7000-8000-000000000001", "无法联系", "Cannot be reached"),
    ("019acb00-0000-7000-8000-000000000002", "没有需求", "No need"),
    ("019acb00-0000-7000-8000-000000000003", "不在负责范围", "Not my territory"),
    ("019acb00-0000-7000-8000-000000000004", "号码无效", "Invalid number"),
    ("019acb00-0000-7000-8000-000000000005", "其他", "Other"),
)


def _uuid(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), nullable=null)


def _uuids(name: str) -> sa.Column[Any]:
    return sa.Column(name, ARRAY(UUID(as_uuid=True)), nullable=False, server_default="{}")


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=null)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _version() -> sa.Column[Any]:
    return sa.Column("version", sa.BigInteger, nullable=False)


def upgrade() -> None:
    _widen_pools()
    _widen_assignments()
    _create_rules()
    _create_runs()
    _widen_leaving()
    _create_caps_and_reasons()


def _widen_pools() -> None:
    for column in (
        _uuids("role_ids"),
        _uuids("admin_ids"),
        sa.Column(
            "hidden_fields",
            ARRAY(sa.Text),
            nullable=False,
            server_default="{contact.mobile,contact.phone,contact.email,contact.qq,profile.email,"
            "profile.non_primary_emails,profile.phone_office,profile.phone_alternate,profile.fax}",
        ),
        sa.Column("daily_reveals", sa.Integer, server_default="0"),
        sa.Column("freeze_days", sa.Integer, nullable=False, server_default="0"),
        sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
        _uuid("cascade_pool_id", null=True),
        _number("cascade_after_days", null=True),
    ):
        op.add_column("pools", column)
    # Pools that there are show nothing; of new ones the release says how much.
    op.alter_column("pools", "daily_reveals", server_default=None)
    op.create_check_constraint("ck_pools_daily_reveals", "pools", "daily_reveals >= 0")
    op.create_check_constraint("ck_pools_freeze_days", "pools", "freeze_days >= 0")
    op.create_check_constraint(
        "ck_pools_cascade", "pools", "num_nonnulls(cascade_pool_id, cascade_after_days) <> 1 AND cascade_after_days > 0"
    )
    for column in (
        sa.Column("cap_counts_won", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("reason_required", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("recycle_at", sa.Time, nullable=False, server_default="00:30"),
        sa.Column("warning_days", sa.Integer, nullable=False, server_default="3"),
        sa.Column("reminder_days", ARRAY(sa.Integer), nullable=False, server_default="{7,3,0}"),
        sa.Column("manager_from_days", sa.Integer, nullable=False, server_default="3"),
        sa.Column("most_extensions", sa.Integer, nullable=False, server_default="1"),
        sa.Column("most_extension_days", sa.Integer, nullable=False, server_default="30"),
    ):
        op.add_column("pool_settings", column)


def _widen_assignments() -> None:
    for fact in (
        _moment("last_touch_at", null=True),
        sa.Column("won", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("open_opportunities", sa.Integer, nullable=False, server_default="0"),
        _moment("last_opportunity_at", null=True),
        _moment("last_deal_at", null=True),
    ):
        op.add_column("customers", fact)
    op.add_column("assignments", sa.Column("had_owner", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("assignments", sa.Column("not_before", sa.Date))
    op.add_column("placement_plans", sa.Column("expires_on", sa.Date))
    op.execute(
        "UPDATE assignments SET had_owner = true WHERE owner_id IS NOT NULL OR EXISTS (SELECT FROM assignment_history h"
        " WHERE h.customer_id = assignments.customer_id AND h.from_owner_id IS NOT NULL)"
    )
    op.create_index(
        "ix_assignments_expires_on",
        "assignments",
        ["expires_on", "customer_id"],
        postgresql_where=sa.text("expires_on IS NOT NULL AND owner_id IS NOT NULL AND NOT suspended"),
    )
    op.create_index(
        "ix_assignments_pool_id_held_since",
        "assignments",
        ["pool_id", "held_since", "customer_id"],
        postgresql_where=sa.text("pool_id IS NOT NULL AND NOT suspended"),
    )
    op.drop_index("ix_assignments_pool_id", "assignments")
    op.add_column("claim_ledger", _moment("first_touch_at", null=True))
    op.create_index("ix_claim_ledger_pool_id_day", "claim_ledger", ["pool_id", "day"])
    for reason in (_uuid("reason_id", null=True), _text("reason_note", null=True), _uuid("rule_id", null=True)):
        op.add_column("assignment_history", reason)
    for column in ("from_owner_id", "to_owner_id", "from_pool_id", "to_pool_id"):
        op.create_index(
            f"ix_assignment_history_{column}_at",
            "assignment_history",
            [column, "at", "customer_id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )


def _create_rules() -> None:
    op.create_table(
        "recycle_rules",
        _uuid("id"),
        _version(),
        _uuid("pool_id"),
        _number("number"),
        _text("state"),
        sa.Column("conditions", JSONB, nullable=False),
        _flag("working_days"),
        _flag("exempt_won"),
        _flag("exempt_open_opportunity"),
        _uuid("target_pool_id", null=True),
        sa.Column("effective_on", sa.Date),
        _uuid("created_by"),
        _moment("created_at"),
        _moment("updated_at"),
        _moment("announced_at", null=True),
        _moment("ended_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_recycle_rules"),
        sa.UniqueConstraint("pool_id", "number", name="uq_recycle_rules_pool_id_number"),
        sa.CheckConstraint(
            "state IN ('draft', 'shadow', 'announced', 'active', 'ended')", name="ck_recycle_rules_state"
        ),
    )
    op.create_index(
        "uq_recycle_rules_active",
        "recycle_rules",
        ["pool_id"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        "uq_recycle_rules_announced",
        "recycle_rules",
        ["pool_id"],
        unique=True,
        postgresql_where=sa.text("state = 'announced'"),
    )
    op.create_table(
        "recomputes",
        _uuid("id"),
        sa.Column("causes", ARRAY(sa.Text), nullable=False),
        sa.Column("rule_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("basis", JSONB, nullable=False),
        _moment("at"),
        _uuid("after_customer_id", null=True),
        _number("examined"),
        _number("changed"),
        _moment("done_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_recomputes"),
    )
    op.create_index("ix_recomputes_open", "recomputes", ["at"], postgresql_where=sa.text("done_at IS NULL"))
    op.create_table(
        "rehearsals",
        _uuid("id"),
        _uuid("rule_id"),
        sa.Column("rule_version", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        _flag("announces"),
        _flag("stopped"),
        _uuid("actor_id"),
        _moment("at"),
        _uuid("after_customer_id", null=True),
        _number("examined"),
        _moment("done_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_rehearsals"),
    )
    op.create_index("ix_rehearsals_open", "rehearsals", ["at"], postgresql_where=sa.text("done_at IS NULL"))
    op.create_index("ix_rehearsals_rule_id", "rehearsals", ["rule_id", "at"])
    op.create_table(
        "rehearsed_customers",
        _uuid("rehearsal_id"),
        _uuid("customer_id"),
        _uuid("owner_id"),
        _uuid("department_id", null=True),
        _text("level"),
        sa.Column("expires_on", sa.Date, nullable=False),
        _flag("warned"),
        sa.PrimaryKeyConstraint("rehearsal_id", "customer_id", name="pk_rehearsed_customers"),
    )
    op.create_table(
        "rehearsed_owners",
        _uuid("rehearsal_id"),
        _uuid("owner_id"),
        _number("earlier"),
        sa.PrimaryKeyConstraint("rehearsal_id", "owner_id", name="pk_rehearsed_owners"),
    )
    op.create_index("ix_rehearsed_customers_expires_on", "rehearsed_customers", ["rehearsal_id", "expires_on"])
    op.create_table(
        "extensions",
        _uuid("id"),
        _version(),
        _uuid("customer_id"),
        _uuid("owner_id"),
        _moment("held_since"),
        _number("days"),
        _text("reason"),
        _text("state"),
        _moment("requested_at"),
        _uuid("decided_by", null=True),
        _moment("decided_at", null=True),
        _text("note", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_extensions"),
        sa.CheckConstraint("days > 0", name="ck_extensions_days"),
        sa.CheckConstraint("state IN ('requested', 'granted', 'refused', 'withdrawn')", name="ck_extensions_state"),
    )
    op.create_index(
        "uq_extensions_requested",
        "extensions",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_index("ix_extensions_customer_id", "extensions", ["customer_id", "owner_id", "held_since"])
    op.create_index("ix_extensions_owner_id", "extensions", ["owner_id", "requested_at"])


def _create_runs() -> None:
    op.create_table(
        "recycling_runs",
        _uuid("id"),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        _text("state"),
        _moment("started_at"),
        _moment("finished_at", null=True),
        sa.Column("reasons", ARRAY(sa.Text), nullable=False, server_default="{}"),
        _uuids("held_owner_ids"),
        _uuid("decided_by", null=True),
        _moment("decided_at", null=True),
        _number("walk"),
        sa.Column("after_expires_on", sa.Date, nullable=True),
        _uuid("after_customer_id", null=True),
        _number("nominated"),
        _number("taken"),
        _number("spared"),
        sa.PrimaryKeyConstraint("id", name="pk_recycling_runs"),
        sa.UniqueConstraint("number", name="uq_recycling_runs_number"),
        sa.UniqueConstraint("day", name="uq_recycling_runs_day"),
        sa.CheckConstraint("state IN ('running', 'held', 'finished', 'dropped')", name="ck_recycling_runs_state"),
    )
    op.create_table(
        "shadow_decisions",
        _uuid("rule_id"),
        sa.Column("day", sa.Date, nullable=False),
        _uuid("customer_id"),
        _uuid("owner_id"),
        sa.Column("expires_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "day", "customer_id", name="pk_shadow_decisions"),
        sa.UniqueConstraint("rule_id", "customer_id", "expires_on", name="uq_shadow_decisions_rule_id"),
    )
    op.create_index("ix_shadow_decisions_day", "shadow_decisions", ["day"])
    op.create_table(
        "shadow_walks",
        sa.Column("day", sa.Date, nullable=False),
        _uuid("after_customer_id", null=True),
        _moment("done_at", null=True),
        sa.PrimaryKeyConstraint("day", name="pk_shadow_walks"),
    )
    op.create_table(
        "expiry_digests",
        _uuid("member_id"),
        sa.Column("day", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("member_id", "day", name="pk_expiry_digests"),
    )


def _widen_leaving() -> None:
    op.add_column("leavers", _uuid("sharing_batch_id", null=True))
    op.create_table(
        "leaver_shares",
        _uuid("batch_id"),
        _uuid("customer_id"),
        _uuid("member_id"),
        sa.PrimaryKeyConstraint("batch_id", "customer_id", name="pk_leaver_shares"),
    )
    op.alter_column("releases", "pool_id", nullable=True)


def _create_caps_and_reasons() -> None:
    op.create_table(
        "holding_caps",
        _uuid("id"),
        _version(),
        _number("cap"),
        _uuid("member_id", null=True),
        _uuid("department_id", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_holding_caps"),
        sa.UniqueConstraint("member_id", name="uq_holding_caps_member_id"),
        sa.UniqueConstraint("department_id", name="uq_holding_caps_department_id"),
        sa.CheckConstraint("num_nonnulls(member_id, department_id) = 1", name="ck_holding_caps_of_one"),
        sa.CheckConstraint("cap >= 0", name="ck_holding_caps_cap"),
    )
    reasons = op.create_table(
        "release_reasons",
        _uuid("id"),
        _version(),
        _text("label_zh"),
        _text("label_en"),
        _flag("active"),
        _number("position"),
        sa.PrimaryKeyConstraint("id", name="pk_release_reasons"),
    )
    op.bulk_insert(
        reasons,
        [
            {"id": id_, "version": 1, "label_zh": zh, "label_en": en, "active": True, "position": place}
            for place, (id_, zh, en) in enumerate(_REASONS, start=1)
        ],
    )


def downgrade() -> None:
    for table in (
        "release_reasons",
        "holding_caps",
        "leaver_shares",
        "expiry_digests",
        "shadow_decisions",
        "shadow_walks",
        "recycling_runs",
        "extensions",
        "rehearsed_owners",
        "rehearsed_customers",
        "rehearsals",
        "recomputes",
        "recycle_rules",
    ):
        op.drop_table(table)
    op.drop_column("leavers", "sharing_batch_id")
    op.execute(
        "UPDATE releases SET pool_id = (SELECT id FROM pools WHERE is_default AND kind = 'to_be_assigned')"
        " WHERE pool_id IS NULL"
    )
    op.alter_column("releases", "pool_id", nullable=False)
    for column in ("from_owner_id", "to_owner_id", "from_pool_id", "to_pool_id"):
        op.drop_index(f"ix_assignment_history_{column}_at", "assignment_history")
    for name in ("reason_id", "reason_note", "rule_id"):
        op.drop_column("assignment_history", name)
    op.drop_index("ix_claim_ledger_pool_id_day", "claim_ledger")
    op.drop_column("claim_ledger", "first_touch_at")
    op.drop_index("ix_assignments_expires_on", "assignments")
    op.drop_index("ix_assignments_pool_id_held_since", "assignments")
    op.create_index(
        "ix_assignments_pool_id",
        "assignments",
        ["pool_id"],
        postgresql_where=sa.text("pool_id IS NOT NULL AND NOT suspended"),
    )
    for name in ("had_owner", "not_before"):
        op.drop_column("assignments", name)
    op.drop_column("placement_plans", "expires_on")
    for name in ("last_touch_at", "won", "open_opportunities", "last_opportunity_at", "last_deal_at"):
        op.drop_column("customers", name)
    for name in (
        "cap_counts_won",
        "reason_required",
        "recycle_at",
        "warning_days",
        "reminder_days",
        "manager_from_days",
        "most_extensions",
        "most_extension_days",
    ):
        op.drop_column("pool_settings", name)
    for name in (
        "role_ids",
        "admin_ids",
        "hidden_fields",
        "daily_reveals",
        "freeze_days",
        "priority",
        "cascade_pool_id",
        "cascade_after_days",
    ):
        op.drop_column("pools", name)
