"""REST of assignments: whatever changes a customer's place is here, even when another page shows the button."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import flask
from sqlalchemy.orm import Session

from batch.model import Batch, Status
from chassis import clock
from chassis.database import after_commit
from chassis.days import day_of
from chassis.http.api import JSON, Access, Api, Page, PageQuery
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm_pool.assignments import queries, verbs
from crm_pool.assignments.claiming import allowance_of
from crm_pool.assignments.clients import resolve, tell_customer
from crm_pool.assignments.deciding import Order, Outcome
from crm_pool.assignments.records import HistoryEntry
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.verbs import Target, Verb, start
from crm_pool.assignments.views import (
    AllowanceView,
    AssignmentView,
    CustomersToAssign,
    CustomersToClaim,
    CustomersToConfirm,
    CustomersToMove,
    CustomersToRelease,
    CustomersToTransfer,
    HistoryView,
    Named,
    Notify,
    OutcomeView,
    PassedOverView,
    PlaceView,
    PoolAllowanceView,
    RowView,
)
from crm_pool.customers.clients import facts_now
from crm_pool.customers.projection import keep_facts
from crm_pool.expiry.rules import days_left
from crm_pool.pools.queries import pool_names
from crm_pool.reasons.queries import labels_of
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("assignments")
_VERB: dict[str, Any] = {"reply": OutcomeView, "idempotent": True, "accepts": True}
_SILENT = Notify(in_app=False)
Reply = OutcomeView | flask.Response


@api.route(
    "POST",
    "/assignments:claim",
    access=Permission.POOL_CLAIM,
    summary="Claim customers out of a public pool",
    body=CustomersToClaim,
    **_VERB,
)
def claim_customers(call: Call[CustomersToClaim, None]) -> Reply:
    return _command(call, verbs.CLAIM, Target(), _SILENT)


@api.route(
    "POST",
    "/assignments:assign",
    access=Access.MEMBER,
    summary="Assign customers to up to five members, in turn or by capacity",
    body=CustomersToAssign,
    **_VERB,
)
def assign_customers(call: Call[CustomersToAssign, None]) -> Reply:
    body = call.body
    target = Target(tuple(body.member_ids), effects=body.effects, distribution=body.distribution)
    return _command(call, verbs.ASSIGN, target, body.notify)


@api.route(
    "POST",
    "/assignments:transfer",
    access=Permission.POOL_TRANSFER,
    summary="Transfer customers to another owner",
    body=CustomersToTransfer,
    **_VERB,
)
def transfer_customers(call: Call[CustomersToTransfer, None]) -> Reply:
    body = call.body
    return _command(call, verbs.TRANSFER, Target((body.member_id,), effects=body.effects), body.notify)


@api.route(
    "POST",
    "/assignments:release",
    access=Permission.POOL_RELEASE,
    summary="Put customers into a pool",
    body=CustomersToRelease,
    **_VERB,
)
def release_customers(call: Call[CustomersToRelease, None]) -> Reply:
    body = call.body
    target = Target(pool_id=body.pool_id, reason_id=body.reason_id, reason_note=body.reason_note or None)
    return _command(call, verbs.RELEASE, target, _SILENT)


@api.route(
    "POST",
    "/assignments:move",
    access=Access.MEMBER,
    summary="Move customers from pool to pool",
    body=CustomersToMove,
    **_VERB,
)
def move_customers(call: Call[CustomersToMove, None]) -> Reply:
    return _command(call, verbs.MOVE, Target(pool_id=call.body.pool_id), _SILENT)


@api.route(
    "POST",
    "/assignments:confirm",
    access=Access.MEMBER,
    summary="Confirm prospects as valid: they wait to be assigned",
    body=CustomersToConfirm,
    **_VERB,
)
def confirm_customers(call: Call[CustomersToConfirm, None]) -> Reply:
    return _command(call, verbs.CONFIRM, Target(pool_id=call.body.pool_id), _SILENT)


@api.route(
    "GET",
    "/assignments/allowance",
    access=Permission.POOL_CLAIM,
    summary="How many customers the caller may still claim, and from which pools",
    reply=AllowanceView,
)
def read_allowance(call: Call[None, None]) -> AllowanceView:
    with call.runtime.database.reading() as session:
        left, pools = allowance_of(session, call.actor.id, clock.now())
        room = left.room.left(call.actor.id)
        of_pools = [
            PoolAllowanceView(pool=Named(id=one.id, name=one.name), claims_left=left.claims_left.get(one.id))
            for one in pools
        ]
        return AllowanceView(room=None if room is None else max(0, room), pools=of_pools)


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
        place = _place(found.owner_id, found.pool_id, names_of(session, {found.owner_id}, {found.pool_id}))
        return AssignmentView(
            customer_id=customer_id,
            owner=place.owner,
            pool=place.pool,
            held_since=found.held_since,
            expires_on=found.expires_on,
            days_left=days_left(found.expires_on, day_of(clock.now(), zone_of(session))),
            suspended=found.suspended,
            version=found.version,
        )


@api.route(
    "GET",
    "/assignments/<uuid:customer_id>/history",
    access=Permission.CUSTOMER_READ,
    summary="Every place a customer has had, newest first",
    query=PageQuery,
    reply=Page[HistoryView],
)
def read_history(call: Call[None, PageQuery], customer_id: UUID) -> Page[HistoryView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        queries.visible_assignment(session, call.actor.id, customer_id)
        entries, total = queries.history_page(session, customer_id, page, page_size)
        names = names_of_history(session, entries, call.language)
    items = [history_view(entry, names) for entry in entries]
    return Page[HistoryView](items=items, page=page, page_size=page_size, total=total)


def _command(call: Call[Any, None], verb: Verb, target: Target, notify: Notify) -> Reply:
    if call.body.selection is not None:
        return _select(call, verb, target, notify)
    customer_ids = list(dict.fromkeys(call.body.customer_ids))
    facts = _confirmed(call, verb, customer_ids)

    def work(session: Session) -> OutcomeView:
        keep_facts(session, facts)
        outcome = verb.act(session, order_of(call, session, notify), customer_ids, target)
        if outcome.changes:
            after_commit(session, tell_customer(call.runtime, call.actor.id, outcome.changes))
        return _outcome_view(call, session, outcome)

    return call.command(work)


def _confirmed(call: Call[Any, None], verb: Verb, customer_ids: Sequence[UUID]) -> Sequence[CustomerState]:
    """The facts before several customers are taken from their owners (design §3); for a single one those known decide.

    Raises Unavailable when customer is away: then nothing is taken.
    """
    if not verb.takes or len(customer_ids) == 1 or call.earlier() is not None:
        return []
    return facts_now(call.runtime, customer_ids).changed


def _select(call: Call[Any, None], verb: Verb, target: Target, notify: Notify) -> flask.Response:
    """Start a batch of all customers that match; customer is asked for them before the transaction, and only once."""
    database = call.runtime.database
    reply = call.earlier()
    if reply is None:
        with database.reading() as session:
            zone = zone_of(session)
            if verb.permission is None:
                queries.sight_of(session, call.actor.id).require_placing()
        customer_ids = resolve(call.runtime, call.actor.id, call.body.selection.filter, zone)

        def work(session: Session) -> OutcomeView:
            order = order_of(call, session, notify)
            return started(call, *start(session, verb, order, target, customer_ids))

        reply = call.command(work)
    return accepted(cast(OutcomeView, reply))


def started(call: Call[Any, None], batch: Batch, passed_over: Mapping[UUID, str]) -> OutcomeView:
    """A batch of which nothing is done yet."""
    return OutcomeView(
        batch_id=batch.id,
        status=batch.status,
        total=batch.total,
        succeeded=0,
        skipped=0,
        results=[],
        passed_over=passed_over_views(call, passed_over),
    )


def accepted(reply: OutcomeView) -> flask.Response:
    """202, with the address that tells how far the batch has come."""
    at = f"{PREFIX}/assignments/batches/{reply.batch_id}"
    return flask.Response(reply.model_dump_json(), 202, {"Location": at}, content_type=JSON)


def order_of(call: Call[Any, None], session: Session, notify: Notify = _SILENT) -> Order:
    """Who wants it, and when."""
    return Order(call.actor.id, clock.now(), zone_of(session), notify.in_app, notify.email)


def _outcome_view(call: Call[Any, None], session: Session, outcome: Outcome) -> OutcomeView:
    me = Named(id=call.actor.id, name=call.actor.name)
    names = {me.id: me, **names_of(session, {row.owner_id for row in outcome.rows} - {me.id}, ())}
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
    return OutcomeView(
        batch_id=outcome.batch_id,
        status=Status.FINISHED,
        total=len(results),
        succeeded=len(outcome.changes),
        skipped=len(results) - len(outcome.changes),
        results=results,
        passed_over=passed_over_views(call, outcome.passed_over),
    )


def passed_over_views(call: Call[Any, None], codes: Mapping[UUID, str]) -> list[PassedOverView]:
    """Assignees who got nothing, each with the reason in the caller's language."""
    text, language = call.runtime.messages.text, call.language
    return [PassedOverView(member_id=id_, code=code, message=text(code, language, {})) for id_, code in codes.items()]


Names = Mapping[UUID | None, Named]


def names_of(session: Session, member_ids: Any, pool_ids: Any) -> Names:
    """Names of members and pools, those that are gone included; None among the ids is nobody."""
    members = queries.colleagues(session, {id_ for id_ in member_ids if id_})
    pools = pool_names(session, {id_ for id_ in pool_ids if id_})
    names = {id_: one.name for id_, one in members.items()} | pools
    return {id_: Named(id=id_, name=name) for id_, name in names.items()}


def names_of_history(session: Session, entries: Sequence[HistoryEntry], language: str) -> Names:
    """The names that the views of `entries` need; those of reasons in the language."""
    members = {id_ for one in entries for id_ in (one.actor_id, one.from_owner_id, one.to_owner_id)}
    names = names_of(session, members, {id_ for one in entries for id_ in (one.from_pool_id, one.to_pool_id)})
    reasons = labels_of(session, {one.reason_id for one in entries if one.reason_id}, language)
    return {**names, **{id_: Named(id=id_, name=label) for id_, label in reasons.items()}}


def _place(owner_id: UUID | None, pool_id: UUID | None, names: Names) -> PlaceView:
    return PlaceView(owner=named_if(owner_id, names), pool=named_if(pool_id, names))


def named(id_: UUID, names: Names) -> Named:
    """Somebody whom the directory does not know yet is shown by id."""
    return names.get(id_) or Named(id=id_, name=str(id_))


def named_if(id_: UUID | None, names: Names) -> Named | None:
    """None when there is nobody to be named."""
    return None if id_ is None else named(id_, names)


def history_view(entry: HistoryEntry, names: Names) -> HistoryView:
    """One change of a customer's place."""
    born = entry.from_owner_id is None and entry.from_pool_id is None
    return HistoryView(
        version=entry.version,
        at=entry.at,
        actor=named_if(entry.actor_id, names),
        cause=Cause(entry.cause),
        from_=None if born else _place(entry.from_owner_id, entry.from_pool_id, names),
        to=_place(entry.to_owner_id, entry.to_pool_id, names),
        batch_id=entry.batch_id,
        following=entry.effects.following,
        former_owner=entry.effects.former_owner,
        undoes_version=entry.undoes_version,
        reason=named_if(entry.reason_id, names),
        reason_note=entry.reason_note,
    )
