"""Records as files hold them, page by page: by the list's own builder, as their reader sees them when the page is read.

A page takes the same number of statements however many rows it has.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Select, Text, any_, func, literal, or_, select
from sqlalchemy.orm import Session

from chassis.http.cursors import read_cursor, write_cursor
from crm_customer.activities.model import Activity
from crm_customer.activities.queries import activities_among
from crm_customer.activities.rules import Kind
from crm_customer.activities.views import ActivityView
from crm_customer.contacts.model import FORM_FIELDS, Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import seen
from crm_customer.customers.rules import Parts
from crm_customer.customers.sight import Sight, one_of
from crm_customer.customers.views import Seen
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import regions
from crm_customer.exports.rules import Column, activity_columns, contact_columns, customer_columns
from crm_customer.fields.queries import custom_fields
from crm_customer.fields.words import Words
from crm_customer.imports.tagging import Vocabulary, load_vocabulary
from crm_customer.listing.pages import created_at, matching_after, part_of, visible_after
from crm_customer.listing.queries import page_of, visible_ids
from crm_customer.listing.rules import Filter
from crm_customer.ownership.queries import administered_pools
from crm_customer.people.queries import seen_contacts, visible_contacts
from crm_customer.people.views import SeenContact, contact_detail
from crm_customer.profiles.queries import profiles_of
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import normalised
from directory.permissions import Permission

# Whose contacts and activities are looked for at once.
_CUSTOMERS_AT_ONCE = 200
_LINKED = (
    select(CustomerContact.contact_id, CustomerContact.customer_id)
    .select_from(CustomerContact)
    .join(Contact, Contact.id == CustomerContact.contact_id)
    .where(Contact.deleted_at.is_(None))
)
_WRITTEN = select(Activity.id, Activity.customer_id).where(
    Activity.deleted_at.is_(None), Activity.kind == Kind.FOLLOW_UP
)
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """What is exported: by `ids` of records, or those of the customers that `wanted` finds."""

    sight: Sight
    ids: tuple[UUID, ...] = ()
    wanted: Filter | None = None


@dataclass(frozen=True)
class Page:
    """Values of some records by name of column, and where to go on; empty: that was all."""

    rows: Sequence[Values]
    next: str


@dataclass(frozen=True)
class Exporter:
    """One kind of records: its columns, a page of them after a place that a page before named, and how many of some are
    seen. `belonging`: ids of such records, each with its customer's; none: they are customers.
    """

    columns: Callable[[Sequence[Column]], list[Column]]
    page: Callable[[Session, Asked, str, int], Page]
    visible: Callable[[Session, Asked], int]
    belonging: Select[UUID, UUID] | None = None


def without_pools(session: Session, sight: Sight) -> Sight:
    """What the member sees, but for customers in pools that others administer (peers §1.9, decision 0030)."""
    mine = administered_pools(session, sight.scope)
    kept = [(id_, hidden) for id_, hidden in zip(sight.pool_ids, sight.hidden, strict=True) if id_ in mine]
    if len(kept) == len(sight.pool_ids):
        return sight
    # Whoever sees the company would see every pool by this permission.
    scope = replace(sight.scope, permissions=sight.scope.permissions - {Permission.POOL_TO_BE_ASSIGNED})
    return Sight(scope, tuple(id_ for id_, _ in kept), tuple(hidden for _, hidden in kept))


def load_words(session: Session, sight: Sight, language: str) -> tuple[Words, list[Column]]:
    """What values are called, and the columns of the custom fields that the member sees."""
    fields = custom_fields(session, sight.scope)
    custom = [Column(f"custom.{field.key}", field.label_zh, field.label_en) for field in fields]
    rules = {field.key: field.rule() for field in fields}
    return Words(language, ZoneInfo(sight.scope.zone), load_options(session), regions(), rules), custom


def _customers(session: Session, asked: Asked, after: str, size: int) -> Page:
    if asked.wanted is None:
        ids, goes_on = visible_after(session, asked.sight, asked.ids, after, size)
    else:
        ids, goes_on = matching_after(session, asked.sight, asked.wanted, after, size)
    return Page(_customer_values(session, asked.sight, ids), goes_on)


def _customer_values(session: Session, sight: Sight, ids: Sequence[UUID]) -> list[Values]:
    profiles, vocabulary = profiles_of(session, ids), load_vocabulary(session)
    return [
        _customer(one, profiles.get(one.customer.id, {}), vocabulary)
        for one in seen(session, sight, ids)
        if _is_placed_within(sight, one.customer)
    ]


def _is_placed_within(sight: Sight, customer: Customer) -> bool:
    """Whoever has just made a customer sees it also where it lies in another's pool."""
    return sight.everything or customer.pool_id is None or customer.pool_id in sight.pool_ids


def _customer(one: Seen, profile: dict[str, Any], vocabulary: Vocabulary) -> Values:
    customer, contact = one.customer, one.contact
    values = Parts(customer.values(), contact.values() if contact else {}, profile, one.custom).flat()
    shown = {name: value for name, value in values.items() if name not in one.hidden}
    return shown | {
        "id": customer.id,
        "owner": one.owner_name,
        "owner_id": customer.owner_id,
        "pool": one.pool_name,
        "tags": vocabulary.written(tag.id for tag in one.tags),
        "created_by": one.creator_name,
        "created_at": customer.created_at,
        "updated_at": customer.updated_at,
        "last_touch_at": customer.last_touch_at,
    }


def _contacts(session: Session, asked: Asked, after: str, size: int) -> Page:
    if asked.wanted is None:
        part, goes_on = part_of(asked.ids, after, size)
        people = visible_contacts(session, asked.sight, part)
        return Page(_contact_values(session, [(one, contact_detail(one).customer) for one in people]), goes_on)
    links, goes_on = _of_customers(session, asked, after, size, _LINKED)
    people = seen_contacts(session, asked.sight, [contact_id for contact_id, _ in links])
    ways = [
        next((way for way in one.ways if way.customer_id == of), None)
        for one, (_, of) in zip(people, links, strict=True)
    ]
    return Page(_contact_values(session, list(zip(people, ways, strict=True))), goes_on)


def _contact_values(session: Session, found: Sequence[tuple[SeenContact, Any]]) -> list[Values]:
    vocabulary = load_vocabulary(session)
    named = _naming(session, [way.name for _, way in found if way])
    return [_contact(one, named(way), vocabulary) for one, way in found]


def _contact(one: SeenContact, customer: str, vocabulary: Vocabulary) -> Values:
    contact = one.contact
    values = {name: getattr(contact, name) for name in FORM_FIELDS if f"contact.{name}" not in one.hidden}
    return values | {
        "id": contact.id,
        "customer": customer,
        "owner": one.owner.name if one.owner else None,
        "tags": vocabulary.written(tag.id for tag in one.tags),
        "created_by": one.creator.name if one.creator else None,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
    }


def _activities(session: Session, asked: Asked, after: str, size: int) -> Page:
    if asked.wanted is None:
        part, goes_on = part_of(asked.ids, after, size)
    else:
        links, goes_on = _of_customers(session, asked, after, size, _WRITTEN)
        part = [activity_id for activity_id, _ in links]
    found = [one for one in activities_among(session, asked.sight, part) if one.kind is Kind.FOLLOW_UP]
    named = _naming(session, [one.customer.name for one in found if one.customer])
    return Page([_activity(one, named(one.customer)) for one in found], goes_on)


def _activity(one: ActivityView, customer: str) -> Values:
    names = ("id", "content", "method", "at", "next_contact_on")
    return {name: getattr(one, name) for name in names} | {"customer": customer, "member": one.member.name}


def _of_customers(
    session: Session, asked: Asked, after: str, size: int, belonging: Select[UUID, UUID]
) -> tuple[list[tuple[UUID, UUID]], str]:
    """Ids of what belongs to the customers asked for, each with its customer's, and where to go on.

    A customer may have more than a page holds: the place names the last one read.
    """
    assert asked.wanted is not None, "what belongs to customers is found by their filter"
    at, customer_id, last = _place(after)
    found = page_of(session, asked.sight, _beyond(asked.wanted, at, customer_id), 0, _CUSTOMERS_AT_ONCE + 1)
    ids = found[:_CUSTOMERS_AT_ONCE]
    child, of = belonging.selected_columns
    statement = belonging.where(one_of(of, ids))
    if last is not None and ids:
        statement = statement.where(or_(of != ids[0], child > last))
    rows = session.execute(statement.order_by(func.array_position(ids, of), child).limit(size + 1)).all()
    links = [(row[0], row[1]) for row in rows[:size]]
    if len(rows) > size:
        begun = ids.index(links[-1][1])
        before = ids[begun - 1] if begun else customer_id
        moment = created_at(session, before) if before else None
        return links, _written(moment, before, links[-1][0])
    if len(found) > _CUSTOMERS_AT_ONCE:
        return links, _written(created_at(session, ids[-1]), ids[-1])
    return links, ""


def _beyond(wanted: Filter, at: datetime | None, customer_id: UUID | None) -> Filter:
    return wanted if at is None or customer_id is None else replace(wanted, after=(at, customer_id))


def _place(written: str) -> tuple[datetime | None, UUID | None, UUID | None]:
    """After which customer to go on, and after which of the next one's records. Raises Invalid unknown_cursor."""
    if not written:
        return None, None, None

    def place(at: str, customer_id: str, last: str) -> tuple[datetime | None, UUID | None, UUID | None]:
        moment = datetime.fromisoformat(at) if at else None
        return moment, UUID(customer_id) if customer_id else None, UUID(last) if last else None

    return read_cursor(written, place)


def _written(at: datetime | None, customer_id: UUID | None, last: UUID | None = None) -> str:
    return write_cursor(at.isoformat() if at else "", str(customer_id or ""), str(last or ""))


def _naming(session: Session, names: Collection[str]) -> Callable[[Any], str]:
    """How a file names a customer: by its name, where several are called so by its id."""
    wanted = sorted({normalised(name) for name in names})
    known = CustomerSearch.name == any_(literal(wanted, ARRAY(Text)))
    repeated = select(CustomerSearch.name).where(known).group_by(CustomerSearch.name).having(func.count() > 1)
    shared = set(session.scalars(repeated)) if wanted else set()

    def named(customer: Any) -> str:
        if customer is None:
            return ""
        id_ = getattr(customer, "customer_id", None) or customer.id
        return str(id_) if normalised(customer.name) in shared else str(customer.name)

    return named


def _fixed(columns: Callable[[], list[Column]]) -> Callable[[Iterable[Column]], list[Column]]:
    return lambda _custom: columns()


CUSTOMERS = Exporter(
    customer_columns, _customers, lambda session, asked: len(visible_ids(session, asked.sight, asked.ids))
)
CONTACTS = Exporter(
    _fixed(contact_columns),
    _contacts,
    lambda session, asked: len(visible_contacts(session, asked.sight, asked.ids)),
    _LINKED,
)
ACTIVITIES = Exporter(
    _fixed(activity_columns),
    _activities,
    lambda session, asked: len(activities_among(session, asked.sight, asked.ids)),
    _WRITTEN,
)
