"""REST of assignments: whatever changes a customer's place is here, even when another page shows the button."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.database import after_commit
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_pool.assignments import commands, queries
from crm_pool.assignments.clients import tell_customer
from crm_pool.assignments.commands import Order, Outcome
from crm_pool.assignments.model import HistoryEntry
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import (
    AssignmentView,
    BatchView,
    CustomersToAssign,
    CustomersToClaim,
    CustomersToMove,
    CustomersToRelease,
    CustomersToTransfer,
    HistoryQuery,
    HistoryView,
    Named,
    Notify,
    PassedOverView,
    PlaceView,
    RowView,
)
from crm_pool.pools.queries import pool_names
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("assignments")
_VERB: dict[str, Any] = {"reply": BatchView, "idempotent": True}
_SILENT = Notify(in_app=False)


@api.route(
    "POST",
    "/assignments:claim",
    access=Permission.POOL_CLAIM,
    summary="Claim customers out of a public pool",
    body=CustomersToClaim,
    **_VERB,
)
def claim_customers(call: Call[CustomersToClaim, None]) -> BatchView:
    return _command(call, _SILENT, commands.claim)


@api.route(
    "POST",
    "/assignments:assign",
    access=Permission.POOL_ASSIGN,
    summary="Assign customers to up to five members in turn",
    body=CustomersToAssign,
    **_VERB,
)
def assign_customers(call: Call[CustomersToAssign, None]) -> BatchView:
    members = call.body.member_ids
    return _command(call, call.body.notify, lambda session, order, ids: commands.assign(session, order, ids, members))


@api.route(
    "POST",
    "/assignments:transfer",
    access=Permission.POOL_TRANSFER,
    summary="Transfer customers to another owner",
    body=CustomersToTransfer,
    **_VERB,
)
def transfer_customers(call: Call[CustomersToTransfer, None]) -> BatchView:
    member = call.body.member_id
    return _command(call, call.body.notify, lambda session, order, ids: commands.transfer(session, order, ids, member))


@api.route(
    "POST",
    "/assignments:release",
    access=Permission.POOL_RELEASE,
    summary="Put customers into a pool",
    body=CustomersToRelease,
    **_VERB,
)
def release_customers(call: Call[CustomersToRelease, None]) -> BatchView:
    pool = call.body.pool_id
    return _command(call, _SILENT, lambda session, order, ids: commands.release(session, order, ids, pool))


@api.route(
    "POST",
    "/assignments:move",
    access=Permission.POOL_ASSIGN,
    summary="Move customers from pool to pool",
    body=CustomersToMove,
    **_VERB,
)
def move_customers(call: Call[CustomersToMove, None]) -> BatchView:
    pool = call.body.pool_id
    return _command(call, _SILENT, lambda session, order, ids: commands.move(session, order, ids, pool))


@api.route(
    "GET",
    "/assignments/<uuid:customer_id>",
    access=Permission.CUSTOMER_READ,
    summary="Who owns a customer, or in which pool it lies",
    reply=AssignmentView,
    versioned=True,
)
def read_assignment(call: Call[None, None], customer_id: UUID) -> AssignmentView:
    with call.runtime.database.reading() as session:
        found = queries.visible_assignment(session, call.actor.id, customer_id)
        place = _place(found.owner_id, found.pool_id, _names(session, {found.owner_id}, {found.pool_id}))
        return AssignmentView(
            customer_id=customer_id,
            owner=place.owner,
            pool=place.pool,
            held_since=found.held_since,
            expires_on=found.expires_on,
            suspended=found.suspended,
            version=found.version,
        )


@api.route(
    "GET",
    "/assignments/<uuid:customer_id>/history",
    access=Permission.CUSTOMER_READ,
    summary="Every place a customer has had, newest first",
    query=HistoryQuery,
    reply=Page[HistoryView],
)
def read_history(call: Call[None, HistoryQuery], customer_id: UUID) -> Page[HistoryView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        queries.visible_assignment(session, call.actor.id, customer_id)
        entries, total = queries.history_page(session, customer_id, page, page_size)
        members = {id_ for one in entries for id_ in (one.actor_id, one.from_owner_id, one.to_owner_id)}
        names = _names(session, members, {id_ for one in entries for id_ in (one.from_pool_id, one.to_pool_id)})
    items = [_history_view(entry, names) for entry in entries]
    return Page[HistoryView](items=items, page=page, page_size=page_size, total=total)


def _command(call: Call[Any, None], notify: Notify, verb: Callable[[Session, Order, list[UUID]], Outcome]) -> BatchView:
    customer_ids = list(dict.fromkeys(call.body.customer_ids))

    def work(session: Session) -> BatchView:
        order = Order(call.actor.id, clock.now(), zone_of(session), notify.in_app, notify.email)
        outcome = verb(session, order, customer_ids)
        if outcome.written:
            after_commit(session, tell_customer(call.runtime, outcome.written))
        return _batch_view(call, session, outcome)

    return call.command(work)


def _batch_view(call: Call[Any, None], session: Session, outcome: Outcome) -> BatchView:
    names = _names(session, {row.owner_id for row in outcome.rows}, ())
    messages, language = call.runtime.messages, call.language
    results = [
        RowView(
            customer_id=row.customer_id,
            outcome="skipped" if row.refusal else "done",
            code=row.refusal.code if row.refusal else None,
            message=messages.text(row.refusal.code, language, row.refusal.parameters) if row.refusal else None,
            owner=names.get(row.owner_id),
        )
        for row in outcome.rows
    ]
    passed_over = [
        PassedOverView(member_id=member_id, code=code, message=messages.text(code, language, {}))
        for member_id, code in outcome.passed_over.items()
    ]
    skipped = sum(row.refusal is not None for row in outcome.rows)
    return BatchView(
        batch_id=outcome.batch_id,
        succeeded=len(results) - skipped,
        skipped=skipped,
        results=results,
        passed_over=passed_over,
    )


Names = Mapping[UUID | None, Named]


def _names(session: Session, member_ids: Any, pool_ids: Any) -> Names:
    members = queries.colleagues(session, {id_ for id_ in member_ids if id_})
    pools = pool_names(session, {id_ for id_ in pool_ids if id_})
    names = {id_: one.name for id_, one in members.items()} | pools
    return {id_: Named(id=id_, name=name) for id_, name in names.items()}


def _place(owner_id: UUID | None, pool_id: UUID | None, names: Names) -> PlaceView:
    return PlaceView(owner=_named(owner_id, names), pool=_named(pool_id, names))


def _named(id_: UUID | None, names: Names) -> Named | None:
    """Somebody whom the directory does not know yet is shown by id."""
    return None if id_ is None else names.get(id_) or Named(id=id_, name=str(id_))


def _history_view(entry: HistoryEntry, names: Names) -> HistoryView:
    born = entry.from_owner_id is None and entry.from_pool_id is None
    return HistoryView(
        version=entry.version,
        at=entry.at,
        actor=_named(entry.actor_id, names),
        cause=Cause(entry.cause),
        from_=None if born else _place(entry.from_owner_id, entry.from_pool_id, names),
        to=_place(entry.to_owner_id, entry.to_pool_id, names),
        batch_id=entry.batch_id,
    )
