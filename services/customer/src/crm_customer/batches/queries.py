"""Which customers a batch is about, and who works it."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from batch.commands import MAX_ITEMS
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, Unauthenticated, invalid
from crm_customer.batches.rules import Act
from crm_customer.batches.views import Customers
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of, sight_of
from crm_customer.listing.filters import Here, catalogue_for, filter_of
from crm_customer.listing.queries import page_of
from crm_customer.listing.rules import Filter, ListView
from crm_customer.listing.views import CustomerFilter


def selected(session: Session, here: Here, wanted: Customers, act: Act) -> Sequence[UUID]:
    """The customers asked for; by filter those that match and that the member sees at this moment (A-66 to A-69).

    Raises Invalid select_customers_first for none, Conflict selection_too_large.
    """
    ids = first_selected(session, here, wanted, act, MAX_ITEMS + 1)
    if len(ids) > MAX_ITEMS:
        raise Conflict("selection_too_large", most=MAX_ITEMS)
    return ids


def first_selected(session: Session, here: Here, wanted: Customers, act: Act, most: int) -> Sequence[UUID]:
    """The same, of those that match at most the first. Raises Invalid select_customers_first for none."""
    ids: Sequence[UUID] = list(dict.fromkeys(wanted.customer_ids))
    if wanted.selection is not None:
        found = _filter(session, here, wanted.selection.filter, act)
        ids = page_of(session, here.sight, found, 0, most)
    if not ids:
        where = "/customer_ids" if wanted.selection is None else "/selection"
        raise Invalid("select_customers_first", errors=[FieldError(where, "select_customers_first")])
    return ids


def _filter(session: Session, here: Here, asked: CustomerFilter, act: Act) -> Filter:
    """What the list would show; a restoration finds deleted customers alone, whatever the view."""
    if asked.view is ListView.DELETED and act is not Act.RESTORE:
        wrong = FieldError("/selection/filter/view", "unknown_view", {"view": asked.view})
        raise invalid(wrong)
    try:
        found = filter_of(here, catalogue_for(session, here, asked), asked)
    except Invalid as refusal:
        # The caller wrote these fields two levels deeper.
        refusal.errors = tuple(replace(one, pointer=f"/selection/filter{one.pointer}") for one in refusal.errors)
        raise
    return replace(found, deleted=act is Act.RESTORE)


def acting(session: Session, actor_id: UUID, permission: str) -> Sight:
    """What whoever started a batch sees now. Raises Forbidden actor_inactive, or forbidden without the permission."""
    try:
        sight = sight_of(session, actor_id)
    except Unauthenticated as error:
        raise Forbidden("actor_inactive") from error
    if not sight.scope.may(permission):
        raise Forbidden("forbidden", permission=permission)
    return sight


def locked(session: Session, sight: Sight, customer_ids: Sequence[UUID]) -> dict[UUID, tuple[Customer, bool]]:
    """Those of the customers that the member sees, in the recycle bin or not, locked in id order; with whether the
    member may change them, and not only read them as a collaborator.
    """
    found = select(Customer, sight.writable()).where(one_of(Customer.id, customer_ids), sight.condition())
    rows = session.execute(
        found.order_by(Customer.id).with_for_update(key_share=True, of=Customer),
        execution_options={"populate_existing": True},
    )
    return {customer.id: (customer, bool(writable)) for customer, writable in rows}
