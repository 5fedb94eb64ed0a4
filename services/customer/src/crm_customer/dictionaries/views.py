"""Shapes of options and regions."""

from typing import Annotated

from pydantic import AliasChoices, Field, StringConstraints

from chassis.http.api import Body, View
from crm_customer.dictionaries.rules import KEY_PATTERN

Label = Annotated[str, Field(min_length=1, max_length=50)]
Position = Annotated[int, Field(ge=0, le=30_000)]
AtLeast = Annotated[int, Field(ge=0, le=10**15)]


class OptionView(View):
    """One option: `key` is what customers store. One that is not `active` is shown where it was chosen, and not offered.

    `at_least`: the lower bound of a range (X-20).
    """

    key: str
    zh: str = Field(validation_alias=AliasChoices("label_zh", "zh"))
    en: str = Field(validation_alias=AliasChoices("label_en", "en"))
    at_least: int | None
    position: int
    active: bool
    built_in: bool = Field(description="part of the product: never deleted")
    version: int


class DictionariesView(View):
    """Options by dictionary, which is named like the customer's or contact's field."""

    dictionaries: dict[str, list[OptionView]]
    controls: dict[str, str] = Field(
        description="how a form asks for one: radio while there are few options, or select"
    )
    closed: list[str] = Field(description="dictionaries whose options cannot become more or fewer")


class NewOption(Body):
    """An option to be added, at the end unless `position` says otherwise. Without `key` one is made of `en`."""

    key: Annotated[str, StringConstraints(pattern=KEY_PATTERN)] | None = None
    zh: Label
    en: Label
    at_least: AtLeast | None = None
    position: Position | None = None


class OptionChange(Body):
    """What is to change; the rest stays, the key always."""

    zh: Label = ""
    en: Label = ""
    at_least: AtLeast | None = None
    position: Position = 0
    active: bool = True


class CityView(View):
    code: str
    name: str


class ProvinceView(View):
    code: str
    name: str
    cities: list[CityView]


class RegionsView(View):
    provinces: list[ProvinceView]
