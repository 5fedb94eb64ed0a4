"""Who is told what of daily work (decision 0026)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice

# A digest is read at a glance.
_MOST_LINES = 5
_TASK_KINDS = {
    pb.TASK_ACT_ASSIGNED: Kind.TASK_ASSIGNED,
    pb.TASK_ACT_COMPLETED: Kind.TASK_COMPLETED,
    pb.TASK_ACT_ENDED: Kind.TASK_ENDED,
    pb.TASK_ACT_HANDED_ON: Kind.TASK_HANDED_ON,
}


def notice_of_digest(event_id: UUID, fact: pb.WorkDigest) -> Notice:
    """What is due for a member today."""
    return Notice(
        source_event_id=event_id,
        member_id=UUID(fact.member_id),
        kind=Kind.WORK_DUE,
        parameters={
            "count": sum(group.count for group in fact.groups),
            "day": fact.day,
            "due": [_group(group) for group in fact.groups],
        },
    )


def notice_of_reminder(event_id: UUID, fact: pb.ReminderDue) -> Notice:
    """The moment that a member asked to be reminded of."""
    return Notice(
        source_event_id=event_id,
        member_id=UUID(fact.member_id),
        kind=Kind.REMINDER_DUE,
        parameters={
            "subject": fact.subject,
            "customer": fact.customer_name,
            "at": fact.at.ToJsonString() if fact.HasField("at") else "",
        },
        subject_type=fact.subject_type,
        subject_id=UUID(fact.subject_id),
    )


def notices_of_task(event_id: UUID, fact: pb.TaskChanged) -> Iterator[Notice]:
    """One for each who is to hear of it."""
    kind = _TASK_KINDS.get(fact.act)
    if kind is None:
        return
    for receiver_id in fact.receiver_ids:
        yield Notice(
            source_event_id=event_id,
            member_id=UUID(receiver_id),
            kind=kind,
            parameters={
                "actor_id": fact.actor_id,
                "subject": fact.subject,
                "customer": fact.customer_name,
                "note": fact.note,
            },
            subject_type="task",
            subject_id=UUID(fact.task_id),
        )


def notices_of_dispatch(event_id: UUID, fact: pb.TasksDispatched) -> Iterator[Notice]:
    """One for each handler with how many tasks they got, and one for who dispatched."""
    shared = {"actor_id": fact.actor_id, "subject": fact.subject}
    where: dict[str, Any] = {"subject_type": "task_dispatch", "subject_id": UUID(fact.dispatch_id)}
    for one in fact.handlers:
        if one.member_id != fact.actor_id:
            counted = shared | {"count": one.tasks}
            yield Notice(event_id, UUID(one.member_id), Kind.TASKS_DISPATCHED, counted, **where)
    counts = {"succeeded": fact.succeeded, "skipped": fact.skipped, "failed": fact.failed}
    yield Notice(event_id, UUID(fact.actor_id), Kind.DISPATCH_FINISHED, shared | counts, **where)


def _group(group: pb.DueGroup) -> dict[str, Any]:
    lines = [
        {"title": item.title, "customer": item.customer_name, "due_on": item.due_on, "days_left": item.days_left}
        for item in group.items[:_MOST_LINES]
    ]
    return {"kind": pb.DueKind.Name(group.kind).removeprefix("DUE_KIND_").lower(), "count": group.count, "lines": lines}
