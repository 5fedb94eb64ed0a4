"""REST of runs: what was taken back, what waits for a confirmation, and confirming or refusing it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import NotFound
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.assignments.http import Names, named, named_if, names_of
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import holdings, names_in_sight
from crm_pool.recycling import commands, queries
from crm_pool.recycling.model import Run
from crm_pool.recycling.rules import Reason
from crm_pool.recycling.views import (
    OwnersToConfirm,
    RunDetailView,
    RunView,
    WaitingCustomerView,
    WaitingOwnerView,
)
from directory.permissions import Permission

api = Api("runs")
_MOST_OWNERS = 200


@api.route(
    "GET",
    "/rules/runs",
    access=Permission.POOL_MANAGE,
    summary="Runs of the recycler, newest first",
    query=PageQuery,
    reply=Page[RunView],
)
def list_runs(call: Call[None, PageQuery]) -> Page[RunView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        found, total = queries.runs_page(session, page, page_size)
        names = names_of(session, {run.decided_by for run in found}, ())
        items = [RunView(**_values(run, names)) for run in found]
    return Page[RunView](items=items, page=page, page_size=page_size, total=total)


@api.route(
    "GET",
    "/rules/runs/<uuid:run_id>",
    access=Permission.POOL_MANAGE,
    summary="A run: what it took, and whose customers wait",
    reply=RunDetailView,
)
def read_run(call: Call[None, None], run_id: UUID) -> RunDetailView:
    with call.runtime.database.reading() as session:
        return _detail(session, _run(session, run_id))


@api.route(
    "GET",
    "/rules/runs/<uuid:run_id>/customers",
    access=Permission.POOL_MANAGE,
    summary="The customers that a run takes once it is confirmed",
    query=PageQuery,
    reply=Page[WaitingCustomerView],
)
def list_waiting_customers(call: Call[None, PageQuery], run_id: UUID) -> Page[WaitingCustomerView]:
    """What it took already is in its releases."""
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        run = _run(session, run_id)
        total = queries.waiting_by_owner(session, run).total()
        found = queries.waiting_page(session, run, page, page_size) if run.waits else []
        items = _customers(session, call.actor.id, found)
    return Page[WaitingCustomerView](items=items, page=page, page_size=page_size, total=total)


@api.route(
    "POST",
    "/rules/runs/<uuid:run_id>:confirm",
    access=Permission.POOL_MANAGE,
    summary="Let a held run take what waits",
    body=OwnersToConfirm,
    reply=RunDetailView,
    idempotent=True,
)
def confirm_run(call: Call[OwnersToConfirm, None], run_id: UUID) -> RunDetailView:
    """A worker goes on within a minute. What was touched meanwhile is spared as ever."""
    owner_ids = call.body.owner_ids

    def work(session: Session) -> RunDetailView:
        return _detail(session, commands.confirm(session, call.actor.id, run_id, owner_ids, clock.now()))

    return call.command(work)


@api.route(
    "POST",
    "/rules/runs/<uuid:run_id>:drop",
    access=Permission.POOL_MANAGE,
    summary="Take nothing more on this run's day",
    reply=RunDetailView,
    idempotent=True,
)
def drop_run(call: Call[None, None], run_id: UUID) -> RunDetailView:
    """A run that is under way stops. The next day's looks again at what has expired."""

    def work(session: Session) -> RunDetailView:
        return _detail(session, commands.drop(session, call.actor.id, run_id, clock.now()))

    return call.command(work)


def _run(session: Session, run_id: UUID) -> Run:
    run = queries.run_with(session, run_id)
    if run is None:
        raise NotFound("not_found")
    return run


def _detail(session: Session, run: Run) -> RunDetailView:
    session.flush()
    waiting = queries.waiting_by_owner(session, run)
    shown = waiting.most_common(_MOST_OWNERS)
    owned = holdings(session, [id_ for id_, _ in shown])
    names = names_of(session, {run.decided_by, *(id_ for id_, _ in shown)}, ())
    owners = [
        WaitingOwnerView(owner=named(id_, names), customers=customers, owned=owned[id_], held=id_ in run.held_owner_ids)
        for id_, customers in shown
    ]
    return RunDetailView(
        **_values(run, names),
        waiting=waiting.total(),
        waiting_owners=owners,
        release_ids=list(queries.releases_of(session, run)),
    )


def _values(run: Run, names: Names) -> dict[str, Any]:
    kept = ("id", "day", "state", "started_at", "finished_at", "nominated", "taken", "spared", "decided_at")
    return {
        **{name: getattr(run, name) for name in kept},
        "reasons": [Reason(reason) for reason in run.reasons],
        "decided_by": named_if(run.decided_by, names),
    }


def _customers(session: Session, actor_id: UUID, found: Sequence[Assignment]) -> list[WaitingCustomerView]:
    names = names_in_sight(session, actor_id, {one.customer_id for one in found})
    owners = names_of(session, {one.owner_id for one in found}, ())
    return [
        WaitingCustomerView(
            customer_id=one.customer_id,
            name=names.get(one.customer_id),
            owner=named_if(one.owner_id, owners),
            expires_on=one.expires_on,
        )
        for one in found
    ]
