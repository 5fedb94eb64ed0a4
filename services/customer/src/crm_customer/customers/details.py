"""What the page of one customer shows beyond a list: extended columns, the parent, and counters."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chassis.clock import day_of
from crm_customer.collaboration.model import Collaborator
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.parents import parent_view
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import Sight
from crm_customer.customers.views import CountersView, CustomerDetail, customer_view
from crm_customer.profiles.queries import profiles_of
from crm_customer.profiles.rules import PARENT
from crm_customer.profiles.views import ProfileView, profile_view
from directory.scope import zone_of


def customer_detail(session: Session, sight: Sight, customer_id: UUID, now: datetime) -> CustomerDetail:
    """The customer as its page shows it (A-60); the scope was applied before."""
    (found,) = seen(session, sight, [customer_id])
    view = dict(customer_view(found, day_of(now, zone_of(session))))
    if found.access is None:  # locked by another: nothing else is told
        return CustomerDetail(**view)
    return CustomerDetail(
        **view,
        profile=_profile(session, sight, customer_id, found.hidden),
        counters=_counters(session, customer_id, now),
    )


def _profile(session: Session, sight: Sight, customer_id: UUID, hidden: Collection[str]) -> ProfileView | None:
    values = profiles_of(session, [customer_id]).get(customer_id)
    if values is None:
        return None
    told = values[PARENT] is not None and f"profile.{PARENT}" not in hidden
    parent = parent_view(session, sight, UUID(values[PARENT])) if told else None
    return profile_view(values, parent, hidden)


def _counters(session: Session, customer_id: UUID, now: datetime) -> CountersView:
    """Contacts that are not deleted, and collaborators whose time has not ended, in one statement."""
    contacts = (
        select(func.count())
        .select_from(CustomerContact)
        .join(Contact, Contact.id == CustomerContact.contact_id)
        .where(CustomerContact.customer_id == customer_id, Contact.deleted_at.is_(None))
    )
    lasting = or_(Collaborator.until.is_(None), Collaborator.until > now)
    collaborators = (
        select(func.count()).select_from(Collaborator).where(Collaborator.customer_id == customer_id, lasting)
    )
    counted = session.execute(select(contacts.scalar_subquery(), collaborators.scalar_subquery())).one()
    return CountersView(contacts=counted[0], collaborators=counted[1])
