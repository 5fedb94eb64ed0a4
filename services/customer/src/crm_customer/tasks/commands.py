"""What members do with tasks. Each function runs in the transaction its edge has opened.

Customers are locked before tasks, as everywhere.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import FieldError, Forbidden, Invalid, NotFound, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.activities.commands import write_activity
from crm_customer.activities.rules import Kind
from crm_customer.collaborators.queries import persons
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import stamp
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.tasks.model import Task
from crm_customer.tasks.queries import visible_task
from crm_customer.tasks.rules import Act, Status, may, not_theirs, wrong_members, wrong_moments
from crm_customer.tasks.views import SeenTask
from crm_customer.versions import record_act, stale, stale_since

SUBJECT = "task"
_ROLES = ("owner_id", "handler_id")


def create_task(session: Session, sight: Sight, values: Mapping[str, Any], now: datetime) -> Task:
    """Ask a member for something, about a customer or not (F-20); by default the caller does it, and the handler answers
    for it.

    Raises Invalid with everything that is wrong, Conflict claim_first, Forbidden read_only_collaborator.
    """
    actor_id = sight.scope.member_id
    _require_customer(session, sight, values["customer_id"])
    handler_id = values["handler_id"] or actor_id
    given = dict(values) | {"handler_id": handler_id, "owner_id": values["owner_id"] or handler_id}
    named = {name: values[name] for name in _ROLES if values[name]}
    if errors := problems(session, named, given, {"due_at", "remind_at"}, now):
        raise invalid(*errors)
    made = {"created_by": actor_id, "created_at": now, "updated_at": now}
    task = Task(**given, id=new_id(), version=1, status=Status.OPEN, progress=0, **made)
    session.add(task)
    session.flush()
    record_audit(session, AuditEntry("task.created", SUBJECT, task.id, actor_id, None, created(given)))
    _tell(session, visible_task(session, sight, task.id), pb.TASK_ACT_ASSIGNED, {task.handler_id, task.owner_id})
    return task


def created(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit keeps of a new task with these columns."""
    names = ("customer_id", "dispatch_id", "kind", "subject", "description", "priority", *_ROLES, "due_at", "remind_at")
    return {"version": 1} | {name: values[name] for name in names if values.get(name) is not None}


def change_task(
    session: Session, sight: Sight, task_id: UUID, values: Mapping[str, Any], expected: int, now: datetime
) -> None:
    """Change what is asked for, who does it, or how far it is. Sending what already holds changes nothing.

    Raises NotFound, Forbidden task_not_yours, Invalid, Conflict task_closed, and Stale with both values of each clashing
    field.
    """
    seen = _held(session, sight, task_id, Act.CHANGE)
    task = seen.task
    changed = {name for name, value in values.items() if value != getattr(task, name)}
    if refused := not_theirs(changed, seen.standing):
        raise Forbidden(
            "task_field_not_yours", errors=[FieldError(f"/{name}", "task_field_not_yours") for name in refused]
        )
    if task.version != expected:
        raise stale_since(session, SUBJECT, task, expected, values)
    people = {name: values[name] for name in _ROLES if name in changed}
    after = {name: values.get(name, getattr(task, name)) for name in ("due_at", "remind_at")}
    if errors := problems(session, people, after, changed & after.keys(), now):
        raise invalid(*errors)
    before = task.change(values, now)
    if before:
        _record(session, sight, "changed", seen, before)
        gave, got = {before[name] for name in people}, {*people.values()}
        _tell(session, seen, pb.TASK_ACT_ASSIGNED, got)
        _tell(session, seen, pb.TASK_ACT_HANDED_ON, gave - got)


def start_task(session: Session, sight: Sight, task_id: UUID, now: datetime) -> None:
    """Say that somebody is at it. Raises NotFound, Forbidden task_not_yours, Conflict task_closed."""
    seen = _held(session, sight, task_id, Act.START)
    if seen.task.start(now):
        _record(session, sight, "started", seen, {"status": Status.OPEN})


def complete_task(
    session: Session,
    sight: Sight,
    task_id: UUID,
    note: str | None,
    follow_up: Mapping[str, Any] | None,
    now: datetime,
    today: date,
) -> None:
    """Say that it is done, and log the follow-up that it was (F-17). Raises as `end_task`, and what is wrong with the
    follow-up.
    """
    if follow_up is not None:
        _log(session, sight, visible_task(session, sight, task_id), follow_up, now, today)
    seen = _held(session, sight, task_id, Act.COMPLETE)
    before = {"status": seen.task.status}
    seen.task.complete(sight.scope.member_id, note, now)
    _record(session, sight, "completed", seen, before)
    _tell_of_end(session, seen, pb.TASK_ACT_COMPLETED)


def end_task(session: Session, sight: Sight, task_id: UUID, note: str | None, now: datetime) -> None:
    """Let it be done no more (F-29). Raises NotFound, Forbidden task_not_yours, Conflict task_closed."""
    seen = _held(session, sight, task_id, Act.END)
    before = {"status": seen.task.status}
    seen.task.end(sight.scope.member_id, note, now)
    _record(session, sight, "ended", seen, before)
    _tell_of_end(session, seen, pb.TASK_ACT_ENDED)


def reopen_task(session: Session, sight: Sight, task_id: UUID, now: datetime) -> None:
    """Take back that it was done or ended. Raises NotFound, Forbidden task_not_yours, Conflict task_not_closed."""
    seen = _held(session, sight, task_id, Act.REOPEN)
    before = {"status": seen.task.status}
    seen.task.reopen(now)
    _record(session, sight, "reopened", seen, before)


def delete_task(session: Session, sight: Sight, task_id: UUID, expected: int, now: datetime) -> None:
    """Raises NotFound, Forbidden task_not_yours, Stale."""
    seen = _held(session, sight, task_id, Act.DELETE)
    if seen.task.version != expected:
        raise stale(seen.task)
    seen.task.delete(now)
    _record(session, sight, "deleted", seen, {})


def problems(
    session: Session, people: Mapping[str, UUID], moments: Mapping[str, Any], changed: Collection[str], now: datetime
) -> list[FieldError]:
    """What is wrong with members and moments by field; `changed`: which moments are new."""
    wrong = wrong_members(people, persons(session, {*people.values()}))
    return [*wrong, *wrong_moments(moments["due_at"], moments["remind_at"], changed, now)]


def _held(session: Session, sight: Sight, task_id: UUID, act: Act) -> SeenTask:
    seen = visible_task(session, sight, task_id, lock=True)
    if not may(act, seen.standing, closed_it=seen.closed_it):
        raise Forbidden("task_not_yours")
    return seen


def _require_customer(session: Session, sight: Sight, customer_id: UUID | None) -> None:
    """Hold the customer of a new task, which the member may change."""
    if customer_id is None:
        return
    try:
        require_writable(session, sight, visible_customer(session, sight, customer_id, lock=True))
    except NotFound as error:
        raise invalid(FieldError("/customer_id", "customer_not_found")) from error


def _log(
    session: Session, sight: Sight, seen: SeenTask, follow_up: Mapping[str, Any], now: datetime, today: date
) -> None:
    customer_id = seen.task.customer_id
    try:
        if customer_id is None:
            raise invalid(FieldError("", "task_without_customer"))
        customer = visible_customer(session, sight, customer_id, lock=True)
        write_activity(session, sight, customer, Kind.FOLLOW_UP, follow_up, now, today)
    except NotFound as error:
        raise invalid(FieldError("/follow_up", "customer_not_found")) from error
    except Invalid as refusal:
        # The caller wrote these fields one level deeper.
        refusal.errors = tuple(replace(one, pointer=f"/follow_up{one.pointer}") for one in refusal.errors)
        raise


def _record(session: Session, sight: Sight, act: str, seen: SeenTask, before: Mapping[str, Any]) -> None:
    task = seen.task
    names = {*before, *(("close_note",) if task.close_note and "status" in before else ())}
    after = {name: getattr(task, name) for name in sorted(names)}
    session.flush()
    record_act(session, SUBJECT, act, task, sight.scope.member_id, before, after)


def _tell_of_end(session: Session, seen: SeenTask, act: pb.TaskAct.ValueType) -> None:
    """Those of a single task; the dispatcher of many looks at all of them together (F-26)."""
    if seen.task.dispatch_id is None:
        _tell(session, seen, act, {seen.task.created_by, seen.task.owner_id, seen.task.handler_id})


def _tell(session: Session, seen: SeenTask, act: pb.TaskAct.ValueType, receivers: Collection[UUID]) -> None:
    task, told = seen.task, sorted(str(id_) for id_ in {*receivers} - {seen.reader_id})
    if not told:
        return
    session.flush()
    customer = session.get_one(Customer, task.customer_id) if task.customer_id else None
    changed = pb.TaskChanged(
        task_id=str(task.id),
        act=act,
        subject=task.subject,
        # Of a customer that its owner has locked nobody else hears (H-17).
        customer_name=customer.name if customer and customer.locked_at is None else "",
        due_at=stamp(task.due_at),
        actor_id=str(seen.reader_id),
        receiver_ids=told,
        note=task.close_note or "",
    )
    record_event(session, changed)
