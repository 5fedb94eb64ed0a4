"""Pages and totals of the list of contacts inside a member's sight.

Three shapes, as for customers (decision 0017). What is asked for by text, number, customer or birthday, and is rare, is
collected and sorted. Whoever sees many customers walks the order's index, with the sight as a condition: the next contact
that is seen comes soon. Whoever sees few has their contacts collected, and walks for those in pools, which nobody owns.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, select, union, union_all
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_customer.contact_list.conditions import alive, asked, listed, listed_of_all, named, ways
from crm_customer.contact_list.rules import ContactConditions, Days
from crm_customer.contacts.model import Contact, day_of_year
from crm_customer.counting import Total, counted, explain
from crm_customer.customers.sight import Sight
from crm_customer.listing.texts import NUMBERS, contact_numbered
from crm_customer.paging import Shape, walk
from crm_customer.people.queries import owned
from crm_customer.search.rules import number_in

# A contact that is collected costs reading its customer, its link and itself.
_FEW = 2_000
_FEW_TEXTS = 2_500


def page_of(session: Session, sight: Sight, wanted: ContactConditions, offset: int, limit: int) -> list[UUID]:
    """Ids of one page, in order."""
    return list(session.scalars(page_statement(session, sight, wanted, offset, limit)))


def page_statement(session: Session, sight: Sight, wanted: ContactConditions, offset: int, limit: int) -> Select[UUID]:
    """The statement of `page_of`, for the rest of this transaction."""
    shape = _shape(session, sight, wanted)
    if shape is not Shape.COLLECTED:
        walk(session)
    page = _merged(sight, wanted, offset + limit) if shape is Shape.MERGED else _straight(sight, wanted, shape)
    return page.offset(offset).limit(limit)


def total(database: Database, sight: Sight, wanted: ContactConditions) -> Total:
    """The size of the list."""
    with database.reading() as session:
        few = _rare(session, sight, wanted)
    found = select(Contact.id).where(*asked(sight, wanted))
    matching = found.where(listed(sight) if few else listed_of_all(sight))
    # Who sees the company sees nearly all.
    return counted(database, ("contacts", sight, wanted), matching, {}, roughly=found if sight.scope.company else None)


def _straight(sight: Sight, wanted: ContactConditions, shape: Shape) -> Select[UUID]:
    walked = shape is Shape.WALKED
    found = select(Contact.id).where(*asked(sight, wanted, frequent=walked), listed(sight))
    if wanted.birthdays:
        day = _kept_on(wanted.birthdays)
        return found.order_by(*_directed(wanted, day >= wanted.birthdays.first, -day, Contact.id))
    moment = getattr(Contact, wanted.moment)
    # An order that no index has: what is asked for is collected, whatever PostgreSQL hopes to meet soon.
    return found.order_by(*_directed(wanted, moment if walked else moment + timedelta(), Contact.id))


def _kept_on(days: Days) -> Any:
    """The day on which a birthday is kept, as month * 100 + day."""
    return case(dict(days.lunar), value=Contact.lunar_birthday, else_=day_of_year()) if days.lunar else day_of_year()


def _merged(sight: Sight, wanted: ContactConditions, last: int) -> Select[UUID]:
    """Contacts of the few customers that lie with somebody, and those of pools in order, no further than the page."""
    near = union_all(*_near(sight, wanted)).subquery("near")
    moment = getattr(Contact, wanted.moment)
    columns = (Contact.id, moment.label("moment"))
    others = asked(sight, wanted, frequent=True)
    # As an array, which is looked up in the index of ids whatever PostgreSQL takes its size to be.
    collected = select(*columns).where(Contact.id == func.any(func.array(select(near.c[0]).scalar_subquery())), *others)
    if wanted.phone and sight.hides_everywhere(*NUMBERS):
        # In pools no number may be read.
        return collected.order_by(*_directed(wanted, moment, Contact.id))
    walked = (
        select(*columns)
        .where(Contact.owner_id.is_(None), *others, listed(sight))
        # Nobody leads the order, so that the index of owners fits.
        .order_by(*_directed(wanted, Contact.owner_id, moment, Contact.id))
        .limit(last)
        .subquery("walked")
    )
    page = union(collected, select(walked)).subquery("page")
    return select(page.c.id).order_by(*_directed(wanted, page.c.moment, page.c.id))


def _directed(wanted: ContactConditions, *columns: Any) -> list[Any]:
    """The latest, or largest, first."""
    return [column.asc() if wanted.backwards else column.desc() for column in columns]


def _near(sight: Sight, wanted: ContactConditions) -> Sequence[Select[Any]]:
    """Ids of the member's contacts, and of those at customers that do not lie in a pool."""
    places = (sight.owned, sight.in_departments, sight.unplaced, sight.shared)
    return [select(Contact.id).where(owned(sight), alive(wanted)), *(ways(sight).where(place) for place in places)]


def _shape(session: Session, sight: Sight, wanted: ContactConditions) -> Shape:
    if _rare(session, sight, wanted):
        return Shape.COLLECTED
    if sight.scope.company or wanted.owner_id:
        return Shape.WALKED
    few = union_all(*(select(found.limit(_FEW).subquery()) for found in _near(sight, wanted))).subquery()
    count = session.scalar(select(func.count()).select_from(few)) or 0
    return Shape.MERGED if count < _FEW else Shape.WALKED


def _rare(session: Session, sight: Sight, wanted: ContactConditions) -> bool:
    """Whether what is asked for is fewer contacts than a walk in order might pass before the page is full."""
    if wanted.customer_id or wanted.birthdays:
        return True
    texts = [named(wanted.name)] if wanted.name else []
    if number := number_in(wanted.phone):
        texts.append(select(Contact.id).where(contact_numbered(number), Contact.deleted_at.is_(None)))
    return any(int(explain(session, found, {})["Plan Rows"]) < _FEW_TEXTS for found in texts)
