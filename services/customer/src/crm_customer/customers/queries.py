"""Reading customers inside the reader's sight."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    or_,
    select,
)
from sqlalchemy.orm import Session

from chassis.errors import Conflict, Forbidden, NotFound
from crm_customer.collaboration.model import Collaborator
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight, met
from crm_customer.customers.views import Access, Seen
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import regions
from crm_customer.fields.queries import custom_fields
from crm_customer.ownership.model import Pool
from crm_customer.paging import walk
from crm_customer.stars.model import Star
from crm_customer.tags.model import CustomerTag
from crm_customer.tags.queries import tags_of
from directory.permissions import Permission
from directory.scope import Scope
from directory.tables import members


def load_reference(session: Session, mobile_pattern: str, scope: Scope | None = None) -> Reference:
    """What values are checked against at this moment; custom fields as the member of `scope` sees them, else none."""
    custom = {} if scope is None else {field.key: field.rule() for field in custom_fields(session, scope)}
    return Reference(load_options(session), regions(), re.compile(mobile_pattern), custom)


def visible_customer(
    session: Session,
    sight: Sight,
    customer_id: UUID,
    *,
    lock: bool = False,
    deleted: bool | None = False,
    despite_lock: bool = False,
) -> Customer:
    """The customer; `lock` its row for a change; `deleted` None: in the recycle bin or not; `despite_lock`: also when
    another's lock hides it.

    Raises NotFound when it does not exist or lies outside the scope: the two are never told apart.
    """
    condition = or_(sight.condition(), sight.reach) if despite_lock else sight.condition()
    statement = select(Customer).where(Customer.id == customer_id, condition)
    if deleted is not None:
        statement = statement.where(Customer.deleted_at.is_not(None) if deleted else Customer.deleted_at.is_(None))
    if lock:
        statement = statement.with_for_update(key_share=True)
    customer = session.scalar(statement.execution_options(populate_existing=True))
    if customer is None:
        raise NotFound("not_found")
    return customer


def survivor_of(session: Session, sight: Sight, customer_id: UUID) -> UUID | None:
    """The visible customer that this one has become a part of, at once or in steps (decision 0033); None: there is none."""
    at: UUID | None = customer_id
    while at is not None:
        found = select(Customer.merged_into, sight.condition().label("seen"), Customer.deleted_at).where(
            Customer.id == at
        )
        row = session.execute(found).one_or_none()
        if row is None or (row.merged_into is None and (at == customer_id or not row.seen or row.deleted_at)):
            return None
        if row.merged_into is None:
            return at
        at = row.merged_into
    return None


def require_writable(session: Session, sight: Sight, customer: Customer) -> None:
    """Refuse a change of a visible customer, or of what belongs to it, to whoever may only read it.

    Raises Conflict claim_first in a pool, where who may not read the numbers may not change them either (C-16), and
    Forbidden read_only_collaborator (H-14).
    """
    if sight.must_claim(customer.pool_id):
        raise Conflict("claim_first")
    if sight.reaches(customer):
        return
    if session.scalar(sight.collaborations(writing=True).where(Collaborator.customer_id == customer.id)) is None:
        raise Forbidden("read_only_collaborator")


def primary_contact(session: Session, customer_id: UUID, *, lock: bool = False) -> Contact | None:
    """The primary contact, if there is one; `lock` it for a change."""
    linked = CustomerContact.contact_id == Contact.id
    found = select(Contact).join(CustomerContact, linked).where(CustomerContact.customer_id == customer_id)
    if lock:
        found = found.with_for_update(key_share=True, of=Contact).execution_options(populate_existing=True)
    return session.scalar(found.where(CustomerContact.is_primary))


def seen(session: Session, sight: Sight, customer_ids: Sequence[UUID]) -> list[Seen]:
    """The customers with everything a view shows, in the order of `customer_ids`; the scope was applied before.

    Of one that another's lock hides only that it exists.
    """
    walk(session)
    given = {"ids": list(customer_ids), "reader": sight.scope.member_id}
    rows = session.execute(_SEEN, given, execution_options={"populate_existing": True}).all()
    tags = tags_of(session, CustomerTag, [row.Customer.id for row in rows if row.tagged])
    # Where nothing is filled in, nobody asks who may read it.
    filled = any(row.Customer.custom for row in rows)
    keys = {field.key for field in custom_fields(session, sight.scope)} if filled else set()
    hidden = {pool_id: sight.hidden_in(pool_id) for pool_id in {row.Customer.pool_id for row in rows}}
    found = {
        row.Customer.id: Seen(
            customer=row.Customer,
            contact=row.Contact,
            owner_name=row.owner_name,
            pool_name=row.pool_name,
            creator_name=row.creator_name,
            locker_name=row.locker_name,
            hidden=hidden[row.Customer.pool_id],
            access=_access(sight, row.Customer, row.can_write),
            custom={
                key: value
                for key, value in row.Customer.custom.items()
                if key in keys and f"custom.{key}" not in hidden[row.Customer.pool_id]
            },
            star=row.Star,
            tags=tags[row.Customer.id],
        )
        for row in rows
    }
    return [found[id_] for id_ in customer_ids if id_ in found]


def _access(sight: Sight, customer: Customer, can_write: bool | None) -> Access | None:
    """What the reader may do; `can_write` as a collaborator, None: who is none."""
    if customer.locked_against(sight.scope.member_id):
        return None
    if customer.owner_id == sight.scope.member_id:
        return Access.OWNER
    # Who is neither within reach nor a collaborator has just made the customer, and lost it to a pool.
    within = can_write or sight.reaches(customer)
    may = sight.scope.may(Permission.CUSTOMER_UPDATE) and not sight.must_claim(customer.pool_id)
    return Access.WRITE if within and may else Access.READ


def _seen() -> Select[Any]:
    owner, creator, locker = members.alias("owner"), members.alias("creator"), members.alias("locker")
    reading = and_(Collaborator.customer_id == Customer.id, Collaborator.member_id == bindparam("reader", type_=Uuid))
    own_star = and_(Star.customer_id == Customer.id, Star.member_id == bindparam("reader", type_=Uuid))
    names = {"owner_name": owner.c.name, "creator_name": creator.c.name, "locker_name": locker.c.name}
    named = [name.label(label) for label, name in (names | {"pool_name": Pool.name}).items()]
    tagged = met(Customer, CustomerTag.customer_id == Customer.id).label("tagged")
    return (
        select(Customer, Contact, Star, Collaborator.can_write, tagged, *named)
        .outerjoin(CustomerContact, and_(CustomerContact.customer_id == Customer.id, CustomerContact.is_primary))
        .outerjoin(Contact, Contact.id == CustomerContact.contact_id)
        .outerjoin(owner, owner.c.id == Customer.owner_id)
        .outerjoin(creator, creator.c.id == Customer.created_by)
        .outerjoin(locker, locker.c.id == Customer.locked_by)
        .outerjoin(Pool, Pool.id == Customer.pool_id)
        .outerjoin(Collaborator, reading)
        .outerjoin(Star, own_star)
        .where(Customer.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    )


_SEEN = _seen()
