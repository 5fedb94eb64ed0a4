"""Columns of exported files. Pure functions; `fields.words` has their cells."""

from collections.abc import Iterable
from dataclasses import dataclass

from crm_customer.fields.catalogue import CONTACTS, CUSTOMERS, BuiltIn

# Fields by id that files name by words.
_NAMED = {"owner_id": "owner", "customer_id": "customer"}


@dataclass(frozen=True)
class Column:
    """One column: the name that imports call the field, and what it is called."""

    name: str
    zh: str
    en: str


_ID, _OWNER, _OWNER_ID = (
    Column("id", "ID", "ID"),
    Column("owner", "负责人", "Owner"),
    Column("owner_id", "负责人 ID", "Owner ID"),
)
# What an import leaves alone: it is not a file's to say.
_TOLD = (
    Column("created_by", "创建人", "Creator"),
    Column("created_at", "创建时间", "Created time"),
    Column("updated_at", "修改时间", "Changed time"),
)


def customer_columns(custom: Iterable[Column]) -> list[Column]:
    """Columns of customers (A.3, T-1); `custom`: those of the custom fields that the actor sees."""
    filled = [field for field in CUSTOMERS if field.imported and field.key != "owner_id"]
    own = [_column(field) for field in filled if field.group != "profile"]
    extended = [_column(field) for field in filled if field.group == "profile"]
    place = (_OWNER, _OWNER_ID, Column("pool", "客户池", "Pool"))
    touched = Column("last_touch_at", "最后跟进时间", "Last follow-up")
    return [_ID, *own, *place, *custom, *_TOLD, touched, *extended]


def contact_columns() -> list[Column]:
    """Columns of contacts (B-12 to B-24)."""
    told = {column.name for column in _TOLD}
    return [_ID, *(_column(field) for field in CONTACTS if field.key not in told), *_TOLD]


def activity_columns() -> list[Column]:
    """Columns of follow-up records (D-33)."""
    return [
        _ID,
        Column("customer", "客户", "Customer"),
        Column("content", "跟进内容", "Content"),
        Column("method", "跟进方式", "Method"),
        Column("at", "跟进时间", "Follow-up time"),
        Column("member", "跟进人", "Follower"),
        Column("next_contact_on", "下次联系日期", "Next contact date"),
    ]


def _column(field: BuiltIn) -> Column:
    return Column(_NAMED.get(field.key, field.key), field.zh, field.en)
