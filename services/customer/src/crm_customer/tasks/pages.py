"""Pages and totals of lists of tasks: what is due first, first; without a day last, in the order in which they were issued.

Each index of tasks holds one status in that order. So a page is found by a walk for each status, and for each member of the
departments seen while these are few; whoever sees many walks all tasks, of which the next one to be shown comes soon. Tasks
of one customer or dispatch are few: they are collected and sorted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, any_, exists, func, lateral, or_, select, true, union, union_all
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_customer.counting import Total, counted
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight, one_of
from crm_customer.paging import walk
from crm_customer.tasks.model import Task
from crm_customer.tasks.queries import ROLES, alive, in_departments, members_seen, overseen
from crm_customer.tasks.rules import Status, TaskConditions
from directory.tables import members

# A walk for each member of the departments costs more than one past the tasks of others.
_FEW_MEMBERS = 100


def page_of(session: Session, sight: Sight, wanted: TaskConditions, offset: int, limit: int) -> list[UUID]:
    """Ids of one page, in order."""
    if not wanted.statuses:
        return []
    return list(session.scalars(page_statement(session, sight, wanted, offset, limit)))


def page_statement(session: Session, sight: Sight, wanted: TaskConditions, offset: int, limit: int) -> Select[UUID]:
    """The statement of `page_of`; there is at least one status."""
    if wanted.customer_id or wanted.dispatch_id:
        page = _collected(sight, wanted).subquery("page")
    else:
        walk(session)
        page = _walked(session, sight, wanted, offset + limit).subquery("page")
    return select(page.c.id).order_by(page.c.due_at, page.c.id).offset(offset).limit(limit)


def _collected(sight: Sight, wanted: TaskConditions) -> Any:
    # As a sum, which no index holds in order.
    due_at = (Task.due_at + timedelta()).label("due_at")
    return select(Task.id, due_at).where(_within(sight, wanted), Task.status.in_(wanted.statuses), *_asked(wanted))


def _walked(session: Session, sight: Sight, wanted: TaskConditions, last: int) -> Any:
    if wanted.supervised and _few(session, sight):
        return union(*(_of_members(sight, wanted, role, one, last) for role in ROLES for one in wanted.statuses))
    within = _within(sight, wanted)
    return union_all(*(select(_walk(wanted, status, last, within).subquery()) for status in wanted.statuses))


def total(database: Database, sight: Sight, wanted: TaskConditions) -> Total:
    """The size of the list."""
    if not wanted.statuses:
        return Total(0)
    with database.reading() as session:
        few = wanted.supervised and _few(session, sight)
    found = select(Task.id).where(Task.status.in_(wanted.statuses), *_asked(wanted))
    if few:
        # As an array, which is looked up in the indexes.
        ids = any_(func.array(in_departments(sight).scalar_subquery(), type_=ARRAY(Uuid)))
        found = found.where(or_(*(role == ids for role in ROLES)))
    else:
        found = found.where(_within(sight, wanted))
    return counted(database, ("tasks", sight, wanted), found, {})


def _few(session: Session, sight: Sight) -> bool:
    return not sight.scope.company and members_seen(session, sight, _FEW_MEMBERS) < _FEW_MEMBERS


def _within(sight: Sight, wanted: TaskConditions) -> Condition:
    if wanted.supervised:
        return overseen(sight)
    return getattr(Task, wanted.role) == sight.scope.member_id if wanted.role else true()


def _walk(wanted: TaskConditions, status: Status, last: int, within: Condition) -> Select[UUID, datetime | None]:
    """The first tasks of one status."""
    found = select(Task.id, Task.due_at).where(within, Task.status == status, *_asked(wanted))
    return found.order_by(Task.due_at, Task.id).limit(last)


def _of_members(sight: Sight, wanted: TaskConditions, role: Any, status: Status, last: int) -> Select[Any]:
    """The first tasks of each member of the departments seen, in one of their roles."""
    there = one_of(members.c.department_id, sight.scope.department_ids)
    first = lateral(_walk(wanted, status, last, role == members.c.id).correlate(members))
    return select(first.c.id, first.c.due_at).select_from(members.join(first, true())).where(there)


def _asked(wanted: TaskConditions) -> Sequence[Condition]:
    exact = ("kind", "priority", "customer_id", "dispatch_id", "handler_id")
    given = {name: value for name in exact if (value := getattr(wanted, name)) is not None}
    found = [alive(), *(getattr(Task, name) == value for name, value in given.items())]
    if wanted.due_from:
        found.append(Task.due_at >= wanted.due_from)
    if wanted.due_until:
        found.append(Task.due_at < wanted.due_until)
    if wanted.search:
        found.append(Task.subject.icontains(wanted.search, autoescape=True))
    if wanted.handler_left:
        found.append(exists().where(members.c.id == Task.handler_id, ~members.c.active))
    if wanted.in_pool:
        found.append(exists().where(Customer.id == Task.customer_id, Customer.pool_id.is_not(None)))
    return found
