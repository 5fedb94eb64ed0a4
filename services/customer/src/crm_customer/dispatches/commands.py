"""Dispatching tasks (下发任务): one for each of many customers. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from batch.commands import start_batch
from batch.model import Batch, ItemResult
from batch.queries import positions
from batch.tables import batches
from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, NotFound, Refusal, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.batches.commands import require_workable
from crm_customer.batches.queries import locked
from crm_customer.collaborators.queries import persons
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import stamp
from crm_customer.customers.sight import Sight
from crm_customer.dispatches.model import Dispatch
from crm_customer.dispatches.queries import present, visible_dispatch
from crm_customer.dispatches.rules import UNDO_HOURS, in_turn, may_still_reopen, wrong_handlers
from crm_customer.tasks.commands import SUBJECT as TASK
from crm_customer.tasks.commands import created, problems
from crm_customer.tasks.model import Task
from crm_customer.tasks.rules import UNFINISHED, Status

SUBJECT = "task_dispatch"
KIND = "dispatch_tasks"
_COLUMNS = ("kind", "subject", "description", "priority", "due_at", "remind_at", "owner_id")


def start_dispatch(
    session: Session, sight: Sight, customer_ids: Sequence[UUID], values: Mapping[str, Any], now: datetime
) -> Batch:
    """Have each customer's task given in the background (F-22, F-24); whoever dispatches answers for them unless
    `owner_id` says who does. Handlers who are away are passed over, unless all are (design §3, Absent).

    Raises Invalid with everything that is wrong.
    """
    actor_id, handler_ids = sight.scope.member_id, values["handler_ids"]
    named = {"owner_id": values["owner_id"]} if values["owner_id"] else {}
    errors = problems(session, named, values, {"due_at", "remind_at"}, now)
    errors += wrong_handlers(handler_ids, persons(session, handler_ids))
    if errors:
        raise invalid(*errors)
    handler_ids = present(session, handler_ids, now) or handler_ids
    batch = start_batch(session, KIND, actor_id, customer_ids)
    said = {name: values[name] for name in _COLUMNS} | {"owner_id": values["owner_id"] or actor_id}
    made = {"customers": batch.total, "created_by": actor_id, "created_at": now}
    session.add(Dispatch(**said, **made, id=batch.id, handler_ids=handler_ids))
    session.flush()
    about = {"subject": said["subject"], "kind": said["kind"], "customers": batch.total, "handler_ids": handler_ids}
    record_audit(session, AuditEntry("task_dispatch.started", SUBJECT, batch.id, actor_id, None, about))
    return batch


def give_page(
    session: Session, sight: Sight, batch: Batch, customer_ids: Sequence[UUID], now: datetime
) -> list[ItemResult]:
    """Give the tasks of one page of customers. Whose turn it is follows from a customer's place in the batch alone, and a
    customer gets one task of a dispatch: so a page that is done again changes nothing.
    """
    dispatch = session.get_one(Dispatch, batch.id)
    active = persons(session, dispatch.handler_ids)
    places = positions(session, batch.id, customer_ids)
    found = locked(session, sight, customer_ids)
    results, tasks = [], []
    for id_ in customer_ids:
        handler_id = in_turn(dispatch.handler_ids, places[id_])
        try:
            _require_givable(sight, found.get(id_), active=handler_id in active)
        except Refusal as refusal:
            results.append(ItemResult.skipped(id_, refusal.code, **refusal.parameters))
        else:
            results.append(ItemResult.done(id_, handler_id=str(handler_id)))
            tasks.append(_task(dispatch, id_, handler_id, now))
    _keep(session, tasks, batch.actor_id)
    return results


def _require_givable(sight: Sight, found: tuple[Customer, bool] | None, *, active: bool) -> None:
    if found is None:
        raise NotFound("not_found")
    require_workable(sight, *found)
    if not active:
        raise Conflict("handler_left")


def _task(dispatch: Dispatch, customer_id: UUID, handler_id: UUID, now: datetime) -> dict[str, Any]:
    said = {name: getattr(dispatch, name) for name in (*_COLUMNS, "created_by")}
    made = {"status": Status.OPEN, "created_at": now, "updated_at": now}
    return (
        said | made | {"id": new_id(), "dispatch_id": dispatch.id, "customer_id": customer_id, "handler_id": handler_id}
    )


def _keep(session: Session, tasks: Sequence[dict[str, Any]], actor_id: UUID) -> None:
    if not tasks:
        return
    once = insert(Task).on_conflict_do_nothing(index_elements=["dispatch_id", "customer_id"])
    session.execute(once, tasks)
    record_audit(session, *(AuditEntry("task.created", TASK, one["id"], actor_id, None, created(one)) for one in tasks))


def end_dispatch(session: Session, sight: Sight, dispatch_id: UUID, note: str | None, now: datetime) -> Dispatch:
    """End the tasks of a dispatch that are not closed yet; each handler is told once.

    Raises NotFound, Conflict dispatch_running and dispatch_closed.
    """
    dispatch = visible_dispatch(session, sight, dispatch_id, lock=True)
    running = select(batches.c.id).where(batches.c.id == dispatch_id, batches.c.finished_at.is_(None))
    if session.scalar(running) is not None:
        raise Conflict("dispatch_running")
    tasks = _held(session, Task.dispatch_id == dispatch_id, Task.status.in_(UNFINISHED))
    if not tasks:
        raise Conflict("dispatch_closed")
    before = {task.id: task.status for task in tasks}
    for task in tasks:
        task.end(sight.scope.member_id, note, now)
    dispatch.ended_at = now
    _record(session, sight, "ended", dispatch, tasks, before)
    _tell_of_end(session, sight, tasks)
    return dispatch


def reopen_dispatch(session: Session, sight: Sight, dispatch_id: UUID, now: datetime) -> Dispatch:
    """Take back what ended a dispatch: the tasks that it ended and that are still as it left them, for 72 hours.

    Raises NotFound, Conflict dispatch_not_ended and dispatch_ended_long_ago.
    """
    dispatch = visible_dispatch(session, sight, dispatch_id, lock=True)
    if dispatch.ended_at is None:
        raise Conflict("dispatch_not_ended")
    if not may_still_reopen(dispatch.ended_at, now):
        raise Conflict("dispatch_ended_long_ago", hours=UNDO_HOURS)
    ended = (Task.status == Status.ENDED, Task.closed_at == dispatch.ended_at)
    tasks = _held(session, Task.dispatch_id == dispatch_id, *ended)
    before = {task.id: task.status for task in tasks}
    for task in tasks:
        task.reopen(now)
    dispatch.ended_at = None
    _record(session, sight, "reopened", dispatch, tasks, before)
    return dispatch


def _held(session: Session, *conditions: Any) -> Sequence[Task]:
    found = select(Task).where(*conditions, Task.deleted_at.is_(None)).order_by(Task.id).with_for_update()
    return session.scalars(found.execution_options(populate_existing=True)).all()


def _record(
    session: Session, sight: Sight, act: str, dispatch: Dispatch, tasks: Sequence[Task], before: Mapping[UUID, str]
) -> None:
    session.flush()
    actor_id = sight.scope.member_id
    entries = (
        AuditEntry(
            f"task.{act}",
            TASK,
            task.id,
            actor_id,
            {"version": task.version - 1, "status": before[task.id]},
            {"version": task.version, "status": task.status, "close_note": task.close_note},
        )
        for task in tasks
    )
    whole = AuditEntry(f"task_dispatch.{act}", SUBJECT, dispatch.id, actor_id, None, {"tasks": len(tasks)})
    record_audit(session, whole, *entries)


def _tell_of_end(session: Session, sight: Sight, tasks: Sequence[Task]) -> None:
    """One word to each handler, however many tasks they had (design rule 7)."""
    actor_id = sight.scope.member_id
    first = {task.handler_id: task for task in reversed(tasks) if task.handler_id != actor_id}
    told = [
        pb.TaskChanged(
            task_id=str(task.id),
            act=pb.TASK_ACT_ENDED,
            subject=task.subject,
            due_at=stamp(task.due_at),
            actor_id=str(actor_id),
            receiver_ids=[str(handler_id)],
            note=task.close_note or "",
        )
        for handler_id, task in first.items()
    ]
    record_event(session, *told)
