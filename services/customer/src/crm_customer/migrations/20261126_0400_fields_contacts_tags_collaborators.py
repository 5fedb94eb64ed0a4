"""Custom fields, profiles, more dictionaries; contacts of several customers; tags, stars, views; collaborators, locks.

The running release must survive this file: add first, remove in a later release. It writes primary contacts without
links; until it is gone, a trigger links them.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "customer_0003"
down_revision = "customer_0002"
branch_labels = None
depends_on = None

# dictionary, key, label_zh, label_en
_OPTIONS = (
    ("kind", "company", "企业", "Company"),
    ("kind", "individual", "个人", "Individual"),
    ("level", "a", "A级", "Level A"),
    ("level", "b", "B级", "Level B"),
    ("level", "c", "C级", "Level C"),
    ("stage", "first_contact", "初步接触", "First contact"),
    ("stage", "needs_confirmed", "需求确认", "Needs confirmed"),
    ("stage", "quoted", "方案报价", "Quoted"),
    ("stage", "negotiating", "商务谈判", "Negotiating"),
    ("stage", "closed", "已成交", "Closed"),
    ("intention", "high", "高", "High"),
    ("intention", "medium", "中", "Medium"),
    ("intention", "low", "低", "Low"),
    ("status", "active", "活跃", "Active"),
    ("status", "dormant", "沉睡", "Dormant"),
    ("status", "lost", "流失", "Lost"),
    ("contact_group", "decision_maker", "决策人", "Decision maker"),
    ("contact_group", "influencer", "影响人", "Influencer"),
    ("contact_group", "user", "使用人", "User"),
    ("relation_type", "employee", "员工", "Employee"),
    ("relation_type", "partner", "合作伙伴", "Partner"),
    ("relation_type", "adviser", "顾问", "Adviser"),
)
_PROFILE_TEXTS = (
    "website",
    "email",
    "phone_office",
    "phone_alternate",
    "fax",
    *(
        f"{of}_{part}"
        for of in ("billing", "shipping")
        for part in ("street", "city", "province", "postcode", "country")
    ),
    "description",
    "sic_code",
    "ticker_symbol",
    "ownership",
    "address",
    "geocode_status",
)


def _uuid(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), nullable=null)


def _text(name: str, *, null: bool = True, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(**options), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _flag(name: str, *, default: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.true() if default else sa.false())


def _number(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=default)


def upgrade() -> None:
    _grow_dictionaries()
    _grow_customers()
    _grow_contacts()
    _grow_search()
    _create_profiles()
    _create_custom_fields()
    _create_tags()
    _create_views()
    _create_collaboration()


def _grow_dictionaries() -> None:
    op.add_column("dictionary_options", _flag("built_in"))
    op.add_column("dictionary_options", _flag("active", default=True))
    op.add_column("dictionary_options", _number("version", "1"))
    op.execute("UPDATE dictionary_options SET built_in = TRUE")
    columns = ("dictionary", "key", "label_zh", "label_en")
    options = sa.table("dictionary_options", *map(sa.column, (*columns, "position", "built_in")))
    rows = [dict(zip(columns, row, strict=True)) for row in _OPTIONS]
    op.bulk_insert(options, [row | {"position": place, "built_in": True} for place, row in enumerate(rows)])


def _grow_customers() -> None:
    op.add_column("customers", sa.Column("kind", sa.Text, nullable=False, server_default="company"))
    for name in ("level", "stage", "intention", "status", "wechat_nickname"):
        op.add_column("customers", _text(name))
    op.add_column("customers", _flag("wecom_friend"))
    op.add_column("customers", sa.Column("custom", JSONB, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("customers", _moment("locked_at", null=True))
    op.add_column("customers", _uuid("locked_by", null=True))
    op.add_column("customers", _number("effects_version", "0"))
    op.execute("UPDATE customers SET effects_version = assignment_version")
    op.create_index(
        "ix_customers_effects_missed",
        "customers",
        ["id"],
        postgresql_where=sa.text("effects_version < assignment_version"),
    )
    op.create_index("ix_customers_locked", "customers", ["id"], postgresql_where=sa.text("locked_at IS NOT NULL"))


def _grow_contacts() -> None:
    op.alter_column("contacts", "customer_id", nullable=True)
    op.alter_column("contacts", "is_primary", server_default=sa.false())
    for name in ("address", "postcode", "contact_group"):
        op.add_column("contacts", _text(name))
    op.add_column("contacts", sa.Column("birthday", sa.Date))
    op.add_column("contacts", _uuid("owner_id", null=True))
    op.add_column("contacts", _uuid("created_by", null=True))
    op.add_column("contacts", _number("version", "1"))
    op.execute(
        "UPDATE contacts SET owner_id = customers.owner_id, created_by = customers.created_by"
        " FROM customers WHERE customers.id = contacts.customer_id"
    )
    op.create_table(
        "customer_contacts",
        _uuid("customer_id"),
        _uuid("contact_id"),
        _flag("is_primary"),
        _text("relation_type"),
        sa.PrimaryKeyConstraint("customer_id", "contact_id", name="pk_customer_contacts"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_customer_contacts_customer_id_customers"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name="fk_customer_contacts_contact_id_contacts"),
    )
    op.execute(
        "INSERT INTO customer_contacts (customer_id, contact_id, is_primary)"
        " SELECT customer_id, id, is_primary AND deleted_at IS NULL FROM contacts"
    )
    op.create_index(
        "uq_customer_contacts_primary",
        "customer_contacts",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("is_primary"),
    )
    op.create_index("ix_customer_contacts_contact_id", "customer_contacts", ["contact_id"])
    op.execute("""
        CREATE FUNCTION link_primary_contact() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO customer_contacts (customer_id, contact_id, is_primary)
            VALUES (NEW.customer_id, NEW.id, NEW.deleted_at IS NULL)
            ON CONFLICT (customer_id, contact_id) DO UPDATE SET is_primary = excluded.is_primary;
            INSERT INTO contact_search (contact_id, grams) VALUES (NEW.id, '{}')
            ON CONFLICT (contact_id) DO UPDATE SET name = NULL;
            RETURN NULL;
        END $$;
        CREATE TRIGGER link_primary_contact AFTER INSERT OR UPDATE ON contacts
        FOR EACH ROW WHEN (NEW.is_primary) EXECUTE FUNCTION link_primary_contact();
        UPDATE contacts SET is_primary = FALSE;
    """)
    alive, deleted = sa.text("deleted_at IS NULL"), sa.text("deleted_at IS NOT NULL")
    for moment in ("created_at", "updated_at"):
        op.create_index(f"ix_contacts_{moment}_id", "contacts", [moment, "id"], postgresql_where=alive)
        op.create_index(
            f"ix_contacts_owner_id_{moment}_id", "contacts", ["owner_id", moment, "id"], postgresql_where=alive
        )
    day_of_year = "CAST(EXTRACT(month FROM birthday) * 100 + EXTRACT(day FROM birthday) AS SMALLINT)"
    born = sa.text("birthday IS NOT NULL AND deleted_at IS NULL")
    op.create_index("ix_contacts_customer_id", "contacts", ["customer_id"])
    op.create_index("ix_contacts_birthday", "contacts", [sa.text(f"({day_of_year})")], postgresql_where=born)
    for owner in ([], ["owner_id"]):
        columns = [*owner, "deleted_at", "id"]
        op.create_index(f"ix_contacts_{'_'.join(columns)}", "contacts", columns, postgresql_where=deleted)


def _grow_search() -> None:
    """What the release before writes, and all it has written, has no initials and no names of contacts: due work fills
    them in. Its bigrams of a changed customer lack those of the initials, which are then to be filled in again.
    """
    op.add_column("customer_search", sa.Column("initials", sa.Text(collation="C")))
    op.add_column("customer_search", sa.Column("nickname", sa.Text, nullable=False, server_default=""))
    op.create_index(
        "ix_customer_search_unfilled", "customer_search", ["customer_id"], postgresql_where=sa.text("initials IS NULL")
    )
    op.execute("""
        CREATE FUNCTION forget_initials() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM unnest(NEW.grams) AS gram WHERE gram LIKE '^__') THEN
                NEW.initials := NULL;
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER forget_initials BEFORE UPDATE ON customer_search
        FOR EACH ROW WHEN (NEW.initials = OLD.initials AND NEW.initials LIKE '% %')
        EXECUTE FUNCTION forget_initials();
    """)
    # More of the most frequent bigrams are known than usual: what is not among them is rare.
    op.execute("ALTER TABLE customer_search ALTER COLUMN grams SET STATISTICS 500")
    op.create_table(
        "contact_search",
        _uuid("contact_id"),
        _text("name", collation="C"),
        sa.Column("grams", ARRAY(sa.Text), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", name="pk_contact_search"),
    )
    op.execute("INSERT INTO contact_search (contact_id, grams) SELECT id, '{}' FROM contacts")
    op.create_index("ix_contact_search_name", "contact_search", ["name"])
    op.create_index("ix_contact_search_grams", "contact_search", ["grams"], postgresql_using="gin")
    op.create_index(
        "ix_contact_search_unfilled", "contact_search", ["contact_id"], postgresql_where=sa.text("name IS NULL")
    )
    _index_numbers()


def _index_numbers() -> None:
    """Beginnings of phone numbers, and ends of all numbers: beginnings of what is reversed."""
    # Neither the table nor an index is written again.
    op.alter_column("contacts", "phone", type_=sa.Text(collation="C"))
    digits = "regexp_replace(phone, '[^0-9]', '', 'g')"
    op.create_index("ix_contacts_mobile_reversed", "contacts", [sa.text("reverse(mobile)")])
    op.create_index("ix_contacts_phone", "contacts", [sa.text(digits)])
    op.create_index("ix_contacts_phone_reversed", "contacts", [sa.text(f"reverse({digits})")])


def _create_profiles() -> None:
    op.create_table(
        "customer_profiles",
        _uuid("customer_id"),
        *map(_text, _PROFILE_TEXTS),
        sa.Column("non_primary_emails", ARRAY(sa.Text)),
        sa.Column("annual_revenue", sa.Numeric(18, 2)),
        sa.Column("employees", sa.Integer),
        _uuid("parent_customer_id", null=True),
        _uuid("campaign_id", null=True),
        sa.Column("latitude", sa.Numeric(10, 8)),
        sa.Column("longitude", sa.Numeric(11, 8)),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customer_profiles"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_customer_profiles_customer_id_customers"),
        sa.ForeignKeyConstraint(
            ["parent_customer_id"], ["customers.id"], name="fk_customer_profiles_parent_customer_id_customers"
        ),
    )
    op.create_index("ix_customer_profiles_parent_customer_id", "customer_profiles", ["parent_customer_id"])


def _create_custom_fields() -> None:
    op.create_table(
        "custom_fields",
        _uuid("id"),
        _text("key", null=False),
        _number("version"),
        _text("kind", null=False),
        _text("label_zh", null=False),
        _text("label_en", null=False),
        _flag("required"),
        _flag("filterable"),
        _flag("indexed"),
        sa.Column("options", JSONB, nullable=False),
        sa.Column("role_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        _moment("deleted_at", null=True),
        _uuid("cleared_to", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_custom_fields"),
        sa.UniqueConstraint("key", name="uq_custom_fields_key"),
    )


def _create_tags() -> None:
    op.create_table(
        "tag_groups",
        _uuid("id"),
        _number("version"),
        _text("name", null=False),
        _flag("multiple"),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tag_groups"),
        sa.UniqueConstraint("name", name="uq_tag_groups_name"),
    )
    op.create_table(
        "tags",
        _uuid("id"),
        _number("version"),
        _uuid("group_id"),
        _text("name", null=False),
        _text("color", null=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.ForeignKeyConstraint(["group_id"], ["tag_groups.id"], name="fk_tags_group_id_tag_groups"),
        sa.UniqueConstraint("group_id", "name", name="uq_tags_group_id_name"),
    )
    for record in ("customer", "contact"):
        table = f"{record}_tags"
        op.create_table(
            table,
            _uuid("tag_id"),
            _uuid(f"{record}_id"),
            sa.PrimaryKeyConstraint("tag_id", f"{record}_id", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=f"fk_{table}_tag_id_tags", ondelete="CASCADE"),
            sa.ForeignKeyConstraint([f"{record}_id"], [f"{record}s.id"], name=f"fk_{table}_{record}_id_{record}s"),
        )
        op.create_index(f"ix_{table}_{record}_id", table, [f"{record}_id"])


def _create_views() -> None:
    op.create_table(
        "saved_filters",
        _uuid("id"),
        _number("version"),
        _uuid("member_id"),
        _text("page", null=False),
        _text("name", null=False),
        sa.Column("filter", JSONB, nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("member_id", "page", "name", name="uq_saved_filters_member_id_page_name"),
    )
    op.create_table(
        "column_layouts",
        _uuid("member_id"),
        _text("page", null=False),
        sa.Column("columns", ARRAY(sa.Text), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "page", name="pk_column_layouts"),
    )
    op.create_table(
        "stars",
        _uuid("member_id"),
        _uuid("customer_id"),
        _text("color", null=False),
        _moment("starred_at"),
        sa.PrimaryKeyConstraint("member_id", "customer_id", name="pk_stars"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_stars_customer_id_customers"),
    )
    op.create_index("ix_stars_customer_id", "stars", ["customer_id"])


def _create_collaboration() -> None:
    op.create_table(
        "collaborators",
        _uuid("customer_id"),
        _uuid("member_id"),
        _flag("can_write"),
        _moment("until", null=True),
        _uuid("added_by"),
        _moment("added_at"),
        sa.PrimaryKeyConstraint("customer_id", "member_id", name="pk_collaborators"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_collaborators_customer_id_customers"),
    )
    op.create_index(
        "ix_collaborators_member_id",
        "collaborators",
        ["member_id", "customer_id"],
        postgresql_include=["can_write", "until"],
    )
    op.create_index("ix_collaborators_until", "collaborators", ["until"], postgresql_where=sa.text("until IS NOT NULL"))
    op.create_table(
        "assignment_effects",
        _uuid("customer_id"),
        _number("version"),
        _text("record", null=False),
        _uuid("record_id"),
        sa.Column("before", JSONB(none_as_null=True)),
        sa.Column("after", JSONB(none_as_null=True)),
        sa.PrimaryKeyConstraint("customer_id", "version", "record", "record_id", name="pk_assignment_effects"),
    )
