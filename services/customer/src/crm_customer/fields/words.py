"""What values of fields are called, as an import reads them back (E-09). Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from crm_customer.dictionaries.rules import Options, Regions
from crm_customer.fields.rules import BETWEEN_CHOICES, Choice, Field

_STARS = {"zh": ("一星", "二星", "三星"), "en": ("1 star", "2 stars", "3 stars")}
_YES = {"zh": "是", "en": "yes"}
_REGIONS = ("province", "city")
# Columns whose options are kept under another name.
_DICTIONARIES = {"method": "follow_up_method"}


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
        if value in (None, "", []) or value is False:
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
        if value is True:
            return _YES[self.language]
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
