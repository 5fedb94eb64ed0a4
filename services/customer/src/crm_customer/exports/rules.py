"""Columns of exported files, and their cells as an import reads them back (E-09). Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from crm_customer.dictionaries.rules import Options, Regions
from crm_customer.fields.catalogue import CONTACTS, CUSTOMERS, BuiltIn
from crm_customer.fields.rules import BETWEEN_CHOICES, Choice, Field

_STARS = {"zh": ("一星", "二星", "三星"), "en": ("1 star", "2 stars", "3 stars")}
_REGIONS = ("province", "city")
# Columns whose options are kept under another name.
_DICTIONARIES = {"method": "follow_up_method"}
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


@dataclass(frozen=True)
class Words:
    """What values are called in `language`, zh or en: options, regions, custom fields by key; moments in `zone`."""

    language: str
    zone: ZoneInfo
    options: Options
    regions: Regions
    custom: Mapping[str, Field]

    def cell(self, name: str, value: Any) -> str:
        """The text of a field's value; empty for none."""
        if value in (None, "", []):
            return ""
        if name.startswith("custom."):
            return self._custom(self.custom[name.removeprefix("custom.")], value)
        if name == "rating":
            return _STARS[self.language][value - 1]
        text = self._text(value)
        if name in _REGIONS:
            return self.regions.names.get(text, text)
        return self._labels.get((_DICTIONARIES.get(name, name), text), text)

    def _text(self, value: Any) -> str:
        if isinstance(value, datetime):
            return value.astimezone(self.zone).replace(tzinfo=None).isoformat(" ", "seconds")
        if isinstance(value, date):
            return value.isoformat()
        return "；".join(value) if isinstance(value, list) else str(value)

    @cached_property
    def _labels(self) -> Mapping[tuple[str, str], str]:
        english = self.language == "en"
        return {
            (option.dictionary, option.key): option.label_en if english else option.label_zh
            for option in self.options.options
        }

    def _custom(self, field: Field, value: Any) -> str:
        if isinstance(value, list):
            return self._choices(field, value)
        if isinstance(value, float):
            return f"{Decimal(repr(value)):f}"
        return self._choices(field, [value]) if field.choices else str(value)

    def _choices(self, field: Field, keys: Sequence[str]) -> str:
        words = {choice.key: self._label(choice) for choice in field.choices}
        texts = [words.get(key, key) for key in keys]
        if len(texts) > 1:
            # Words that would be cut where they are read again: the key means the same.
            texts = [key if BETWEEN_CHOICES.search(text) else text for key, text in zip(keys, texts, strict=True)]
        return "；".join(texts)

    def _label(self, choice: Choice) -> str:
        return choice.en if self.language == "en" else choice.zh
