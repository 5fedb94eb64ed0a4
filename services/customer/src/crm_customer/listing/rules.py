"""What a list shows: conditions as plain values, and the days behind the views. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.days import day_of, span, start_of
from crm_customer.customers.rules import Problem, Reference, checked
from crm_customer.fields.operators import FilterKind, Operator
from crm_customer.listing.field_conditions import FieldCondition, periods_of

EXACT = (
    "customer_type",
    "industry",
    "source",
    "company_nature",
    "annual_turnover",
    "employee_count",
    "rating",
    "province",
    "city",
)


class ListView(StrEnum):
    """Views of the list (A-06 to A-11); customers whose owner has left; those back in a pool
    (C-40); those that an order was completed with (C-21); those the member assists (C-20), has starred
    (C-22), or somebody within reach has (C-24); those that called the switchboard (C-02); the recycle bin (A-70).
    """

    ALL = "all"
    MINE = "mine"
    CREATED_TODAY = "created_today"
    CREATED_THIS_WEEK = "created_this_week"
    CREATED_THIS_MONTH = "created_this_month"
    RECENTLY_UPDATED = "recently_updated"
    OWNER_LEFT = "owner_left"
    RECYCLED = "recycled"
    WON = "won"
    ASSISTING = "assisting"
    STARRED = "starred"
    STARRED_IN_SCOPE = "starred_in_scope"
    CALLED = "called"
    # Only `GET /customers` shows it, and nothing else can be asked of it.
    LOCKED = "locked"
    DELETED = "deleted"


class Sort(StrEnum):
    """Orders of the list; ties are broken by id in the same direction."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    LAST_UPDATED = "-updated_at"
    FIRST_UPDATED = "updated_at"


# Views of customers that something around them makes: what the member, or members within reach, have set, or a call.
AMONG = (ListView.ASSISTING, ListView.STARRED, ListView.STARRED_IN_SCOPE, ListView.CALLED)


@dataclass(frozen=True)
class Filter:
    """Conditions of a list, combined with AND. Moments are UTC, `until` ones exclusive; `among`: one of AMONG.

    `after`: the row after which a list goes on, its moment and id; `backwards`: the order turned round.
    """

    search: str = ""
    address: str = ""
    owner_ids: tuple[UUID, ...] = ()
    pool_ids: tuple[UUID, ...] = ()
    conditions: tuple[FieldCondition, ...] = ()
    created_from: datetime | None = None
    created_until: datetime | None = None
    updated_from: datetime | None = None
    updated_until: datetime | None = None
    owner_left: bool = False
    recycled: bool = False
    won: bool = False
    deleted: bool = False
    among: ListView | None = None
    sort: Sort = Sort.NEWEST
    after: tuple[datetime, UUID] | None = None
    backwards: bool = False

    @property
    def has_text(self) -> bool:
        """Whether customers are looked for by a text."""
        return bool(self.search or self.address or any(one.kind is FilterKind.WORDS for one in self.conditions))

    @property
    def order(self) -> tuple[str, bool]:
        """The column it is sorted by, and whether it descends."""
        order = "-deleted_at" if self.deleted else self.sort
        return order.removeprefix("-"), order.startswith("-") is not self.backwards


def option_conditions(
    texts: Mapping[str, str], reference: Reference
) -> tuple[tuple[FieldCondition, ...], list[Problem]]:
    """Options asked for as parameters of their own, as conditions, and what is wrong with them. A city's code needs no
    province beside it.
    """
    city = texts.get("city", "")
    given = {
        name: text for name, text in texts.items() if text and (name != "city" or city not in reference.regions.names)
    }
    values, problems = checked(given, reference)
    if city and "city" not in given:
        values["city"] = city
    found = [
        FieldCondition(name, FilterKind.OPTION, Operator.ANY_OF, (value,))
        for name, value in sorted(values.items())
        if value is not None
    ]
    return tuple(found), problems


def with_conditions(wanted: Filter, conditions: Sequence[FieldCondition], zone: str) -> Filter:
    """`wanted` narrowed by `conditions`. Owners, pools and moments join those asked for otherwise: they have indexes."""
    for condition in conditions:
        only = condition.field if condition.operator is Operator.ANY_OF else ""
        if only == "owner_id":
            wanted = replace(wanted, owner_ids=both(wanted.owner_ids, condition.values))
        elif only == "pool_id":
            wanted = replace(wanted, pool_ids=both(wanted.pool_ids, condition.values))
        elif condition.kind is FilterKind.MOMENT:
            wanted = _between_days(wanted, condition, zone)
        else:
            wanted = replace(wanted, conditions=(*wanted.conditions, condition))
    return wanted


def both(these: tuple[UUID, ...], those: tuple[UUID, ...]) -> tuple[UUID, ...]:
    """What lies in two sets of ids, of which an empty one holds all; nobody, where nothing does."""
    if not these or not those:
        return these or those
    return tuple(id_ for id_ in these if id_ in those) or (UUID(int=0),)


def _between_days(wanted: Filter, condition: FieldCondition, zone: str) -> Filter:
    first, last = condition.values
    start, end = span(first, last, zone)
    if condition.field == "created_at":
        start, end = _latest(wanted.created_from, start), _earliest(wanted.created_until, end)
        return replace(wanted, created_from=start, created_until=end)
    start, end = _latest(wanted.updated_from, start), _earliest(wanted.updated_until, end)
    return replace(wanted, updated_from=start, updated_until=end)


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


_SINCE = {
    ListView.CREATED_TODAY: "today",
    ListView.CREATED_THIS_WEEK: "this_week",
    ListView.CREATED_THIS_MONTH: "this_month",
}


def with_view(conditions: Filter, view: ListView, member_id: UUID, moment: datetime, zone: str) -> Filter:
    """`conditions` narrowed to a view, as the member sees it at `moment` in the organisation's `zone`."""
    today = day_of(moment, zone)
    if view in _SINCE:
        start = start_of(periods_of(today)[_SINCE[view]][0], zone)
        return replace(conditions, created_from=_latest(start, conditions.created_from))
    match view:
        case ListView.MINE:
            return replace(conditions, owner_ids=both(conditions.owner_ids, (member_id,)))
        case ListView.RECENTLY_UPDATED:
            return replace(conditions, updated_from=_latest(month_before(moment), conditions.updated_from))
        case ListView.LOCKED:
            return replace(conditions, owner_ids=(UUID(int=0),))
    return replace(
        conditions,
        owner_left=view is ListView.OWNER_LEFT,
        recycled=view is ListView.RECYCLED,
        won=view is ListView.WON,
        deleted=view is ListView.DELETED,
        among=view if view in AMONG else None,
    )


def month_before(moment: datetime) -> datetime:
    """One month earlier, at the same time of day (X-26); the month's last day when it has no such day."""
    last = moment.replace(day=1) - timedelta(days=1)
    return moment.replace(year=last.year, month=last.month, day=min(moment.day, last.day))
