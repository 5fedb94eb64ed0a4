"""Create customers, contacts, search, dictionaries with the options of the form, pools, results of bulk writes.

The running release must survive this file: add first, remove in a later release.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision = "customer_0001"
down_revision = None
branch_labels = ("customer",)
depends_on = None

_ALIVE = sa.text("deleted_at IS NULL")

# dictionary, key, label_zh, label_en, at_least (lower bound of a range, inclusive)
_OPTIONS: tuple[tuple[str, str, str, str, int | None], ...] = (
    ("industry", "education", "教育/培训", "Education/Training", None),
    ("industry", "ecommerce", "电子商务", "E-commerce", None),
    ("industry", "foreign_trade", "对外贸易", "Foreign trade", None),
    ("industry", "other", "其他", "Other", None),
    ("source", "telemarketing", "电话营销", "Telemarketing", None),
    ("source", "online_marketing", "网络营销", "Online marketing", None),
    ("source", "other", "其他", "Other", None),
    ("company_nature", "joint_venture", "合资", "Joint venture", None),
    ("company_nature", "state_owned", "国企", "State-owned enterprise", None),
    ("company_nature", "public_institution", "事业单位", "Public institution", None),
    ("company_nature", "private", "民营", "Private", None),
    ("company_nature", "other", "其他", "Other", None),
    ("annual_turnover", "up_to_100k", "0-10万", "0-100k", 0),
    ("annual_turnover", "100k_to_200k", "10-20万", "100k-200k", 100_000),
    ("annual_turnover", "200k_to_500k", "20-50万", "200k-500k", 200_000),
    ("annual_turnover", "over_500k", "50万以上", "Over 500k", 500_000),
    ("employee_count", "5_to_20", "5-20人", "5-20 people", 5),
    ("employee_count", "20_to_50", "20-50人", "20-50 people", 20),
    ("employee_count", "over_50", "50人以上", "Over 50 people", 50),
    ("customer_type", "prospect", "潜在客户", "Prospect", None),
    ("customer_type", "key", "重要客户", "Key customer", None),
    ("customer_type", "target", "目标对象", "Target", None),
)


def _uuid(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), nullable=nullable)


def _text(name: str, *, nullable: bool = True, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(**options), nullable=nullable)


def _moment(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _create_dictionaries()
    _create_customers()
    _create_contacts()
    _create_search()
    op.create_table(
        "pools",
        _uuid("id", nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        _text("name", nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("open_to_all", sa.Boolean, nullable=False),
        sa.Column("member_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("department_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pools"),
    )
    op.create_table(
        "bulk_write_results",
        _uuid("chunk_id", nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        _moment("written_at", nullable=False),
        sa.PrimaryKeyConstraint("chunk_id", name="pk_bulk_write_results"),
    )
    op.create_index("ix_bulk_write_results_written_at", "bulk_write_results", ["written_at"])


def _create_dictionaries() -> None:
    options = op.create_table(
        "dictionary_options",
        _text("dictionary", nullable=False),
        _text("key", nullable=False),
        _text("label_zh", nullable=False),
        _text("label_en", nullable=False),
        sa.Column("at_least", sa.BigInteger),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("dictionary", "key", name="pk_dictionary_options"),
    )
    names = ("dictionary", "key", "label_zh", "label_en", "at_least")
    op.bulk_insert(
        options, [{**dict(zip(names, row, strict=True)), "position": place} for place, row in enumerate(_OPTIONS)]
    )


def _create_customers() -> None:
    texts = ("customer_type", "industry", "source", "company_nature", "postcode", "annual_turnover")
    more = ("province", "city", "address_detail", "employee_count", "remark")
    op.create_table(
        "customers",
        _uuid("id", nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("facts_version", sa.BigInteger, nullable=False),
        _text("name", nullable=False),
        *map(_text, texts),
        sa.Column("rating", sa.SmallInteger),
        *map(_text, more),
        *map(_uuid, ("owner_id", "owner_department_id", "pool_id")),
        sa.Column("expires_on", sa.Date),
        _moment("held_since"),
        sa.Column("assignment_version", sa.BigInteger, nullable=False),
        _uuid("created_by", nullable=False),
        _moment("created_at", nullable=False),
        _moment("updated_at", nullable=False),
        _moment("deleted_at"),
        _uuid("source_job"),
        sa.Column("source_row", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
        sa.CheckConstraint("rating BETWEEN 1 AND 3", name="ck_customers_rating"),
        sa.CheckConstraint("owner_id IS NULL OR pool_id IS NULL", name="ck_customers_one_place"),
    )
    for first in (["owner_id"], ["owner_department_id"], ["pool_id"], []):
        _walk(*first, "created_at")
    _walk("updated_at")
    op.create_index(
        "ix_customers_deleted_at",
        "customers",
        ["deleted_at", "id"],
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index("ix_customers_unplaced", "customers", ["id"], postgresql_where=sa.text("assignment_version = 0"))
    op.create_index(
        "uq_customers_source",
        "customers",
        ["source_job", "source_row"],
        unique=True,
        postgresql_where=sa.text("source_job IS NOT NULL"),
    )


def _walk(*columns: str) -> None:
    columns = (*columns, "id")
    op.create_index(f"ix_customers_{'_'.join(columns)}", "customers", list(columns), postgresql_where=_ALIVE)


def _create_contacts() -> None:
    op.create_table(
        "contacts",
        _uuid("id", nullable=False),
        _uuid("customer_id", nullable=False),
        sa.Column("is_primary", sa.Boolean, nullable=False),
        _text("name", nullable=False),
        *map(_text, ("salutation", "email", "position", "qq", "phone")),
        _text("mobile", collation="C"),
        _text("remark"),
        _moment("created_at", nullable=False),
        _moment("updated_at", nullable=False),
        _moment("deleted_at"),
        sa.PrimaryKeyConstraint("id", name="pk_contacts"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_contacts_customer_id_customers"),
    )
    op.create_index(
        "uq_contacts_primary",
        "contacts",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("is_primary AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_contacts_mobile",
        "contacts",
        ["mobile"],
        postgresql_where=sa.text("mobile IS NOT NULL AND deleted_at IS NULL"),
    )


def _create_search() -> None:
    op.create_table(
        "customer_search",
        _uuid("customer_id", nullable=False),
        _text("name", nullable=False, collation="C"),
        _text("address", nullable=False),
        sa.Column("grams", ARRAY(sa.Text), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customer_search"),
    )
    op.create_index("ix_customer_search_name", "customer_search", ["name"])
    op.create_index("ix_customer_search_grams", "customer_search", ["grams"], postgresql_using="gin")
