"""Reading dispatches and how far their tasks are."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from batch.tables import batches
from chassis.errors import NotFound
from crm_customer.customers.sight import Sight, one_of
from crm_customer.customers.views import Owner
from crm_customer.dispatches.model import Dispatch
from crm_customer.dispatches.views import Counts, DispatchDetail, DispatchView, HandlerCounts
from crm_customer.tasks.model import Task
from crm_customer.tasks.queries import alive, people_of
from crm_customer.tasks.rules import UNFINISHED
from directory.scope import is_absent
from directory.tables import members

_Counted = dict[UUID, dict[UUID, Counts]]


def visible_dispatch(session: Session, sight: Sight, dispatch_id: UUID, *, lock: bool = False) -> Dispatch:
    """A dispatch of the member's own, or of somebody in the departments seen. Raises NotFound."""
    found = select(Dispatch).where(Dispatch.id == dispatch_id, or_(_own(sight), _overseen(sight)))
    if lock:
        found = found.with_for_update().execution_options(populate_existing=True)
    dispatch = session.scalar(found)
    if dispatch is None:
        raise NotFound("not_found")
    return dispatch


def dispatches_of(
    session: Session, sight: Sight, *, supervised: bool, page: int, page_size: int, now: datetime
) -> tuple[list[DispatchView], int]:
    """One page, newest first, and how many there are."""
    whose = _overseen(sight) if supervised else _own(sight)
    found = select(Dispatch).where(whose).order_by(Dispatch.created_at.desc(), Dispatch.id.desc())
    shown = session.scalars(found.offset((page - 1) * page_size).limit(page_size)).all()
    counted, running = _counts(session, shown, now), _running(session, shown)
    names = people_of(session, {id_ for one in shown for id_ in (one.created_by, one.owner_id)})
    views = [DispatchView(**_columns(one, names, counted.get(one.id, {}), one.id in running)) for one in shown]
    return views, session.scalar(select(func.count()).select_from(Dispatch).where(whose)) or 0


def dispatch_detail(session: Session, dispatch: Dispatch, now: datetime) -> DispatchDetail:
    """One dispatch with the counts of each handler (F-26, F-28)."""
    session.flush()
    by_handler = _counts(session, [dispatch], now).get(dispatch.id, {})
    handler_ids = list(dict.fromkeys([*dispatch.handler_ids, *by_handler]))
    names = people_of(session, {dispatch.created_by, dispatch.owner_id, *handler_ids})
    handlers = [HandlerCounts(handler=names[id_], tasks=by_handler.get(id_, Counts())) for id_ in handler_ids]
    running = dispatch.id in _running(session, [dispatch])
    return DispatchDetail(**_columns(dispatch, names, by_handler, running), handlers=handlers)


def present(session: Session, member_ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Those of the members who are not away, in the same order."""
    rows = session.execute(
        select(members.c.id, members.c.absent_from, members.c.absent_until).where(one_of(members.c.id, member_ids))
    )
    away = {row.id for row in rows if is_absent(row.absent_from, row.absent_until, now)}
    return [id_ for id_ in member_ids if id_ not in away]


def _own(sight: Sight) -> ColumnElement[bool]:
    return Dispatch.created_by == sight.scope.member_id


def _overseen(sight: Sight) -> ColumnElement[bool]:
    if sight.scope.company:
        return true()
    if not sight.scope.department_ids:
        return false()
    there = one_of(members.c.department_id, sight.scope.department_ids)
    return exists().where(members.c.id == Dispatch.created_by, there)


def _counts(session: Session, dispatches: Sequence[Dispatch], now: datetime) -> _Counted:
    """How many tasks of each handler are where, by dispatch."""
    late = and_(Task.due_at < now, Task.status.in_(UNFINISHED))
    rows = session.execute(
        select(Task.dispatch_id, Task.handler_id, Task.status, func.count().label("tasks"))
        .add_columns(func.count().filter(late).label("late"))
        .where(one_of(Task.dispatch_id, [one.id for one in dispatches]), alive())
        .group_by(Task.dispatch_id, Task.handler_id, Task.status)
    )
    found: _Counted = {}
    for dispatch_id, handler_id, status, tasks, overdue in rows:
        counts = found.setdefault(dispatch_id, {}).setdefault(handler_id, Counts())
        setattr(counts, status, tasks)
        counts.overdue += overdue
    return found


def _running(session: Session, dispatches: Sequence[Dispatch]) -> set[UUID]:
    ids = [one.id for one in dispatches]
    return set(session.scalars(select(batches.c.id).where(one_of(batches.c.id, ids), batches.c.finished_at.is_(None))))


def _columns(
    dispatch: Dispatch, names: dict[UUID, Owner], by_handler: dict[UUID, Counts], running: bool
) -> dict[str, Any]:
    made = {"issuer": names[dispatch.created_by], "owner": names[dispatch.owner_id], "running": running}
    made["tasks"] = _sum(by_handler.values())
    return {name: made.get(name, getattr(dispatch, name, None)) for name in DispatchView.model_fields}


def _sum(counted: Collection[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(one, name) for one in counted) for name in Counts.model_fields})
