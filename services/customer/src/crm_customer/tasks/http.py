"""REST of tasks."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of, span
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.tasks import commands
from crm_customer.tasks.pages import page_of, total
from crm_customer.tasks.queries import seen_tasks, visible_task
from crm_customer.tasks.rules import TaskConditions, statuses_of
from crm_customer.tasks.views import Completion, NewTask, TaskChanges, TaskList, TaskNote, TaskQuery, TaskView
from directory.permissions import Permission

api = Api("tasks")
_ACT: dict[str, Any] = {
    "access": Permission.CUSTOMER_UPDATE,
    "reply": TaskView,
    "idempotent": True,
    "versioned": True,
}
_ROLES = {TaskList.TODO: "handler_id", TaskList.ISSUED: "created_by", TaskList.RESPONSIBLE: "owner_id"}


@api.route(
    "POST",
    "/tasks",
    access=Permission.CUSTOMER_UPDATE,
    summary="Give somebody a task",
    body=NewTask,
    reply=TaskView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_task(call: Call[NewTask, None]) -> TaskView:
    """添加任务 (F-20), about a customer that the caller may change, or about none. Owner and handler are told."""

    def work(session: Session) -> TaskView:
        sight = sight_of(session, call.actor.id)
        task = commands.create_task(session, sight, call.body.model_dump(), now())
        return _view(session, sight, task.id)

    return call.command(work)


@api.route(
    "GET",
    "/tasks",
    access=Permission.CUSTOMER_READ,
    summary="List tasks",
    query=TaskQuery,
    reply=Page[TaskView],
)
def list_tasks(call: Call[None, TaskQuery]) -> Page[TaskView]:
    """What is due first, first (F-25, F-26, F-29): 我待办的任务, 我下发的任务, 我负责的任务, those supervised, or a customer's."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        if query.list is None and query.customer_id:
            visible_customer(session, sight, query.customer_id)
        wanted = _conditions(query, sight.scope.zone)
        ids = page_of(session, sight, wanted, (query.page - 1) * query.page_size, query.page_size)
        moment = now()
        items = [seen.view(moment) for seen in seen_tasks(session, sight, ids)]
    count = total(call.runtime.database, sight, wanted)
    return Page(
        items=items,
        page=query.page,
        page_size=query.page_size,
        total=count.rows,
        total_is_estimate=count.estimated,
    )


def _conditions(query: TaskQuery, zone: str) -> TaskConditions:
    since, until = span(query.due_from, query.due_to, zone)
    if query.overdue:
        until = min(until or now(), now())
    asked = query.list or (None if query.customer_id else TaskList.TODO)
    unfinished = query.overdue or query.handler_left or query.in_pool
    return TaskConditions(
        statuses=statuses_of(query.status, query.closed, unfinished=unfinished),
        role=_ROLES.get(asked, "") if asked else "",
        supervised=asked is TaskList.SUPERVISED,
        kind=query.kind,
        priority=query.priority,
        customer_id=query.customer_id,
        dispatch_id=query.dispatch_id,
        handler_id=query.handler_id,
        due_from=since,
        due_until=until,
        handler_left=query.handler_left,
        in_pool=query.in_pool,
        search=query.search,
    )


@api.route(
    "GET",
    "/tasks/<uuid:task_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read a task",
    reply=TaskView,
    versioned=True,
)
def read_task(call: Call[None, None], task_id: UUID) -> TaskView:
    """For its people, for who sees the department of one of them, and for who sees the customer; else 404."""
    with call.runtime.database.reading() as session:
        return _view(session, sight_of(session, call.actor.id), task_id)


@api.route(
    "PATCH",
    "/tasks/<uuid:task_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Change a task",
    body=TaskChanges,
    reply=TaskView,
    versioned=True,
)
def change_task(call: Call[TaskChanges, None], task_id: UUID) -> TaskView:
    """The issuer changes everything; the owner hands it on (handler_id); owner and handler say how far it is, describe it, and
    set the reminder. A 412 lists both values of each field that someone else changed meanwhile.
    """
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        commands.change_task(session, sight, task_id, values, expected, now())
        return _view(session, sight, task_id)


@api.route(
    "DELETE",
    "/tasks/<uuid:task_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Delete a task",
    status=204,
    versioned=True,
)
def delete_task(call: Call[None, None], task_id: UUID) -> None:
    """Soft; the issuer's, or of who sees the issuer's department (F-21)."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_task(session, sight_of(session, call.actor.id), task_id, expected, now())


@api.route("POST", "/tasks/<uuid:task_id>:start", summary="Start a task", **_ACT)
def start_task(call: Call[None, None], task_id: UUID) -> TaskView:
    """Handler, owner, issuer. One that is in progress stays."""
    return _done(call, task_id, commands.start_task)


@api.route("POST", "/tasks/<uuid:task_id>:complete", summary="Complete a task", body=Completion, **_ACT)
def complete_task(call: Call[Completion, None], task_id: UUID) -> TaskView:
    """Handler, owner, issuer. `follow_up` is logged with the customer in the same moment, as `POST /activities` does (F-17)."""

    def work(session: Session) -> TaskView:
        body, sight, moment = call.body, sight_of(session, call.actor.id), now()
        follow_up = body.follow_up.model_dump() if body.follow_up else None
        today = day_of(moment, sight.scope.zone)
        commands.complete_task(session, sight, task_id, body.note, follow_up, moment, today)
        return _view(session, sight, task_id)

    return call.command(work)


@api.route("POST", "/tasks/<uuid:task_id>:end", summary="End a task that is not to be done", body=TaskNote, **_ACT)
def end_task(call: Call[TaskNote, None], task_id: UUID) -> TaskView:
    """结束任务 (F-29): issuer and owner."""
    return _done(call, task_id, commands.end_task, call.body.note)


@api.route("POST", "/tasks/<uuid:task_id>:reopen", summary="Take back that a task is closed", **_ACT)
def reopen_task(call: Call[None, None], task_id: UUID) -> TaskView:
    """Issuer, owner, and the handler who closed it."""
    return _done(call, task_id, commands.reopen_task)


def _done(call: Call[Any, None], task_id: UUID, act: Callable[..., None], *given: Any) -> TaskView:
    def work(session: Session) -> TaskView:
        sight = sight_of(session, call.actor.id)
        act(session, sight, task_id, *given, now())
        return _view(session, sight, task_id)

    return call.command(work)


def _view(session: Session, sight: Sight, task_id: UUID) -> TaskView:
    session.flush()
    return visible_task(session, sight, task_id).view(now())
