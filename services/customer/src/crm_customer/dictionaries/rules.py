"""Finding an option, a province or a city by what a person wrote. Pure functions."""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import chain, count
from typing import Any

from crm_customer.search.rules import normalised

# Named like the customer's field.
DICTIONARIES = (
    "industry",
    "source",
    "company_nature",
    "annual_turnover",
    "employee_count",
    "customer_type",
    "kind",
    "level",
    "stage",
    "intention",
    "status",
)
# Of a contact, and of its link to a customer.
CONTACT_DICTIONARIES = ("contact_group", "relation_type")
# Of a follow-up.
ACTIVITY_DICTIONARIES = ("follow_up_method",)
# Of an opportunity (L-06, L-07, L-16). Of its stages won and lost close it, whatever they are called.
OPPORTUNITY_DICTIONARIES = (
    "opportunity_stage",
    "lost_reason",
    "opportunity_source",
    "opportunity_channel",
    "opportunity_heat",
)
ALL = (*DICTIONARIES, *CONTACT_DICTIONARIES, *ACTIVITY_DICTIONARIES, *OPPORTUNITY_DICTIONARIES)
# What the options of these mean is known to the code.
CLOSED = ("kind",)
# Options of these may be ranges of numbers. The form has them as drop-downs, however few.
RANGES = ("annual_turnover", "employee_count")
MOST_OPTIONS = 200
KEY_PATTERN = "^[a-z][a-z0-9_]{0,39}$"
_MOST_RADIOS = 6
_NUMBER = re.compile(r"^[0-9]{1,15}(\.[0-9]+)?$")
_PROVINCE_ENDINGS = re.compile(r"(省|市|(壮族|回族|维吾尔)?自治区|特别行政区)$")
_PEOPLES = "朝鲜|土家|苗|黎|藏|羌|彝|布依|侗|哈尼|壮|傣|白|景颇|傈僳|回|蒙古|哈萨克|柯尔克孜"
_CITY_ENDINGS = re.compile(f"(市|地区|盟|林区|新区|区|县|((?:{_PEOPLES})族?)+自治[州县])$")


@dataclass(frozen=True)
class Option:
    """One option with its words in both languages; `at_least` is a range's lower bound, `active`: it can be chosen."""

    dictionary: str
    key: str
    label_zh: str
    label_en: str
    at_least: int | None = None
    active: bool = True


@dataclass(frozen=True)
class Options:
    """All options, found by key or label."""

    options: tuple[Option, ...]
    _by_text: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _offered: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, options: Iterable[Option]) -> "Options":
        """Options ready to be searched."""
        kept = tuple(options)
        texts = {
            (option.dictionary, form): option.key
            for option in kept
            for text in (option.key, option.label_zh, option.label_en)
            for form in (text, normalised(text))
        }
        return cls(kept, texts, frozenset((option.dictionary, option.key) for option in kept if option.active))

    def find(self, dictionary: str, text: str) -> str | None:
        """Key of the option meant by `text`: its key, either label, or a number inside its range (X-20)."""
        found = self._by_text.get((dictionary, text)) or self._by_text.get((dictionary, normalised(text)))
        return found or self._by_number(dictionary, text.replace(",", "").strip())

    def offers(self, dictionary: str, key: str) -> bool:
        """Whether the option can be chosen; those that cannot are only shown where they were chosen before."""
        return (dictionary, key) in self._offered

    def _by_number(self, dictionary: str, text: str) -> str | None:
        if not _NUMBER.match(text):
            return None
        reached = [
            option
            for option in self.options
            if option.dictionary == dictionary and option.at_least is not None and option.at_least <= float(text)
        ]
        return max(reached, key=lambda option: option.at_least or 0).key if reached else None


def control(dictionary: str, offered: int) -> str:
    """How a form asks for one of `offered` options: radio while they are few (X-21)."""
    return "radio" if dictionary not in RANGES and offered <= _MOST_RADIOS else "select"


def key_for(label: str, taken: Collection[str], otherwise: str) -> str:
    """A key made of a label's Latin letters, else called `otherwise`; numbered where it is taken."""
    latin = re.sub(r"[^a-z0-9]+", "_", unicodedata.normalize("NFKC", label).lower()).strip("_")[:35].strip("_")
    name = latin if re.match("[a-z]", latin) else otherwise
    return next(key for key in chain([name], (f"{name}_{number}" for number in count(2))) if key not in taken)


def repeated_label(labels: Iterable[str], others: Iterable[Iterable[str]]) -> str | None:
    """The first of `labels` that another option is already called: nobody could tell which is meant."""
    known = {normalised(text) for texts in others for text in texts}
    return next((label for label in labels if normalised(label) in known), None)


@dataclass(frozen=True)
class Regions:
    """Provinces and cities of China (A-42), codes of GB/T 2260; a municipality is also a city of itself."""

    provinces: tuple[Any, ...]
    _provinces: Mapping[str, str]
    _cities: Mapping[tuple[str, str], str]
    names: Mapping[str, str]

    def province(self, text: str) -> str | None:
        """Code of a province by code or name, with or without its ending (江苏, 江苏省)."""
        return self._provinces.get(normalised(text))

    def city(self, province: str, text: str) -> str | None:
        """Code of a city of `province` (a code) by code or name, with or without its ending (恩施, 恩施土家族苗族自治州)."""
        return self._cities.get((province, text)) or self._cities.get((province, normalised(text)))

    def words(self, *codes: str | None) -> str:
        """Names of the codes given, one after the other."""
        return "".join(self.names.get(code, "") for code in codes if code)


@cache
def regions() -> Regions:
    """The regions shipped with the service, out of regions.json."""
    provinces = json.loads(files("crm_customer.dictionaries").joinpath("regions.json").read_text(encoding="utf-8"))
    by_province: dict[str, str] = {}
    by_city: dict[tuple[str, str], str] = {}
    names: dict[str, str] = {}
    for province in provinces:
        code, name = province["code"], province["name"]
        names[code] = name
        for text in (code, name, _PROVINCE_ENDINGS.sub("", name)):
            by_province[normalised(text)] = code
        names |= {city["code"]: city["name"] for city in province["cities"]}
        by_city |= {(code, normalised(text)): city["code"] for city in province["cities"] for text in city.values()}
        for city in province["cities"]:
            short = _CITY_ENDINGS.sub("", city["name"])
            if len(short) > 1:  # 忠县 is never called 忠
                by_city.setdefault((code, normalised(short)), city["code"])
    return Regions(tuple(provinces), by_province, by_city, names)
