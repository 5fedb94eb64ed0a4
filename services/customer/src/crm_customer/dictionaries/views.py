"""Shapes of options and regions."""

from chassis.http.api import View


class OptionView(View):
    """One option: `key` is what customers store."""

    key: str
    zh: str
    en: str


class DictionariesView(View):
    """Options by dictionary, which is named like the customer's field."""

    dictionaries: dict[str, list[OptionView]]


class CityView(View):
    code: str
    name: str


class ProvinceView(View):
    code: str
    name: str
    cities: list[CityView]


class RegionsView(View):
    provinces: list[ProvinceView]
