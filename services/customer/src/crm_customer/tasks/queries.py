"""Reading tasks inside the reader's sight, each with the names it shows."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight, one_of
from crm_customer.customers.views import Owner
from crm_customer.tasks.model import Task
from crm_customer.tasks.views import SeenTask, TaskCustomer
from directory.tables import members

ROLES = (Task.handler_id, Task.owner_id, Task.created_by)


def visible_task(session: Session, sight: Sight, task_id: UUID, *, lock: bool = False) -> SeenTask:
    """The task; `lock` its row for a change. Raises NotFound when it does not exist or the member does not see it."""
    found = select(Task.id).outerjoin(Customer, Customer.id == Task.customer_id)
    found = found.where(Task.id == task_id, alive(), _visible(sight))
    if session.scalar(found.with_for_update(key_share=True, of=Task) if lock else found) is None:
        raise NotFound("not_found")
    return seen_tasks(session, sight, [task_id])[0]


def seen_tasks(session: Session, sight: Sight, task_ids: Sequence[UUID]) -> list[SeenTask]:
    """The tasks with everything a view shows, in the order of `task_ids`; the scope was applied before."""
    session.flush()
    statement = (
        select(
            Task,
            Customer.id.label("customer_id"),
            Customer.name.label("customer_name"),
            sight.condition().label("sees_customer"),
            sight.unlocked.label("knows_customer"),
        )
        .outerjoin(Customer, Customer.id == Task.customer_id)
        .where(one_of(Task.id, task_ids))
    )
    rows = session.execute(statement, execution_options={"populate_existing": True}).all()
    people = _people(session, [row.Task for row in rows])
    found = {row.Task.id: _seen(sight, row, people) for row in rows}
    return [found[id_] for id_ in task_ids if id_ in found]


def alive() -> Condition:
    """Neither the task nor its customer is deleted."""
    of_customer = select(Customer.deleted_at).where(Customer.id == Task.customer_id).correlate(Task).scalar_subquery()
    return and_(Task.deleted_at.is_(None), of_customer.is_(None))


def overseen(sight: Sight) -> Condition:
    """Tasks that somebody in the departments seen issued, answers for or does (我监管的)."""
    if sight.scope.company:
        return true()
    if not sight.scope.department_ids:
        return false()
    there = one_of(members.c.department_id, sight.scope.department_ids)
    return or_(*(exists().where(members.c.id == role, there) for role in ROLES))


def people_of(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Owner]:
    """Members by id, whether or not they have left."""
    rows = _rows(session, member_ids)
    return {id_: _owner(id_, rows.get(id_)) for id_ in member_ids}


def in_departments(sight: Sight) -> Any:
    """Ids of the members of the departments seen."""
    return select(members.c.id).where(one_of(members.c.department_id, sight.scope.department_ids))


def members_seen(session: Session, sight: Sight, most: int) -> int:
    """How many members are in the departments seen; `most` and more are counted no further."""
    few = in_departments(sight).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(few)) or 0


def _visible(sight: Sight) -> Condition:
    mine = or_(*(role == sight.scope.member_id for role in ROLES))
    return or_(mine, overseen(sight), and_(Customer.id.is_not(None), sight.condition()))


def _people(session: Session, tasks: Sequence[Task]) -> dict[UUID, Any]:
    ids = {id_ for task in tasks for id_ in (task.handler_id, task.owner_id, task.created_by, task.closed_by) if id_}
    return _rows(session, ids)


def _rows(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Any]:
    columns = (members.c.id, members.c.name, members.c.active, members.c.department_id)
    rows = session.execute(select(*columns).where(one_of(members.c.id, list(member_ids))))
    return {row.id: row for row in rows}


def _seen(sight: Sight, row: Any, people: dict[UUID, Any]) -> SeenTask:
    task, scope = row.Task, sight.scope
    involved = {task.handler_id, task.owner_id, task.created_by}
    departments = {id_: people[id_].department_id for id_ in involved if id_ in people}
    others = involved - {scope.member_id}
    seen = {id_ for id_ in others if scope.company or departments.get(id_) in scope.department_ids}
    customer = None
    if row.customer_id and row.knows_customer:
        customer = TaskCustomer(id=row.customer_id, name=row.customer_name, visible=bool(row.sees_customer))
    names = {id_: _owner(id_, people.get(id_)) for id_ in involved | {task.closed_by} if id_}
    return SeenTask(task, scope.member_id, customer, names, seen)


def _owner(member_id: UUID, row: Any) -> Owner:
    return Owner(id=member_id, name=row.name, active=row.active) if row else Owner(id=member_id, name="", active=False)
