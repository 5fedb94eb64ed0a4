"""Reading contacts inside the reader's sight: through a customer that the reader sees, or as their owner (0020)."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, bindparam, exists, or_, select, true
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight, one_of
from crm_customer.customers.views import Owner, named
from crm_customer.ownership.model import Pool
from crm_customer.people.views import Link, SeenContact
from crm_customer.tags.model import ContactTag
from crm_customer.tags.queries import tags_of
from directory.tables import members

_OWNER, _CREATOR = members.alias("owner"), members.alias("creator")
_SEEN = (
    select(Contact, _OWNER.c.name, _OWNER.c.active, _CREATOR.c.name)
    .outerjoin(_OWNER, _OWNER.c.id == Contact.owner_id)
    .outerjoin(_CREATOR, _CREATOR.c.id == Contact.created_by)
    .where(Contact.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


def owned(sight: Sight) -> Condition:
    """Contacts that the member owns."""
    return Contact.owner_id == bindparam("sight_member", sight.scope.member_id, Uuid)


def alone(sight: Sight) -> Condition | None:
    """Contacts that no customer has, and only whoever sees the company."""
    return ~exists().where(CustomerContact.contact_id == Contact.id) if sight.scope.company else None


def visible(sight: Sight) -> Condition:
    """Whether a contact is visible."""
    way = exists().where(
        CustomerContact.contact_id == Contact.id,
        Customer.id == CustomerContact.customer_id,
        Customer.deleted_at.is_(None),
        sight.condition(),
    )
    conditions: list[ColumnElement[bool]] = [owned(sight), way]
    if (without := alone(sight)) is not None:
        conditions.append(without)
    return or_(*conditions)


def visible_contacts(
    session: Session, sight: Sight, contact_ids: Sequence[UUID], *, deleted: bool | None = False, lock: bool = False
) -> list[SeenContact]:
    """Of `contact_ids`, those the member sees, in their order; `deleted` None: in the recycle bin or not."""
    condition = (
        true() if deleted is None else Contact.deleted_at.is_not(None) if deleted else Contact.deleted_at.is_(None)
    )
    statement = (
        select(Contact.id).where(one_of(Contact.id, contact_ids), condition, visible(sight)).order_by(Contact.id)
    )
    if lock:
        statement = statement.with_for_update(key_share=True, of=Contact)
    found = set(session.scalars(statement))
    return seen_contacts(session, sight, [id_ for id_ in contact_ids if id_ in found])


def visible_contact(
    session: Session, sight: Sight, contact_id: UUID, *, deleted: bool | None = False, lock: bool = False
) -> SeenContact:
    """The contact; `lock` it for a change.

    Raises NotFound when it does not exist or lies outside the scope: the two are never told apart.
    """
    found = visible_contacts(session, sight, [contact_id], deleted=deleted, lock=lock)
    if not found:
        raise NotFound("not_found")
    return found[0]


def seen_contacts(session: Session, sight: Sight, contact_ids: Sequence[UUID]) -> list[SeenContact]:
    """The contacts with everything a view shows, in the order of `contact_ids`; the sight was applied before."""
    rows = session.execute(_SEEN, {"ids": list(contact_ids)}, execution_options={"populate_existing": True})
    links, tags = _links(session, sight, contact_ids), tags_of(session, ContactTag, contact_ids)
    found = {
        contact.id: SeenContact(
            contact,
            links[contact.id],
            Owner(id=contact.owner_id, name=owner or "", active=active is not False) if contact.owner_id else None,
            named(contact.created_by, creator),
            _hidden(sight, contact, links[contact.id]),
            _must_claim(sight, contact, links[contact.id]),
            tags[contact.id],
        )
        for contact, owner, active, creator in rows
    }
    return [found[id_] for id_ in contact_ids if id_ in found]


def _links(session: Session, sight: Sight, contact_ids: Sequence[UUID]) -> dict[UUID, list[Link]]:
    rows = session.execute(
        select(
            CustomerContact.contact_id,
            Customer.id,
            Customer.name,
            Customer.owner_id,
            Customer.pool_id,
            Pool.name,
            CustomerContact.is_primary,
            CustomerContact.relation_type,
            sight.condition().label("visible"),
            sight.writable().label("writable"),
        )
        .join(Customer, and_(Customer.id == CustomerContact.customer_id, Customer.deleted_at.is_(None)))
        .outerjoin(Pool, Pool.id == Customer.pool_id)
        .where(one_of(CustomerContact.contact_id, contact_ids))
        .order_by(Customer.name, Customer.id)
    )
    found: dict[UUID, list[Link]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(Link(*row[1:8], visible=bool(row.visible), writable=bool(row.writable)))
    return found


def _hidden(sight: Sight, contact: Contact, links: Sequence[Link]) -> frozenset[str]:
    """What of it is hidden: by every way to it, and the member does not own it."""
    ways = [sight.hidden_in(link.pool_id) for link in links if link.visible]
    if not ways or contact.owner_id == sight.scope.member_id:
        return frozenset()
    return frozenset.intersection(*ways)


def _must_claim(sight: Sight, contact: Contact, links: Sequence[Link]) -> bool:
    """Whether every way to it leads through a pool out of which the member claims first."""
    ways = [link for link in links if link.visible]
    own = contact.owner_id == sight.scope.member_id
    return bool(ways) and not own and all(sight.must_claim(link.pool_id) for link in ways)
