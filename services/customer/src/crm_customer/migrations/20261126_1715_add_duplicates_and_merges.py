"""Duplicates, collisions and merges (decisions 0032 and 0033).

The running release must survive this file: add first, remove in a later release. It changes names without their cores;
until it is gone, a trigger lets due work fill these in again, unless who renames says the core, which is the same.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "customer_0007"
down_revision = "customer_0006"
branch_labels = None
depends_on = None

_DIGITS = "regexp_replace({}, '[^0-9]', '', 'g')"
_DOMAIN = "lower(split_part(email, '@', 2))"
_OPEN = sa.text("status = 'open'")


def upgrade() -> None:
    _extend_customers()
    _create_checks()
    _create_scans()
    _create_groups()
    _create_collisions()
    _create_merges()


def downgrade() -> None:
    for table in (
        "merged_records",
        "merge_losers",
        "merges",
        "collisions",
        "distinct_pairs",
        "duplicate_group_members",
        "duplicate_groups",
        "duplicate_pairs",
        "duplicate_scan_keys",
        "duplicate_scans",
        "duplicate_settings",
        "duplicate_checks",
        "customer_aliases",
    ):
        op.drop_table(table)
    for name in ("forget_core", "keep_core"):
        op.execute(f"DROP TRIGGER {name} ON customer_search; DROP FUNCTION {name}")
    op.drop_index("ix_customer_profiles_phone_office", "customer_profiles")
    op.drop_index("ix_customer_profiles_domain", "customer_profiles")
    op.drop_index("ix_contacts_domain", "contacts")
    for table, columns in {
        "customer_profiles": ("credit_code", "aliases"),
        "customer_search": ("branch", "region", "core"),
        "customers": ("merged_into",),
    }.items():
        for column in columns:
            op.drop_column(table, column)


def _extend_customers() -> None:
    op.add_column("customers", sa.Column("merged_into", sa.Uuid()))
    op.create_index(
        "ix_customers_merged_into", "customers", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL")
    )
    op.add_column("customer_search", sa.Column("core", sa.Text(collation="C")))
    op.add_column("customer_search", sa.Column("region", sa.Text()))
    op.add_column("customer_search", sa.Column("branch", sa.Text()))
    op.create_index("ix_customer_search_core", "customer_search", ["core"])
    op.create_index(
        "ix_customer_search_coreless", "customer_search", ["customer_id"], postgresql_where=sa.text("core IS NULL")
    )
    op.execute("""
        CREATE FUNCTION forget_core() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.core := NULL;
            RETURN NEW;
        END $$;
        CREATE TRIGGER forget_core BEFORE UPDATE ON customer_search
        FOR EACH ROW WHEN (NEW.name <> OLD.name AND NEW.core = OLD.core AND NEW.region = OLD.region
            AND NEW.branch = OLD.branch)
        EXECUTE FUNCTION forget_core();
        CREATE FUNCTION keep_core() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.core := OLD.core;
            RETURN NEW;
        END $$;
        CREATE TRIGGER keep_core BEFORE UPDATE OF core ON customer_search
        FOR EACH ROW WHEN (NEW.core IS NULL AND NEW.name <> OLD.name) EXECUTE FUNCTION keep_core();
    """)
    op.add_column("customer_profiles", sa.Column("aliases", sa.ARRAY(sa.Text())))
    op.add_column("customer_profiles", sa.Column("credit_code", sa.Text()))
    op.create_index(
        "ix_customer_profiles_credit_code",
        "customer_profiles",
        ["credit_code"],
        postgresql_where=sa.text("credit_code IS NOT NULL"),
    )
    op.create_index("ix_customer_profiles_domain", "customer_profiles", [sa.text(_DOMAIN)])
    op.create_index("ix_customer_profiles_phone_office", "customer_profiles", [sa.text(_DIGITS.format("phone_office"))])
    op.create_index("ix_contacts_domain", "contacts", [sa.text(_DOMAIN)])
    op.create_table(
        "customer_aliases",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("core", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "name", name="pk_customer_aliases"),
    )
    op.create_index("ix_customer_aliases_core", "customer_aliases", ["core"])
    op.create_index("ix_customer_aliases_name", "customer_aliases", ["name"])


def _create_checks() -> None:
    op.create_table(
        "duplicate_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("credit_code", sa.Text()),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate_checks"),
    )
    op.create_index("uq_duplicate_checks_question", "duplicate_checks", ["member_id", "day", "question"], unique=True)
    op.create_index("ix_duplicate_checks_asked_at", "duplicate_checks", ["asked_at", "id"])
    op.create_index("ix_duplicate_checks_member_id", "duplicate_checks", ["member_id", "asked_at", "id"])
    op.create_table(
        "duplicate_settings",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("unique_fields", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("checks_per_day", sa.Integer(), server_default="200", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate_settings"),
    )
    op.execute("INSERT INTO duplicate_settings (id, updated_at) VALUES (1, now())")


def _create_scans() -> None:
    op.create_table(
        "duplicate_scans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("customers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pairs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("groups", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate_scans"),
    )
    op.create_index("ix_duplicate_scans_started_at", "duplicate_scans", ["started_at", "id"])
    op.create_table(
        "duplicate_scan_keys",
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["duplicate_scans.id"], name="fk_duplicate_scan_keys_scan_id_duplicate_scans"
        ),
        sa.PrimaryKeyConstraint("scan_id", "key", "customer_id", name="pk_duplicate_scan_keys"),
    )
    op.create_table(
        "duplicate_pairs",
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["duplicate_scans.id"], name="fk_duplicate_pairs_scan_id_duplicate_scans"),
        sa.PrimaryKeyConstraint("scan_id", "first_id", "second_id", name="pk_duplicate_pairs"),
    )


def _create_groups() -> None:
    op.create_table(
        "duplicate_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["duplicate_scans.id"], name="fk_duplicate_groups_scan_id_duplicate_scans"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate_groups"),
    )
    op.create_index("ix_duplicate_groups_open", "duplicate_groups", ["score", "id"], postgresql_where=_OPEN)
    op.create_index("ix_duplicate_groups_scan_id", "duplicate_groups", ["scan_id", "score", "id"])
    op.create_table(
        "duplicate_group_members",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["duplicate_groups.id"], name="fk_duplicate_group_members_group_id_duplicate_groups"
        ),
        sa.PrimaryKeyConstraint("group_id", "customer_id", name="pk_duplicate_group_members"),
    )
    op.create_index("ix_duplicate_group_members_customer_id", "duplicate_group_members", ["customer_id"])
    op.create_table(
        "distinct_pairs",
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("first_id", "second_id", name="pk_distinct_pairs"),
    )
    op.create_index("ix_distinct_pairs_second_id", "distinct_pairs", ["second_id"])


def _create_collisions() -> None:
    op.create_table(
        "collisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("own_customer_id", sa.Uuid()),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("note", sa.Text()),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_collisions_customer_id_customers"),
        sa.ForeignKeyConstraint(["own_customer_id"], ["customers.id"], name="fk_collisions_own_customer_id_customers"),
        sa.PrimaryKeyConstraint("id", name="pk_collisions"),
    )
    op.create_index(
        "uq_collisions_open", "collisions", ["customer_id", "asked_by"], unique=True, postgresql_where=_OPEN
    )
    op.create_index("ix_collisions_asked_by", "collisions", ["asked_by", "asked_at", "id"])
    op.create_index("ix_collisions_open", "collisions", ["asked_at", "id"], postgresql_where=_OPEN)
    op.create_index("ix_collisions_customer_id", "collisions", ["customer_id", "asked_at", "id"])
    op.create_index("ix_collisions_own_customer_id", "collisions", ["own_customer_id"])


def _create_merges() -> None:
    op.create_table(
        "merges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("survivor_id", sa.Uuid(), nullable=False),
        sa.Column("merged_by", sa.Uuid(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", JSONB, nullable=False),
        sa.Column("after", JSONB, nullable=False),
        sa.Column("undone_by", sa.Uuid()),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.Column("left", JSONB),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["survivor_id"], ["customers.id"], name="fk_merges_survivor_id_customers"),
        sa.PrimaryKeyConstraint("id", name="pk_merges"),
    )
    op.create_index("ix_merges_survivor_id", "merges", ["survivor_id", "merged_at", "id"])
    op.create_index("ix_merges_merged_at", "merges", ["merged_at", "id"])
    op.create_table(
        "merge_losers",
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["merge_id"], ["merges.id"], name="fk_merge_losers_merge_id_merges"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_merge_losers_customer_id_customers"),
        sa.PrimaryKeyConstraint("merge_id", "customer_id", name="pk_merge_losers"),
    )
    op.create_index("ix_merge_losers_customer_id", "merge_losers", ["customer_id"])
    op.create_table(
        "merged_records",
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("kept", JSONB),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["merge_id"], ["merges.id"], name="fk_merged_records_merge_id_merges"),
        sa.PrimaryKeyConstraint("merge_id", "kind", "from_id", "record_id", name="pk_merged_records"),
    )
