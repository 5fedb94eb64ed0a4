"""Which customers a batch is about, and who works it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from batch.commands import MAX_ITEMS
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, Unauthenticated
from crm_customer.batches.rules import Act
from crm_customer.batches.views import CustomerFilter, Customers
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Sight, one_of, sight_of
from crm_customer.customers.rules import Reference
from crm_customer.listing.queries import page_of
from crm_customer.listing.rules import EXACT, Filter, ListView, day_after, exact_conditions, start_of, with_view
from directory.scope import zone_of


def selected(
    session: Session, sight: Sight, wanted: Customers, act: Act, reference: Reference, now: datetime
) -> Sequence[UUID]:
    """The customers asked for; by filter those that match and that the member sees at this moment (A-66 to A-69).

    Raises Invalid select_customers_first for none, Conflict selection_too_large.
    """
    ids: Sequence[UUID] = wanted.customer_ids
    if wanted.selection is not None:
        ids = page_of(
            session, sight, _filter(session, sight, wanted.selection.filter, act, reference, now), 0, MAX_ITEMS + 1
        )
    if not ids:
        raise Invalid("select_customers_first")
    if len(ids) > MAX_ITEMS:
        raise Conflict("selection_too_large", most=MAX_ITEMS)
    return ids


def _filter(
    session: Session, sight: Sight, asked: CustomerFilter, act: Act, reference: Reference, now: datetime
) -> Filter:
    if asked.view is ListView.DELETED and act is not Act.RESTORE:
        wrong = FieldError("/selection/filter/view", "unknown_view", {"view": asked.view})
        raise Invalid("validation_failed", errors=[wrong], count=1)
    texts = {name: str(getattr(asked, name)) for name in EXACT if getattr(asked, name)}
    exact, problems = exact_conditions(texts, reference)
    if problems:
        errors = [problem.error() for problem in problems]
        below = [replace(error, pointer=f"/selection/filter{error.pointer}") for error in errors]
        raise Invalid("validation_failed", errors=below, count=len(below))
    zone = zone_of(session)
    found = Filter(
        search=asked.search,
        address=asked.address,
        owner_id=asked.owner_id,
        pool_id=asked.pool_id,
        exact=exact,
        created_from=start_of(asked.created_from, zone) if asked.created_from else None,
        created_until=start_of(day_after(asked.created_to), zone) if asked.created_to else None,
        deleted=act is Act.RESTORE,
    )
    return with_view(found, asked.view, sight.scope.member_id, now, zone)


def acting(session: Session, actor_id: UUID, permission: str) -> Sight:
    """What whoever started a batch sees now. Raises Forbidden actor_inactive, or forbidden without the permission."""
    try:
        sight = sight_of(session, actor_id)
    except Unauthenticated as error:
        raise Forbidden("actor_inactive") from error
    if not sight.scope.may(permission):
        raise Forbidden("forbidden", permission=permission)
    return sight


def locked(session: Session, sight: Sight, customer_ids: Sequence[UUID]) -> dict[UUID, Customer]:
    """Those of the customers that the member sees, in the recycle bin or not, locked in id order."""
    found = select(Customer).where(one_of(Customer.id, customer_ids), sight.condition()).order_by(Customer.id)
    rows = session.scalars(found.with_for_update(key_share=True), execution_options={"populate_existing": True})
    return {customer.id: customer for customer in rows}
