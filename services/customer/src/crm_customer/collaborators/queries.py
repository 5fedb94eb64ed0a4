"""Reading collaborators."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crm_customer.collaboration.model import Collaborator
from crm_customer.collaborators.views import CollaboratorsView, CollaboratorView, Right
from crm_customer.customers.views import Named, Owner
from directory.tables import members


def collaborators_of(session: Session, customer_id: UUID) -> CollaboratorsView:
    """Who works on a customer at this moment."""
    member, adder = members.alias("member"), members.alias("adder")
    rows = session.execute(
        select(Collaborator, member.c.name, member.c.active, adder.c.name.label("adder_name"))
        .outerjoin(member, member.c.id == Collaborator.member_id)
        .outerjoin(adder, adder.c.id == Collaborator.added_by)
        .where(Collaborator.customer_id == customer_id)
        .where(or_(Collaborator.until.is_(None), Collaborator.until > func.now()))
        .order_by(Collaborator.added_at, Collaborator.member_id)
    )
    return CollaboratorsView(
        items=[
            CollaboratorView(
                member=Owner(id=row.Collaborator.member_id, name=row.name or "", active=bool(row.active)),
                access=Right.WRITE if row.Collaborator.can_write else Right.READ,
                until=row.Collaborator.until,
                added_by=Named(id=row.Collaborator.added_by, name=row.adder_name or ""),
                added_at=row.Collaborator.added_at,
            )
            for row in rows
        ]
    )


def rows_of(session: Session, customer_id: UUID) -> dict[UUID, Collaborator]:
    """The collaborators of a customer whose row is locked, by member, ended ones among them."""
    found = session.scalars(select(Collaborator).where(Collaborator.customer_id == customer_id))
    return {row.member_id: row for row in found}


def persons(session: Session, member_ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of those who are active and no service accounts."""
    active = members.c.active & ~members.c.service_account
    rows = session.execute(select(members.c.id, members.c.name).where(members.c.id.in_(member_ids), active))
    return {row.id: row.name for row in rows}


def names_of(session: Session, member_ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of members, whether or not they have left."""
    rows = session.execute(select(members.c.id, members.c.name).where(members.c.id.in_(member_ids)))
    return {row.id: row.name for row in rows}
