"""What a kind of import is: the fields its files may fill, the rights it takes, the settings it has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from directory.permissions import Permission


class KindName(StrEnum):
    """What the rows of a file are."""

    CUSTOMERS = "customers"
    CONTACTS = "contacts"
    ACTIVITIES = "activities"
    MEMBERS = "members"


class Form(StrEnum):
    """How the text of a cell is meant: as it stands; digits, whatever a spreadsheet has made of them; a day; a moment."""

    TEXT = "text"
    DIGITS = "digits"
    DAY = "day"
    MOMENT = "moment"


@dataclass(frozen=True)
class Field:
    """One field. `name` as in REST; `headers` are further usual column headers beside the labels; `options` fill the
    template's drop-down, or the organisation's `chosen_from`, or what customer offers in its `dictionary`; `suggests`:
    the drop-down also takes free text; `rule` names what explains it in the template, when that is not its own name;
    `required`: a file that creates has a column; `form`: how its cells are read.
    """

    name: str
    zh: str
    en: str
    headers: Sequence[str] = ()
    options: Sequence[str] = ()
    chosen_from: Literal["departments", "roles"] | None = None
    suggests: bool = False
    in_template: bool = True
    rule: str = ""
    required: bool = False
    form: Form = Form.TEXT
    dictionary: str = ""

    @classmethod
    def stored(cls, kept: Mapping[str, Any]) -> "Field":
        """The field out of JSON."""
        values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in kept.items()}
        return cls(**values)

    def label(self, language: str) -> str:
        """Its label in `zh` or `en`."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class DerivedField(Field):
    """A match field that no column bears: it is made of the field `of`."""

    of: str = ""


@dataclass(frozen=True)
class KnownFile:
    """A file that another system writes: its headers, each with the field it fills, or with none where the column is
    left alone whatever it may look like. The first tells it from our own exports, which have many of the others.
    """

    fields: Sequence[tuple[str, str | None]]


@dataclass(frozen=True)
class Kind:
    """One kind of import; `chunks.clients` has the call that writes its rows, messages its words.

    `required` fields need a column, `required_to_create` only when nothing is updated. `match_fields` can make a row
    match a record; those of `default_match_fields` do unless told otherwise; one of `match_within` does so only where
    another field is the same; those that no column bears are `derived`. A kind without has no modes: its rows create. `header_prefixes` are patterns of what may
    stand before a usual header, each with how the names of the fields begin that are meant then. `mobile` is the field
    compared as a mobile number; a column that looks like `phone` is the mobile when its first value is one.
    `permissions` are needed beside import.run to upload, to start, and for every chunk; `to_start` and `to_update` are
    asked at the start alone, since whoever writes the rows asks again; `to_undo` before records that were created are taken
    back, without any nothing is. `settings` of those that not every kind has.
    `asks`: somebody may decide for each row that matches a record (D-21). `custom_fields`: records have fields that
    administrators define, which `kinds.clients` asks for.
    """

    name: KindName
    fields: Sequence[Field]
    header_prefixes: Sequence[tuple[str, str]]
    required: Sequence[str]
    match_fields: Sequence[str]
    default_match_fields: Sequence[str]
    match_within: Mapping[str, str] = field(default_factory=dict, hash=False)
    derived: Mapping[str, DerivedField] = field(default_factory=dict, hash=False)
    required_to_create: Sequence[str] = ()
    mobile: str | None = None
    phone: str | None = None
    permissions: Sequence[Permission] = ()
    to_start: Sequence[Permission] = ()
    to_update: Sequence[Permission] = ()
    to_undo: Sequence[Permission] = ()
    settings: frozenset[str] = frozenset()
    known_files: Sequence[KnownFile] = ()
    asks: bool = False
    custom_fields: bool = False

    def extended(self, fields: Iterable[Field]) -> "Kind":
        """The kind with further fields."""
        more = tuple(fields)
        required = tuple(field.name for field in more if field.required)
        return replace(self, fields=(*self.fields, *more), required_to_create=(*self.required_to_create, *required))

    @property
    def asks_customer(self) -> bool:
        """Whether customer knows custom fields or options of it."""
        return self.custom_fields or any(one.dictionary for one in self.fields)

    @property
    def custom(self) -> Sequence[Field]:
        """The fields that administrators have defined."""
        return [field for field in self.fields if field.name.startswith("custom.")]

    def matched_column(self, name: str) -> str:
        """The field whose column a match field is read from."""
        return self.derived[name].of if name in self.derived else name

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Its fields by name."""
        return {field.name: field for field in self.fields}

    def label(self, name: str, language: str) -> str:
        """The label of a field, or its name when it is not one of ours."""
        field = self.by_name.get(name) or self.derived.get(name)
        return field.label(language) if field else name

    def labels(self, names: Iterable[str], language: str) -> str:
        """The labels of fields, as they are listed in `zh` or `en`."""
        return ("、" if language == "zh" else ", ").join(self.label(name, language) for name in names)
