"""The parent of a customer (上级客户, A-79): which one may be named, and how it is shown."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_customer.customers.model import Customer
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import Sight, one_of
from crm_customer.profiles.commands import own_ancestors
from crm_customer.profiles.rules import PARENT
from crm_customer.profiles.views import ParentView

_FIELD = f"profile.{PARENT}"


def visible_parents(session: Session, sight: Sight, ids: Iterable[UUID], *, keep: bool = False) -> set[UUID]:
    """Those of `ids` that the member sees and that are not deleted; `keep`: nor are merged until the transaction ends."""
    wanted = (one_of(Customer.id, list(ids)), sight.condition(), Customer.deleted_at.is_(None))
    found = select(Customer.id).where(*wanted)
    return set(session.scalars(found.with_for_update(read=True, key_share=True) if keep else found))


def parent_problems(
    session: Session, sight: Sight, customer_id: UUID | None, before: Mapping[str, Any], given: Mapping[str, Any]
) -> list[Problem]:
    """What is wrong with the parent among the `given` columns of one customer, locked unless it is new: unknown to the
    member, or below the customer itself.
    """
    wanted = given.get(PARENT)
    if wanted is None or wanted == before.get(PARENT):
        return []
    parent_id = UUID(wanted)
    if not visible_parents(session, sight, [parent_id], keep=True):
        return [parent_not_found(wanted)]
    if customer_id is not None and own_ancestors(session, {customer_id: parent_id}):
        return [parent_cycle(wanted)]
    return []


def parent_not_found(wanted: str) -> Problem:
    """The problem of a parent that the member does not know of."""
    return Problem(_FIELD, "parent_not_found", wanted)


def parent_cycle(wanted: str) -> Problem:
    """The problem of a customer that would lie below itself."""
    return Problem(_FIELD, "parent_cycle", wanted)


def parent_view(session: Session, sight: Sight, parent_id: UUID) -> ParentView:
    """The parent as the member sees it."""
    shown = select(Customer.name, Customer.deleted_at, sight.condition().label("visible"))
    found = session.execute(shown.where(Customer.id == parent_id)).one()
    return ParentView(id=parent_id, name=found.name if found.visible else None, deleted=found.deleted_at is not None)
