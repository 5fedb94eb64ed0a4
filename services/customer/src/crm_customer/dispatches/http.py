"""REST of dispatches: many customers, a task each, and how far they are."""

from typing import cast
from uuid import UUID

import flask
from sqlalchemy.orm import Session

from batch.http import BatchView, batch_view
from chassis.clock import now
from chassis.errors import FieldError, invalid
from chassis.http.api import JSON, Api, Page
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm_customer.batches.queries import first_selected
from crm_customer.batches.rules import Act
from crm_customer.customers.sight import sight_of
from crm_customer.dispatches import commands
from crm_customer.dispatches.queries import dispatch_detail, dispatches_of, visible_dispatch
from crm_customer.dispatches.rules import MOST_CUSTOMERS
from crm_customer.dispatches.views import DispatchDetail, DispatchList, DispatchQuery, DispatchView, NewDispatch
from crm_customer.listing.filters import Here
from crm_customer.settings import Settings
from crm_customer.tasks.views import TaskNote
from directory.permissions import Permission

api = Api("tasks")


@api.route(
    "POST",
    "/tasks:dispatch",
    access=Permission.POOL_ASSIGN,
    summary="Dispatch a task for each of many customers",
    body=NewDispatch,
    reply=BatchView,
    status=202,
    idempotent=True,
)
def dispatch_tasks(call: Call[NewDispatch, None]) -> flask.Response:
    """下发任务 (F-22, F-24): at most 500 customers, by id or by filter; handlers take turns. Of customers that cannot get
    one the batch's items say why. The batch's id is the dispatch's.
    """

    def work(session: Session) -> BatchView:
        sight, moment = sight_of(session, call.actor.id), now()
        here = Here(sight, moment, cast(Settings, call.runtime.settings).mobile_pattern)
        customer_ids = first_selected(session, here, call.body, Act.UPDATE, MOST_CUSTOMERS + 1)
        if len(customer_ids) > MOST_CUSTOMERS:
            where = "/selection" if call.body.selection else "/customer_ids"
            too_many = FieldError(where, "dispatch_too_large", {"most": MOST_CUSTOMERS})
            raise invalid(too_many)
        batch = commands.start_dispatch(session, sight, customer_ids, call.body.model_dump(), moment)
        return batch_view(session, batch)

    started = call.command(work)
    at = f"{PREFIX}/customers/batches/{started.id}"
    return flask.Response(started.model_dump_json(), 202, {"Location": at}, content_type=JSON)


@api.route(
    "GET",
    "/tasks/dispatches",
    access=Permission.POOL_ASSIGN,
    summary="List dispatches",
    query=DispatchQuery,
    reply=Page[DispatchView],
)
def list_dispatches(call: Call[None, DispatchQuery]) -> Page[DispatchView]:
    """Newest first, with how far each is (F-26): one's own, or those of the departments seen."""
    query = call.query
    supervised = query.list is DispatchList.SUPERVISED
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        items, total = dispatches_of(
            session, sight, supervised=supervised, page=query.page, page_size=query.page_size, now=now()
        )
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/tasks/dispatches/<uuid:dispatch_id>",
    access=Permission.POOL_ASSIGN,
    summary="Read how far a dispatch is",
    reply=DispatchDetail,
)
def read_dispatch(call: Call[None, None], dispatch_id: UUID) -> DispatchDetail:
    """By status and by handler (F-26, F-28). Its tasks: `GET /tasks?dispatch_id=`."""
    with call.runtime.database.reading() as session:
        dispatch = visible_dispatch(session, sight_of(session, call.actor.id), dispatch_id)
        return dispatch_detail(session, dispatch, now())


@api.route(
    "POST",
    "/tasks/dispatches/<uuid:dispatch_id>:end",
    access=Permission.POOL_ASSIGN,
    summary="End what is left of a dispatch",
    body=TaskNote,
    reply=DispatchDetail,
    idempotent=True,
)
def end_dispatch(call: Call[TaskNote, None], dispatch_id: UUID) -> DispatchDetail:
    """Its tasks that are open or in progress, once all have been given; each handler is told once."""

    def work(session: Session) -> DispatchDetail:
        sight = sight_of(session, call.actor.id)
        dispatch = commands.end_dispatch(session, sight, dispatch_id, call.body.note, now())
        return dispatch_detail(session, dispatch, now())

    return call.command(work)


@api.route(
    "POST",
    "/tasks/dispatches/<uuid:dispatch_id>:reopen",
    access=Permission.POOL_ASSIGN,
    summary="Take back that a dispatch was ended",
    reply=DispatchDetail,
    idempotent=True,
)
def reopen_dispatch(call: Call[None, None], dispatch_id: UUID) -> DispatchDetail:
    """For 72 hours: the tasks that were ended with it become what they were."""

    def work(session: Session) -> DispatchDetail:
        dispatch = commands.reopen_dispatch(session, sight_of(session, call.actor.id), dispatch_id, now())
        return dispatch_detail(session, dispatch, now())

    return call.command(work)
