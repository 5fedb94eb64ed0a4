"""Views of customers that something around them makes: those I assist, those that are starred, those that have called."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, any_, bindparam, func, or_, select

from crm_customer.calls.queries import called_customers, has_called
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.sight import Condition, Sight, one_of
from crm_customer.listing.rules import ListView
from crm_customer.listing.texts import of_this
from crm_customer.stars.model import Star
from directory.tables import members


def around(sight: Sight, view: ListView) -> Select[UUID]:
    """Customers of one of these views, whether or not they are seen."""
    if view is ListView.CALLED:
        return called_customers()
    customer_id, conditions = _set_by(sight, view)
    return select(customer_id).where(*conditions)


def is_around(sight: Sight, view: ListView) -> Condition:
    """The same of the customer just met."""
    if view is ListView.CALLED:
        return has_called()
    customer_id, conditions = _set_by(sight, view)
    return of_this(customer_id, *conditions)


def _set_by(sight: Sight, view: ListView) -> tuple[Any, list[ColumnElement[bool]]]:
    me = bindparam("sight_member", sight.scope.member_id, Uuid)
    if view is ListView.ASSISTING:
        lasting = or_(Collaborator.until.is_(None), Collaborator.until > func.now())
        return Collaborator.customer_id, [Collaborator.member_id == me, lasting]
    if view is ListView.STARRED:
        return Star.customer_id, [Star.member_id == me]
    if sight.scope.company:
        return Star.customer_id, []
    if not sight.scope.department_ids:
        return Star.customer_id, [Star.member_id == me]
    beside = one_of(members.c.department_id, sight.scope.department_ids, "sight_departments")
    # Found once, so that the index of stars by member serves; oneself need not work in a department seen.
    reached = func.array(select(members.c.id).where(or_(beside, members.c.id == me)).scalar_subquery())
    return Star.customer_id, [Star.member_id == any_(reached)]
