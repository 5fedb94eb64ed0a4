"""Which values a merged customer has, and which of them come back when the merge is undone (decision 0033). Pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from crm_customer.profiles.rules import MOST_ALIASES, NUMBERS, PARENT
from crm_customer.search.rules import normalised

MOST_LOSERS = 9
UNDO_WITHIN = timedelta(days=30)
NAME = "name"
ALIASES = "profile.aliases"
PARENT_FIELD = f"profile.{PARENT}"
# Who has no primary contact gets that of the first loser; it is kept beside the values.
PRIMARY = "primary_contact_id"
TOUCH = "last_touch_at"
# Fields that mean nothing without another: they come from a customer whose other field holds the same.
FOLLOWS: Mapping[str, str] = {"city": "province"} | {f"profile.{kept}": option for option, kept in NUMBERS.items()}


@dataclass(frozen=True)
class Side:
    """One of the customers of a merge, with all it holds by flat field name; the survivor is the first of them."""

    id: UUID
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Lost:
    """A value that its customer had and the merged one has not."""

    field: str
    customer_id: UUID
    value: Any


def settled(sides: Sequence[Side], chosen: Mapping[str, UUID]) -> dict[str, Any]:
    """The values of the merged customer: of each field that of whom `chosen` names, else the first that is filled."""
    fields = dict.fromkeys(field for side in sides for field in side.values)
    values: dict[str, Any] = {}
    for field in sorted(fields, key=lambda one: one in FOLLOWS):
        leader = FOLLOWS.get(field)
        able = [side for side in sides if leader is None or side.values.get(leader) == values.get(leader)]
        if field in chosen:
            able = [side for side in able if side.id == chosen[field]]
        values[field] = next((side.values[field] for side in able if _filled(side.values.get(field))), None)
    if ALIASES in fields:
        values[ALIASES] = _aliases(sides, values[NAME], chosen.get(ALIASES))
    return values


def lost(sides: Sequence[Side], values: Mapping[str, Any]) -> list[Lost]:
    """What does not come into the merged `values`, in the order of the fields."""
    return [
        Lost(field, side.id, side.values[field])
        for field, value in values.items()
        if field not in (NAME, ALIASES)
        for side in sides
        if _filled(side.values.get(field)) and side.values[field] != value
    ]


def without_cycle(sides: Sequence[Side], parents: Mapping[UUID, UUID]) -> list[Side]:
    """The sides without parents that would make the merged customer its own ancestor (A-79); `parents` (child → parent) are
    those of all that lie above.
    """
    merged = {side.id for side in sides}

    def kept(side: Side) -> Side:
        above = side.values.get(PARENT_FIELD)
        below_itself = above is not None and not merged.isdisjoint(_upwards(UUID(above), parents))
        return Side(side.id, {**side.values, PARENT_FIELD: None}) if below_itself else side

    return [kept(side) for side in sides]


def restored(
    before: Mapping[str, Any], after: Mapping[str, Any], current: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Of what a merge replaced that which comes back, because it still is as the merge left it; and the fields that stay.
    A field that follows another stays with it.
    """
    changed = {field for field in before if current.get(field) != after.get(field)}
    stays = changed | {field for field, leader in FOLLOWS.items() if field in before and leader in changed}
    return {field: value for field, value in before.items() if field not in stays}, sorted(stays)


def owners_to_choose(owner_id: UUID | None, losers: Iterable[tuple[UUID | None, bool]]) -> list[UUID]:
    """Who can own a survivor that nobody owns: owners of losers (id, whether they have left), each once."""
    if owner_id is not None:
        return []
    return list(dict.fromkeys(one for one, left in losers if one is not None and not left))


def too_old(age: timedelta) -> bool:
    """Whether a merge of this age can be undone no longer."""
    return age > UNDO_WITHIN


def _aliases(sides: Sequence[Side], name: str, chosen: UUID | None) -> list[str] | None:
    """Other names of the merged customer (G-03): those of all, or of whom is chosen, and the names that are gone."""
    own = [one for side in sides if chosen in (None, side.id) for one in side.values.get(ALIASES) or ()]
    found: dict[str, str] = {}
    for one in (*(side.values[NAME] for side in sides), *own):
        found.setdefault(normalised(one), one)
    found.pop(normalised(name), None)
    return list(found.values())[:MOST_ALIASES] or None


def _upwards(start: UUID, parents: Mapping[UUID, UUID]) -> Collection[UUID]:
    passed: dict[UUID, None] = {}
    at: UUID | None = start
    while at is not None and at not in passed:
        passed[at] = None
        at = parents.get(at)
    return passed


def _filled(value: Any) -> bool:
    return value not in (None, "", [])
