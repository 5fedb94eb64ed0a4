"""Shapes of fields."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from chassis.http.api import Body, View
from crm_customer.dictionaries.model import DictionaryOption
from crm_customer.dictionaries.rules import KEY_PATTERN as OPTION_KEY_PATTERN
from crm_customer.dictionaries.rules import control
from crm_customer.dictionaries.views import Label, Position
from crm_customer.fields.catalogue import CATALOGUE, BuiltIn
from crm_customer.fields.model import CustomField
from crm_customer.fields.operators import OPERATORS, FilterKind
from crm_customer.fields.rules import CHOICES, KEY_PATTERN, MOST_CHOICES, Kind

Roles = Annotated[list[UUID], Field(max_length=50), AfterValidator(lambda ids: list(dict.fromkeys(ids)))]

_STARS = (("1", "一星", "1 star"), ("2", "二星", "2 stars"), ("3", "三星", "3 stars"))


class FieldQuery(Body):
    """Fields of which records. `deleted`: the custom fields of customers that are hidden, and can be restored."""

    record: Literal["customers", "contacts"] = "customers"
    deleted: bool = False


class ChoiceView(View):
    """One option of a field: `key` is what records store; one that is not `active` is not offered."""

    key: str
    zh: str
    en: str
    active: bool


class FieldView(View):
    """A field, as the caller may see it. `key` names it in conditions, columns, imports and the history."""

    model_config = ConfigDict(serialize_by_alias=True)

    key: str
    zh: str
    en: str
    kind: str
    group: str
    required: bool
    options: list[ChoiceView]
    control: str | None = Field(default=None, description="of choices: radio while there are few options, or select")
    filter: list[str] = Field(description="operators of conditions; none: lists cannot be filtered by it")
    column: bool
    batch: bool
    import_: bool = Field(alias="import")
    built_in: bool
    index: str = Field(default="none", description="of custom fields: none, building or ready")
    id: UUID | None = Field(default=None, description="of custom fields")
    version: int | None = None
    filterable: bool | None = None
    position: int | None = None
    role_ids: list[UUID] | None = Field(
        default=None, description="who sees it, none: everybody; for those who set it up"
    )
    deleted_at: datetime | None = None


class FieldsView(View):
    """The catalogue of one kind of record."""

    fields: list[FieldView]


class ChoiceBody(Body):
    """An option; without `key` it is a new one, and gets a key made of `en`."""

    key: Annotated[str, StringConstraints(pattern=OPTION_KEY_PATTERN)] | None = None
    zh: Label
    en: Label
    active: bool = True


Choices = Annotated[list[ChoiceBody], Field(max_length=MOST_CHOICES)]


class NewField(Body):
    """A field of customers to be added, at the end unless `position` says otherwise. Without `key` one is made of `en`."""

    key: Annotated[str, StringConstraints(pattern=KEY_PATTERN)] | None = None
    zh: Label
    en: Label
    kind: Kind
    required: bool = False
    options: Choices = []
    role_ids: Roles = []
    filterable: bool = False
    position: Position | None = None


class FieldChange(Body):
    """What is to change; the rest stays, key and kind always. `options` and `role_ids` replace the whole list."""

    zh: Label = ""
    en: Label = ""
    required: bool = False
    options: Choices = []
    role_ids: Roles = []
    filterable: bool = False
    position: Position = 0


def custom_view(field: CustomField, *, settings: bool) -> FieldView:
    """A custom field; `settings`: for those who set it up."""
    offered = sum(option["active"] for option in field.options)
    choice = field.kind in CHOICES
    return FieldView.model_validate(
        {
            "id": field.id,
            "key": f"custom.{field.key}",
            "zh": field.label_zh,
            "en": field.label_en,
            "kind": field.kind,
            "group": "custom",
            "required": field.required,
            "options": [ChoiceView(**option) for option in field.options],
            "control": control("", offered) if choice else None,
            "filter": [*OPERATORS[FilterKind(field.kind)]] if field.filterable else [],
            "column": True,
            "batch": True,
            "import": True,
            "built_in": False,
            "index": field.index,
            "version": field.version,
            "filterable": field.filterable,
            "position": field.position,
            "role_ids": field.role_ids if settings else None,
            "deleted_at": field.deleted_at,
        }
    )


def catalogue_view(record: str, dictionaries: list[DictionaryOption]) -> list[FieldView]:
    """The fields that are part of the product."""
    return [_built_in(field, dictionaries) for field in CATALOGUE[record]]


def _built_in(field: BuiltIn, dictionaries: list[DictionaryOption]) -> FieldView:
    options = [
        ChoiceView(key=option.key, zh=option.label_zh, en=option.label_en, active=option.active)
        for option in dictionaries
        if option.dictionary == field.dictionary
    ]
    if field.key == "rating":
        options = [ChoiceView(key=key, zh=zh, en=en, active=True) for key, zh, en in _STARS]
    return FieldView.model_validate(
        {
            "key": field.key,
            "zh": field.zh,
            "en": field.en,
            "kind": field.kind,
            "group": field.group,
            "required": field.required,
            "options": options,
            "control": control(field.key, sum(option.active for option in options)) if options else None,
            "filter": [*field.operators],
            "column": field.column,
            "batch": field.batch,
            "import": field.imported,
            "built_in": True,
        }
    )
