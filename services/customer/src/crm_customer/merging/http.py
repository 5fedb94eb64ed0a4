"""REST of merges."""

from typing import Any, cast
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.queries import load_reference
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.merging.commands import merge_customers
from crm_customer.merging.details import merge_detail, merge_views, preview
from crm_customer.merging.queries import Wanted, merges_of, visible_merge
from crm_customer.merging.undoing import undo_merge
from crm_customer.merging.views import MergeBody, MergeDetail, MergePreview, MergeQuery, MergeView, NewMerge
from crm_customer.settings import Settings
from directory.permissions import Permission

api = Api("customers")
_merges = Counter("crm_merges_total", "Merges of customers: made, and undone (serve; sum)", ["outcome"])
for _outcome in ("made", "undone"):
    _merges.labels(_outcome)  # 0 from the start


@api.route(
    "POST",
    "/customers:merge-preview",
    access=Permission.CUSTOMER_MERGE,
    summary="See what a merge would do",
    body=MergeBody,
    reply=MergePreview,
)
def preview_merge(call: Call[MergeBody, None]) -> MergePreview:
    """Everything that would move, every value and every link that would be lost (G-05); nothing is changed. It is refused as
    the merge would be.
    """
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        return preview(session, sight, _wanted(call.body), _reference(call, session, sight))


@api.route(
    "POST",
    "/customers:merge",
    access=Permission.CUSTOMER_MERGE,
    summary="Merge customers into one",
    body=NewMerge,
    reply=MergeDetail,
    status=201,
    idempotent=True,
)
def merge(call: Call[NewMerge, None]) -> MergeDetail:
    """合并客户 (G-05 to G-07, G-10): 2 to 10 customers become the survivor, with everything that belongs to them. A 412 names
    those that changed since. For 30 days it can be undone.
    """
    chosen = {"owner_id": call.body.owner_id} if "owner_id" in call.body.model_fields_set else {}

    def work(session: Session) -> MergeDetail:
        sight = sight_of(session, call.actor.id)
        reference = _reference(call, session, sight)
        made = merge_customers(session, sight, _wanted(call.body), call.body.versions, chosen, reference, now())
        return merge_detail(session, sight, made)

    return _counted(call, "made", call.command(work))


@api.route(
    "GET",
    "/customers/merges",
    access=Permission.CUSTOMER_MERGE,
    summary="List merges",
    query=MergeQuery,
    reply=Page[MergeView],
)
def list_merges(call: Call[None, MergeQuery]) -> Page[MergeView]:
    """Of customers that the caller sees, newest first, also those that were undone."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        offset = (query.page - 1) * query.page_size
        found, total = merges_of(session, sight, query.customer_id, offset, query.page_size)
        items = merge_views(session, found)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/customers/merges/<uuid:merge_id>",
    access=Permission.CUSTOMER_MERGE,
    summary="Read a merge",
    reply=MergeDetail,
)
def read_merge(call: Call[None, None], merge_id: UUID) -> MergeDetail:
    """What it changed and moved, and once undone, what was left."""
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        return merge_detail(session, sight, visible_merge(session, sight, merge_id))


@api.route(
    "POST",
    "/customers/merges/<uuid:merge_id>:undo",
    access=Permission.CUSTOMER_MERGE,
    summary="Undo a merge",
    reply=MergeDetail,
    idempotent=True,
)
def undo(call: Call[None, None], merge_id: UUID) -> MergeDetail:
    """Within 30 days: what still is as the merge left it goes back, what was added since stays. Undone again, the answer is
    the same.
    """

    def work(session: Session) -> MergeDetail:
        sight = sight_of(session, call.actor.id)
        undone = undo_merge(session, sight, merge_id, _reference(call, session, sight), now())
        return merge_detail(session, sight, undone)

    return _counted(call, "undone", call.command(work))


def _counted(call: Call[Any, None], outcome: str, reply: MergeDetail) -> MergeDetail:
    if not call.replayed:
        _merges.labels(outcome).inc()
    return reply


def _wanted(body: MergeBody) -> Wanted:
    return Wanted(body.survivor_id, body.loser_ids, body.values)


def _reference(call: Call[Any, Any], session: Session, sight: Sight) -> Reference:
    return load_reference(session, cast(Settings, call.runtime.settings).mobile_pattern, sight.scope)
