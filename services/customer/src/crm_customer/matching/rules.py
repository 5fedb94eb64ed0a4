"""Which two customers are the same company (G-01 to G-03): features of each, and how alike they are. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, product
from math import log
from typing import Literal, Protocol

from crm_customer.matching.identifiers import credit_code, domain, numbers
from crm_customer.matching.names import read
from crm_customer.matching.places import place, same_place
from crm_customer.matching.words import Parts, group_in_front, has_subsidiary, is_usual, parts

Level = Literal["same", "likely", "possible", "none"]
Place = Literal["same", "other", "unsaid", "nowhere"]  # unsaid by one, nowhere said
Named = tuple[float, str, bool]  # how alike names are, why, and whether they are companies apart for all that

_LEVELS: tuple[tuple[float, Level], ...] = ((0.95, "same"), (0.75, "likely"), (0.5, "possible"))
MOST_KEYS = 8
# What a phone or a domain alone says, and what holds two back however much else they share.
_PHONE, _DOMAIN = 0.8, 0.5
_HELD_BACK, _OTHER_REGION = 0.6, 0.55
_PLACES: Mapping[Place, float] = {"same": 1.0, "nowhere": 0.97, "unsaid": 0.96, "other": 0.6}
# A brand with one error in it, by its length: of two characters it is another brand, of three perhaps.
_BY_LENGTH = (0.0, 0.0, 0.0, 0.64, 0.9, 0.95)
_TELLS_ALONE, _LONG = 3, 4
_MOST_SAID = (0.2, 0.5, 1.0)  # by a brand of so many characters
_MOST_BY_GRAMS = 0.72
_MOST_ALIAS_KEYS, _MOST_PHONE_KEYS, _MOST_TRADE_KEYS, _MOST_ALIAS_PAIRS = 2, 2, 3, 12
_USUAL_WEIGHT, _LEAST_WEIGHT, _YOUNG_BASE = 0.2, 0.05, 1000

# One of these in place of another, or put in, makes another name: 大众 and 小众, 一建 and 二建, 东风 and 新东风.
_NUMERALS = frozenset("0123456789一二三四五六七八九十百千万甲乙丙丁")
_TELLING = _NUMERALS | frozenset("大小老新旧东西南北中上下左右内外前后男女正反天地长短高低红黄蓝绿黑白金银")


@dataclass(frozen=True, slots=True)
class Company:
    """What is known of a customer, as given. `city`: code of the region dictionary, or empty."""

    name: str
    aliases: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    credit_code: str = ""
    city: str = ""


@dataclass(frozen=True, slots=True)
class Features:
    """What is compared (G-02, G-03).

    `core`: the name in simplified characters without region, legal form and punctuation, never empty where the name has
    any letter or digit. `region`: code of GB/T 2260 of the place in the name, of a county where it names one; else the
    customer's city. `branch`: the part that is meant (上海分公司), which is not its head office; else empty.
    """

    core: str
    region: str
    alias_cores: tuple[str, ...]
    phones: frozenset[str]
    domains: frozenset[str]
    credit_code: str
    branch: str


class Rarity(Protocol):
    """How much it says that two names share a gram."""

    def weight(self, gram: str) -> float:
        """Above 0, at most 1: the rarer the heavier."""


class Counted:
    """Rarity by how many of a base's `customers` have each gram; usual words weigh little even in a young base."""

    def __init__(self, counts: Mapping[str, int], customers: int) -> None:
        self._counts = counts
        self._scale = log(max(customers, _YOUNG_BASE) + 1)

    def weight(self, gram: str) -> float:
        rare = max(1 - log(self._counts.get(gram, 0) + 1) / self._scale, _LEAST_WEIGHT)
        return rare * _USUAL_WEIGHT if is_usual(gram) else rare


@dataclass(frozen=True, slots=True)
class Likeness:
    """How sure it is that two are one company, from 0 to 1, and why.

    `reasons`: credit_code, phone, name (core and region), core (one leaves something out), similar (a typing error, moved
    characters), alias, domain. `level`: same and likely are shown as duplicates, possible for a person to judge.
    """

    score: float
    reasons: tuple[str, ...]
    level: Level


_UNLIKE = Likeness(0.0, (), "none")


def features(company: Company) -> Features:
    """What of `company` is compared with others."""
    name = read(company.name)
    aliases = (*name.others, *(read(alias).core for alias in company.aliases))
    return Features(
        name.core,
        name.region or company.city,
        tuple(dict.fromkeys(alias for alias in aliases if alias and alias != name.core)),
        frozenset(chain.from_iterable(map(numbers, company.phones))),
        frozenset(filter(None, map(domain, company.emails))),
        credit_code(company.credit_code),
        name.branch,
    )


def core_grams(core: str) -> list[str]:
    """Every two neighbouring characters of a core, sorted, each once; the character of a core of one."""
    return sorted({core[start : start + 2] for start in range(max(len(core) - 1, min(len(core), 1)))})


def likeness(one: Features, other: Features, rarity: Rarity) -> Likeness:
    """How alike two are, the same both ways round.

    Different credit codes are never one company. A branch and its head, and names alike in different trades (a group and
    its subsidiary), are possible at most; so are names of different regions without a phone in common.
    """
    if one.credit_code and other.credit_code:
        return Likeness(1.0, ("credit_code",), "same") if one.credit_code == other.credit_code else _UNLIKE
    phone, domain = not one.phones.isdisjoint(other.phones), not one.domains.isdisjoint(other.domains)
    where = _place(one.region, other.region)
    score, reason, apart = _names(one, other, where, rarity)
    score = min(score, _OTHER_REGION) if where == "other" else score
    reasons = (("phone", phone), (reason, score >= _LEVELS[-1][0]), ("domain", domain))
    score = 1 - (1 - score) * (1 - _PHONE * phone) * (1 - _DOMAIN * domain)
    if apart or one.branch != other.branch or (where == "other" and not phone):
        score = min(score, _HELD_BACK)
    level = next((level for least, level in _LEVELS if score >= least), None)
    return Likeness(round(score, 4), tuple(word for word, holds in reasons if holds), level) if level else _UNLIKE


def blocking_keys(f: Features, rarity: Rarity) -> list[str]:
    """At most 8 keys, of which two likely duplicates share one; few companies share any.

    "u:" credit code, "p:" phone, "d:" domain; "c:" the brand, Latin or Chinese, and what is left of it after a typing
    error, a short one with a trade or the province; "s:" its characters in order, however they were moved; "g:" its two
    rarest grams.
    """
    own = parts(f.core)
    words = [word for word in (own.brand, own.latin) if word]
    aliases = chain.from_iterable(_brand_keys(parts(core)) for core in f.alias_cores)
    keys = chain(
        ("u:" + f.credit_code for _ in f.credit_code[:1]),
        _brand_keys(own),
        (f"c:{word}|{f.region[:2]}" for word in words[:1] if f.region and len(word) < _TELLS_ALONE),
        islice(aliases, _MOST_ALIAS_KEYS),
        map("p:".__add__, sorted(f.phones)[:_MOST_PHONE_KEYS]),
        map("d:".__add__, sorted(f.domains)[:1]),
        *(map("c:".__add__, _mistyped(word)) for word in words),
        ("c:" + f.core[:_LONG] for _ in own.brand[:1] if len(own.brand) < _LONG < len(f.core)),
        ("s:" + "".join(sorted(word)) for word in words if len(word) >= _LONG),
        ("g:" + "".join(_rarest(word, rarity)) for word in words if len(word) >= _LONG),
    )
    return list(islice(dict.fromkeys(keys), MOST_KEYS))


def _brand_keys(own: Parts) -> Iterator[str]:
    for word in (own.brand, own.latin):
        if len(word) >= _TELLS_ALONE:
            yield "c:" + word
        elif word:
            trades = [str(trade) for trade in sorted(own.trades)[:_MOST_TRADE_KEYS]]
            yield from (f"c:{word}|{trade}" for trade in trades or [""])


def _rarest(brand: str, rarity: Rarity) -> list[str]:
    return sorted(core_grams(brand), key=lambda gram: (-rarity.weight(gram), gram))[:2]


def _place(one: str, other: str) -> Place:
    if not one or not other:
        return "unsaid" if one or other else "nowhere"
    return "same" if same_place(one, other) else "other"


def _names(one: Features, other: Features, where: Place, rarity: Rarity) -> Named:
    best = _cores(one.core, other.core, where, rarity)
    if one.alias_cores or other.alias_cores:
        pairs = islice(product((one.core, *one.alias_cores), (other.core, *other.alias_cores)), 1, _MOST_ALIAS_PAIRS)
        without_place: Place = "other" if where == "other" else "nowhere"  # nobody puts a place into an alias
        score = max(_cores(*pair, without_place, rarity)[0] for pair in pairs)
        if score >= max(best[0], _LEVELS[1][0]):
            return score, "alias", False
    return best


def _cores(one: str, other: str, where: Place, rarity: Rarity) -> Named:
    """How alike two cores are, why, and whether they are companies apart for all that."""
    if not one or not other:
        return 0.0, "", False
    if one == other and where in {"same", "nowhere"}:
        own = parts(one)
        return 0.9 + 0.07 * (where == "same") * _said(own.brand or own.latin, rarity), "name", False
    left, right = parts(one), parts(other)
    trades, brands = _trades(left, right), _brands(left, right)
    if 0 < brands < 1 and len(left.brand) != len(right.brand):  # the error may lie in a usual word: 机械, 机诫
        brands = max(brands, _mistaken(one, other))
    if not trades:
        return _OTHER_REGION * (brands == 1), "core", True
    if brands == 1:
        said = _said(left.brand if left.brand and right.brand else left.latin, rarity)
        sure = 0.8 + 0.2 * said if where == "same" else 0.7 + 0.3 * said
        return 0.96 * trades * _PLACES[where] * sure, "core", False
    if brands:
        agreed = (where == "same") + (trades == 1 and bool(left.trades))
        return brands * (0.8, 0.88, 0.96)[agreed], "similar", False
    return _MOST_BY_GRAMS * _overlap(one, other, rarity), "similar", False


def _trades(one: Parts, other: Parts) -> float:
    """How well the trades of two names go together: 1 equal, less where one says less, 0 for companies apart."""
    if one.trades == other.trades:
        is_complete = (one.is_group or one.is_vague) and (other.is_group or other.is_vague)
        return 1.0 if one.trades or one.is_group == other.is_group or not is_complete else 0.8
    if not one.trades or not other.trades:
        bare, full = (other, one) if one.trades else (one, other)
        return 0.0 if bare.is_group or (bare.is_vague and (not full.is_vague or has_subsidiary(full.trades))) else 0.92
    if one.trades < other.trades or other.trades < one.trades:
        return 0.0 if has_subsidiary(one.trades ^ other.trades) else 0.96
    return 0.0


def _brands(one: Parts, other: Parts) -> float:
    """1 for the same brand, less for one that may be it mistyped, 0 for another."""
    if one.brand and other.brand:
        own = group_in_front(one.brand, other.brand)
        unsure = not one.trades and not other.trades  # what follows the brand may be a trade of which nothing is known
        same = 1.0 if one.brand == other.brand else _mistaken(one.brand[own:], other.brand[own:], unsure)
        return same if one.latin == other.latin or not one.latin or not other.latin else same * 0.6
    if one.latin and other.latin:
        return 1.0 if one.latin == other.latin else _mistaken(one.latin, other.latin)
    return 0.0


def _mistaken(one: str, other: str, unsure: int = 0) -> float:
    """How sure it is that two different brands are one with a typing error, or one with something left out; `unsure` of
    their characters may belong to no brand.
    """
    short, long = sorted((one, other), key=len)
    length = len(long) // 2 if long.isascii() else len(long) - unsure
    first = next((index for index, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short))
    missing = len(long) - len(short)
    if missing > 1:
        return _contained(short, long)
    if short[first + 1 - missing :] == long[first + 1 :]:  # one character put in, or in place of another
        inside = missing and 0 < first < len(short)
        telling = not inside and _tells(short[first : first + 1 - missing], long[first])
        return 0.0 if telling else _BY_LENGTH[min(length, 5)]
    return _BY_LENGTH[min(length, 4)] if length >= 3 and sorted(short) == sorted(long) else 0.0


def _tells(one: str, other: str) -> bool:
    """Whether `other` in place of `one`, or put in where that is empty, is no typing error."""
    return not _NUMERALS.isdisjoint(one + other) or (_TELLING.issuperset(one) and other in _TELLING)


def _contained(short: str, long: str) -> float:
    if short not in long:
        return 0.0
    whole = 6 if long.isascii() else _LONG
    return 0.78 if len(short) >= whole and long.startswith(short) else 0.68 if len(short) > whole // 3 else 0.0


def _said(brand: str, rarity: Rarity) -> float:
    """How much a brand says, from 0 to 1: little if it is usual, a place, or as short as those that many firms take."""
    most = _MOST_SAID[min(len(brand), len(_MOST_SAID)) - 1]
    return (
        min(most, sum(map(rarity.weight, core_grams(brand)))) if len(brand) > 1 and not place(brand) else _MOST_SAID[0]
    )


def _overlap(one: str, other: str, rarity: Rarity) -> float:
    """The share that two cores have in common of all their grams, by weight."""
    if set(one).isdisjoint(other):
        return 0.0
    left, right = set(core_grams(one)), set(core_grams(other))
    common = left & right
    weigh = rarity.weight
    return 2 * sum(map(weigh, common)) / (sum(map(weigh, left)) + sum(map(weigh, right)))


def _mistyped(brand: str) -> Iterator[str]:
    """What two brands share of which one has a character less, another one, or two changed places."""
    length = len(brand)
    if brand.isascii():
        if length >= 8:
            yield from (brand[:4], brand[-4:])
    elif length == _LONG:
        yield from (brand[:index] + brand[index + 1 :] for index in range(length))
    elif length > _LONG:
        yield from (brand[:3], brand[-3:], brand[:_LONG])
        if length == _LONG + 1:
            yield brand[:2] + brand[3:]
