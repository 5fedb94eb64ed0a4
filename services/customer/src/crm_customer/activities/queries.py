"""Reading activities inside the reader's sight: whoever sees the customer sees what was done with it.

A page is the walk of one index, newest first: a customer's activities, each author's, or all. No plan may begin with the
customers seen: their activities would be collected and sorted (decision 0017).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, any_, bindparam, column, func, literal, select, true, tuple_
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import FieldError, NotFound, invalid
from crm_customer.activities.model import Activity
from crm_customer.activities.rules import Kind
from crm_customer.activities.views import ActivityView
from crm_customer.counting import Total, counted
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Condition, Sight, one_of
from crm_customer.customers.views import Named
from crm_customer.paging import walk
from directory.tables import members

_NEWEST_FIRST = (Activity.at.desc(), Activity.id.desc())
_FEW_AUTHORS = 20
# Each row that is walked reads its customer too.
_FEW_ROWS = 4_000


@dataclass(frozen=True)
class ActivityConditions:
    """Which activities: of one customer, or of these authors; None: anybody's. `since` inclusive, `until` exclusive;
    `after`: moment and id of the one after which the list goes on.
    """

    customer_id: UUID | None = None
    author_ids: tuple[UUID, ...] | None = None
    kind: Kind | None = None
    method: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, UUID] | None = None


def authors_seen(session: Session, sight: Sight, member_id: UUID | None) -> tuple[UUID, ...] | None:
    """Whose activities the member browses: one's own, those of colleagues, and of the departments one sees (F-14); None:
    everybody's. Of these only `member_id`'s, if that is given. Raises Invalid for somebody else's.
    """
    scope = sight.scope
    if scope.company:
        return None if member_id is None else (member_id,)
    if member_id in sight.owner_ids:
        return (member_id,)
    found = select(members.c.id).where(one_of(members.c.department_id, scope.department_ids)).order_by(members.c.id)
    if member_id is None:
        return (*sight.owner_ids, *(id_ for id_ in session.scalars(found) if id_ not in sight.owner_ids))
    if session.scalar(found.where(members.c.id == member_id)) is None:
        raise invalid(FieldError("/member_id", "member_out_of_sight"))
    return (member_id,)


def page_of(session: Session, sight: Sight, wanted: ActivityConditions, offset: int, limit: int) -> list[ActivityView]:
    """Some activities, newest first; a customer that is named must have been seen before."""
    ids = session.scalars(page_statement(session, sight, wanted, offset, limit)).all()
    return [_view(row) for row in session.execute(_named().where(one_of(Activity.id, ids)).order_by(*_NEWEST_FIRST))]


def page_statement(session: Session, sight: Sight, wanted: ActivityConditions, offset: int, limit: int) -> Select[UUID]:
    """The statement that finds the ids of `page_of`, for the rest of this transaction."""
    walk(session)
    last = offset + limit
    if wanted.customer_id is not None:
        found = select(Activity.id).where(*_conditions(wanted), *_by(wanted)).order_by(*_NEWEST_FIRST)
    elif _merges(wanted.author_ids, last):
        found = _merged(sight, wanted, last)
    else:
        # Authors as a value that no index has: the walk in order meets one of many soon.
        others = [by.is_(other=True) for by in _by(wanted)]
        found = select(Activity.id).where(*_conditions(wanted), *others, _seen(sight)).order_by(*_NEWEST_FIRST)
    return found.offset(offset).limit(limit)


def total(database: Database, sight: Sight, wanted: ActivityConditions) -> Total:
    """The size of the whole list."""
    wanted = replace(wanted, after=None)
    matching = select(Activity.id).where(*_conditions(wanted), *_by(wanted))
    if wanted.customer_id is None:
        matching = matching.join(Customer, Customer.id == Activity.customer_id)
        matching = matching.where(Customer.deleted_at.is_(None), sight.condition())
    return counted(database, ("activities", sight, wanted), matching, {})


def activity_view(session: Session, sight: Sight, activity_id: UUID) -> ActivityView:
    """One activity of a customer that the member sees. Raises NotFound."""
    found = _named().where(Activity.id == activity_id, Activity.deleted_at.is_(None))
    row = session.execute(found.where(Customer.deleted_at.is_(None), sight.condition())).one_or_none()
    if row is None:
        raise NotFound("not_found")
    return _view(row)


def activities_among(session: Session, sight: Sight, activity_ids: Sequence[UUID]) -> list[ActivityView]:
    """Of these activities, those of customers that the member sees, in their order."""
    found = _named().where(one_of(Activity.id, activity_ids), Activity.deleted_at.is_(None))
    rows = session.execute(found.where(Customer.deleted_at.is_(None), sight.condition()))
    views = {row.Activity.id: _view(row) for row in rows}
    return [views[id_] for id_ in activity_ids if id_ in views]


def locked_activity(session: Session, sight: Sight, activity_id: UUID) -> tuple[Customer, Activity]:
    """An activity that the member sees, for a change, with its customer. Raises NotFound."""
    mine = (Activity.id == activity_id, Activity.deleted_at.is_(None))
    customer_id = session.scalar(select(Activity.customer_id).where(*mine))
    if customer_id is None:
        raise NotFound("not_found")
    customer = visible_customer(session, sight, customer_id, lock=True)
    found = select(Activity).where(*mine).with_for_update(key_share=True)
    activity = session.scalar(found.execution_options(populate_existing=True))
    if activity is None:
        raise NotFound("not_found")
    return customer, activity


def last_touches(session: Session, customer_id: UUID, most: int) -> Sequence[Activity]:
    """The last follow-ups of a customer, newest first."""
    mine = select(Activity).where(*_conditions(ActivityConditions(customer_id, kind=Kind.FOLLOW_UP)))
    return session.scalars(mine.order_by(*_NEWEST_FIRST).limit(most)).all()


def promises(session: Session, customer_id: UUID, today: date, most: int) -> Sequence[Activity]:
    """The follow-ups of a customer whose next contact lies ahead, the next one first."""
    ahead = select(Activity).where(*_conditions(ActivityConditions(customer_id)), Activity.next_contact_on >= today)
    return session.scalars(ahead.order_by(Activity.next_contact_on, Activity.id).limit(most)).all()


def _conditions(wanted: ActivityConditions) -> list[Condition]:
    """What is asked, without authors and sight."""
    equal = {Activity.customer_id: wanted.customer_id, Activity.kind: wanted.kind, Activity.method: wanted.method}
    found: list[Condition] = [Activity.deleted_at.is_(None)]
    found += [place == value for place, value in equal.items() if value is not None]
    if wanted.since is not None:
        found.append(Activity.at >= wanted.since)
    if wanted.until is not None:
        found.append(Activity.at < wanted.until)
    if wanted.after is not None:
        found.append(tuple_(Activity.at, Activity.id) < tuple_(*map(literal, wanted.after)))
    return found


def _by(wanted: ActivityConditions) -> list[Condition]:
    return [] if wanted.author_ids is None else [one_of(Activity.member_id, wanted.author_ids)]


def _merges(author_ids: tuple[UUID, ...] | None, last: int) -> bool:
    if author_ids is None:
        return False
    return len(author_ids) <= _FEW_AUTHORS or len(author_ids) * last <= _FEW_ROWS


def _merged(sight: Sight, wanted: ActivityConditions, last: int) -> Select[UUID]:
    """Of each author as many as the page may need. The author, compared with an array, leads the order although it is one
    value, so that only the index of authors fits.
    """
    given = func.unnest(bindparam("authors", list(wanted.author_ids or ()), ARRAY(Uuid)))
    each = given.table_valued(column("id", Uuid)).render_derived(name="author")
    walk = select(Activity.id, Activity.at).where(*_conditions(wanted), _seen(sight))
    walk = walk.where(Activity.member_id == any_(array([each.c.id])))
    by_author = (
        walk.order_by(Activity.member_id.desc(), *_NEWEST_FIRST).limit(last).correlate(each).lateral("of_author")
    )
    found = select(by_author.c.id).select_from(each.join(by_author, true()))
    return found.order_by(by_author.c.at.desc(), by_author.c.id.desc())


def _seen(sight: Sight) -> Any:
    """Whether the activity's customer is seen, asked of each row that a walk meets."""
    mine = (Customer.id == Activity.customer_id, Customer.deleted_at.is_(None))
    return select(sight.condition()).where(*mine).correlate(Activity).scalar_subquery()


def _named() -> Select[Any]:
    named = select(Activity, members.c.name, Customer.name.label("customer_name"))
    named = named.join(Customer, Customer.id == Activity.customer_id)
    return named.outerjoin(members, members.c.id == Activity.member_id)


def _view(row: Any) -> ActivityView:
    activity = row.Activity
    names = set(ActivityView.model_fields) - {"member", "customer"}
    return ActivityView(
        member=Named(id=activity.member_id, name=row.name or ""),
        customer=Named(id=activity.customer_id, name=row.customer_name),
        **{name: getattr(activity, name) for name in names},
    )
