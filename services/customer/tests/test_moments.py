"""Reminders of a moment that was asked for: told once, to whoever is there to hear of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from chassis.clock import now
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.customers.model import Customer
from crm_customer.dispatches.model import Dispatch
from crm_customer.reminders.moments import OF_TASKS, remind
from crm_customer.schedules.model import ScheduleEntry
from crm_customer.tasks.model import Task
from directory import store

MOMENT = datetime(2026, 11, 26, 3, tzinfo=UTC)


def _kept(customers: Any, record: Any) -> Any:
    with customers.database.transaction() as session:
        session.add(record)
        session.flush()
        session.expunge(record)
    return record


def _task(customers: Any, handler: Any, customer: Any = None, **fields: Any) -> Task:
    by = customers.organisation.admin.id
    given: dict[str, Any] = {
        "kind": "call",
        "subject": "回访",
        "priority": "normal",
        "status": "open",
        "customer_id": customer and UUID(customer["id"]),
        "due_at": MOMENT,
        "remind_at": now() - timedelta(minutes=1),
    }
    made = {"owner_id": by, "created_by": by, "created_at": MOMENT, "updated_at": MOMENT}
    return _kept(customers, Task(id=new_id(), handler_id=handler.id, **made, **given | fields))


def _told(customers: Any) -> list[pb.ReminderDue]:
    """What both due tasks of reminders tell, run until nothing is left."""
    for task in customers.service.all_due():
        if task.name in ("remind-of-tasks", "remind-of-schedule-entries"):
            while task.run(customers.runtime):
                pass
    found: list[pb.ReminderDue] = customers.outbox(pb.ReminderDue)
    return found


def test_a_task_and_an_entry_are_told_once_when_their_moment_has_come(customers: Any) -> None:
    sales, soon = customers.organisation.sales, now() + timedelta(hours=1)
    task = _task(customers, sales, customers.create(sales, "远山机电"))
    _task(customers, sales, subject="以后", remind_at=soon)
    _task(customers, sales, subject="无提醒", remind_at=None)
    made = {"created_by": sales.id, "created_at": MOMENT, "updated_at": MOMENT}
    when = {"starts_at": MOMENT, "ends_at": MOMENT, "remind_at": MOMENT}
    entry = _kept(customers, ScheduleEntry(id=new_id(), member_id=sales.id, subject="拜访", **when, **made))

    told = _told(customers)

    assert [(one.subject_type, one.subject_id, one.subject, one.customer_name) for one in told] == [
        ("task", str(task.id), "回访", "远山机电"),
        ("schedule_entry", str(entry.id), "拜访", ""),
    ]
    assert {one.member_id for one in told} == {str(sales.id)}
    assert {one.at.ToDatetime(UTC) for one in told} == {MOMENT}
    assert _told(customers) == told


@pytest.mark.parametrize("over", ["closed", "deleted", "customer deleted", "handler left"])
def test_what_is_over_is_not_told(customers: Any, over: str) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    _task(customers, sales, customer, **{f"{over}_at": MOMENT} if over in ("closed", "deleted") else {})
    with customers.database.transaction() as session:
        if over == "customer deleted":
            session.execute(update(Customer).values(deleted_at=MOMENT))
        if over == "handler left":
            state = customers.organisation.member_state(sales, version=2)
            state.active = False
            store.store_members(session, [state])

    assert _told(customers) == []


def test_the_name_of_a_customer_that_another_has_locked_stays_with_its_owner(customers: Any) -> None:
    """H-17."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    for handler in (organisation.sales, organisation.colleague):
        _task(customers, handler, customer)
    with customers.database.transaction() as session:
        session.execute(update(Customer).values(locked_at=MOMENT, locked_by=organisation.sales.id))

    names = {one.member_id: one.customer_name for one in _told(customers)}

    assert names == {str(organisation.sales.id): customer["name"], str(organisation.colleague.id): ""}


def test_what_a_dispatch_gave_a_member_is_told_in_one_word(customers: Any) -> None:
    """Design rule 7: one notice per receiver, however many customers."""
    sales, colleague = customers.organisation.sales, customers.organisation.colleague
    said = {"kind": "call", "subject": "促销", "priority": "normal", "owner_id": sales.id, "created_by": sales.id}
    given = {"handler_ids": [sales.id, colleague.id], "customers": 5, "created_at": MOMENT}
    dispatch = _kept(customers, Dispatch(id=new_id(), **said, **given))
    for handler in (sales, colleague, sales, colleague, sales):
        _task(customers, handler, customers.create(sales), dispatch_id=dispatch.id, subject="促销")

    told = _told(customers)

    assert sorted((one.member_id, one.subject, one.customer_name) for one in told) == sorted(
        (str(handler.id), "促销", "") for handler in (sales, colleague)
    )


def test_what_one_worker_tells_another_leaves_alone(customers: Any) -> None:
    for _ in range(3):
        _task(customers, customers.organisation.sales)

    with customers.database.transaction() as first:
        remind(first, OF_TASKS, now())
        with customers.database.transaction() as second:
            assert not remind(second, OF_TASKS, now())

    assert len(_told(customers)) == 3
