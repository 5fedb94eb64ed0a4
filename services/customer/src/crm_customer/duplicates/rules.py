"""What is asked about duplicates, and what of a name out of sight is told (decision 0032). Pure functions."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from chassis.errors import FieldError
from crm_customer.contacts.rules import Broken, email
from crm_customer.matching.rules import Company, Features, Likeness, Rarity, core_grams, features
from crm_customer.matching.words import is_usual, parts
from crm_customer.profiles.rules import credit_code
from crm_customer.search.rules import normalised

ASKED = ("name", "phone", "email", "credit_code")
MASK = "＊"
_PHONE = re.compile(r"\+?[0-9() -]+")
_SHORTEST_NAME = 2
# Grams of a name that are looked for: an error in one character spoils two of them.
_GRAMS = 3
_FREQUENT = 100
_TELLING = frozenset({"phone", "credit_code"})


@dataclass(frozen=True)
class Question:
    """What is asked, each part clean or empty; at least one is not."""

    name: str = ""
    phone: str = ""
    email: str = ""
    credit_code: str = ""

    @property
    def features(self) -> Features:
        """What is compared of it."""
        phones, emails = (self.phone,) * bool(self.phone), (self.email,) * bool(self.email)
        return features(Company(self.name, phones=phones, emails=emails, credit_code=self.credit_code))

    @property
    def key(self) -> str:
        """The same for questions that ask the same, however they are written."""
        return "\n".join((normalised(self.name), self.phone, normalised(self.email), self.credit_code))


def read_question(given: Mapping[str, str | None]) -> tuple[Question, list[FieldError]]:
    """The question in texts by name, and everything that is wrong or too little: then its part is empty (G-01)."""
    found: dict[str, str] = {}
    errors = []
    for name in ASKED:
        text = (given.get(name) or "").strip()
        try:
            found[name] = _RULES[name](_storable(text)) if text else ""
        except Broken as broken:
            errors.append(broken.at(name))
    if not errors and not any(found.values()):
        errors.append(FieldError("", "nothing_asked"))
    return Question(**found), errors


def _storable(text: str) -> str:
    if "\0" in text:
        raise Broken("null_character")
    return text


def _name(text: str) -> str:
    core = features(Company(text)).core
    if len(core) < _SHORTEST_NAME:
        raise Broken("name_too_short", least=_SHORTEST_NAME)
    if all(map(is_usual, core_grams(core))):
        raise Broken("name_too_usual")
    return text


def _phone(text: str) -> str:
    written = unicodedata.normalize("NFKC", text)
    found = features(Company("", phones=(written,))).phones if _PHONE.fullmatch(written) else ()
    if len(found) != 1:
        raise Broken("phone_not_whole")
    return next(iter(found))


def _email(text: str) -> str:
    email(text)
    if not features(Company("", emails=(text,))).domains:
        raise Broken("email_public")
    return text


_RULES = {"name": _name, "phone": _phone, "email": _email, "credit_code": credit_code}


def brand_of(core: str) -> str:
    """What the cores of the same company's names begin with: the core without its usual words, as far as there is one."""
    read = parts(core)
    return read.latin + read.brand or core


def rarest_grams(core: str, rarity: Rarity, counts: Mapping[str, int], customers: int) -> list[list[str]]:
    """What to look for in the grams of names: the rarest of the brand, each with the next rarest where it is frequent.
    `counts`: of `customers` in all; what a twentieth of them bear tells nothing.
    """
    telling = [gram for gram in core_grams(brand_of(core)) if counts.get(gram, 0) <= customers / 20]
    grams = sorted(telling, key=lambda gram: (-rarity.weight(gram), gram))
    return [grams[place : place + 1 + (counts.get(gram, 0) > _FREQUENT)] for place, gram in enumerate(grams[:_GRAMS])]


def tells_name(found: Likeness) -> bool:
    """Whether whoever asks learns the whole name of a customer out of sight."""
    return found.level in ("same", "likely") or not _TELLING.isdisjoint(found.reasons)


def masked_name(name: str, asked: str) -> str:
    """`name` with ＊ for each character that was not asked for: that is in no pair of neighbours which `asked` has too.

    华夏春松科技, asked 春松 -> ＊＊春松＊＊.
    """
    wanted = normalised(asked)
    pairs = [one + other in wanted if one and other else False for one, other in pairwise(map(normalised, name))]
    asked_for = zip(name, [False, *pairs], [*pairs, False], strict=True)
    return "".join(letter if before or after else MASK for letter, before, after in asked_for)


def not_claimable(*, owned: bool, in_my_pools: bool, placed: bool, may_claim: bool) -> str | None:
    """Why the asker cannot claim a customer, as far as is known here; None: pool decides (cool-down, quota, cap)."""
    if owned:
        return "owned"
    if not placed:
        return "not_placed"
    if not in_my_pools:
        return "other_pool"
    return None if may_claim else "may_not_claim"
