"""What users do to one customer. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, Forbidden, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.contacts.model import FIELDS as CONTACT_FIELDS
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.contacts.rules import is_filled
from crm_customer.customers.model import FIELDS, Customer, with_custom
from crm_customer.customers.parents import parent_problems
from crm_customer.customers.projection import state_of
from crm_customer.customers.queries import primary_contact, require_writable
from crm_customer.customers.rules import (
    Parts,
    Reference,
    changed_fields,
    checked,
    refuse_inactive,
    refuse_postcodes,
    refuse_remark_alone,
    require_filled,
    settle,
    split,
)
from crm_customer.customers.sight import Sight
from crm_customer.customers.uniqueness import require_unique
from crm_customer.profiles.commands import keep_profiles
from crm_customer.profiles.queries import profiles_of
from crm_customer.profiles.rules import EMPTY
from crm_customer.profiles.rules import is_filled as has_profile
from crm_customer.search.projection import Searchable, keep_contacts_in_search, keep_in_search
from crm_customer.versions import stale, stale_since
from directory.permissions import Permission
from directory.tables import members

SUBJECT = "customer"
CONTACT = "contact"


@dataclass(frozen=True)
class Edit:
    """What a user sends: values by flat field name, whether the primary contact is to go, and the mark of a WeCom
    friend, None: as it is. `unique`: those of the fields that no two customers may share, held (uniqueness.py).
    """

    given: Mapping[str, Any]
    removes_contact: bool = False
    wecom_friend: bool | None = None
    unique: frozenset[str] = frozenset()

    def mark(self) -> dict[str, Any]:
        """The mark as a value, if it is sent."""
        return {} if self.wecom_friend is None else {"wecom_friend": self.wecom_friend}


def create_customer(
    session: Session,
    sight: Sight,
    edit: Edit,
    reference: Reference,
    wish: tuple[UUID | None, UUID | None],
    now: datetime,
) -> Customer:
    """Store a customer with its primary contact where `wish` (owner, pool) wants it (A-31 to A-59, X-43).

    Raises Invalid with every wrong field, an owner out of reach among them, Forbidden for another owner without
    pool.assign, Conflict not_unique (G-04).
    """
    values, problems = checked(edit.given, reference)
    require_filled(values, reference, problems, creating=True)
    refuse_inactive(values, {}, reference, problems)
    parts = split(settle(values, {}, reference))
    refuse_remark_alone(parts.contact, problems)
    refuse_postcodes(parts.profile, parts.profile, problems)
    problems += parent_problems(session, sight, None, EMPTY, parts.profile)
    owner_id, department_id, pool_id, wrong = _wished(session, sight, *wish)
    if errors := [problem.error() for problem in problems] + wrong:
        raise invalid(*errors)
    require_unique(session, {name: values.get(name) for name in edit.unique})
    actor_id = sight.scope.member_id
    customer = Customer(
        **dict.fromkeys(FIELDS) | parts.own,
        custom=with_custom({}, parts.custom),
        id=new_id(),
        version=1,
        facts_version=1,
        owner_id=owner_id,
        owner_department_id=department_id,
        pool_id=pool_id,
        assignment_version=0,
        created_by=actor_id,
        created_at=now,
        updated_at=now,
    )
    session.add(customer)
    session.flush()
    if is_filled(parts.contact):
        _add_contact(session, customer, parts.contact, actor_id, now)
    if has_profile(parts.profile):
        keep_profiles(session, {customer.id: parts.profile})
    keep_in_search(session, [searchable(customer, reference)])
    after = {name: value for name, value in values.items() if value is not None}
    _audit(session, "customer.created", customer, actor_id, None, {"version": 1, **after})
    record_event(session, pb.CustomerCreated(customers=[state_of(session, customer)], actor_id=str(actor_id)))
    return customer


def change_customer(
    session: Session, sight: Sight, customer: Customer, edit: Edit, reference: Reference, expected: int, now: datetime
) -> None:
    """Change a locked customer and its primary contact (A-64). Sending what already holds changes nothing.

    Raises Conflict claim_first, not_unique (G-04), Forbidden read_only_collaborator, Invalid, and Stale with both values
    of each clashing field.
    """
    require_writable(session, sight, customer)
    values, problems = checked(edit.given, reference, customer.province)
    contact = primary_contact(session, customer.id, lock=True)
    extended = bool(split(values).profile)
    profile = dict(profiles_of(session, [customer.id]).get(customer.id, EMPTY)) if extended else {}
    before = _flat(customer, contact, profile)
    require_filled(values, reference, problems, creating=False)
    refuse_inactive(values, before, reference, problems)
    parts = split(settle(values, before, reference))
    if not edit.removes_contact:
        refuse_remark_alone({**split(before).contact, **parts.contact}, problems)
    refuse_postcodes(parts.profile, profile | parts.profile, problems)
    problems += parent_problems(session, sight, customer.id, profile, parts.profile)
    if problems:
        raise invalid(*(problem.error() for problem in problems))
    if customer.version != expected:
        raise stale_since(session, SUBJECT, customer, expected, values | edit.mark(), before)
    fresh = {name: values[name] for name in edit.unique & values.keys() if values[name] != before.get(name)}
    require_unique(session, fresh, [customer.id])
    _mark(sight, customer, edit.wecom_friend)
    customer.change(parts.own, parts.custom)
    contact = _settle_contact(session, customer, contact, parts.contact, edit, sight.scope.member_id, now)
    after = _flat(customer, contact, profile | parts.profile)
    changed = changed_fields(before, after)
    if not changed:
        return
    if any(name.startswith("profile.") for name in changed):
        keep_profiles(session, {customer.id: profile | parts.profile})
    customer.touch(now)
    session.flush()
    keep_in_search(session, [searchable(customer, reference)])
    _audit(
        session,
        "customer.changed",
        customer,
        sight.scope.member_id,
        {"version": customer.version - 1, **{name: before.get(name) for name in changed}},
        {"version": customer.version, **{name: after.get(name) for name in changed}},
    )
    record_event(
        session, pb.CustomerUpdated(customers=[state_of(session, customer)], actor_id=str(sight.scope.member_id))
    )


def _mark(sight: Sight, customer: Customer, wecom_friend: bool | None) -> None:
    """A WeCom friend is marked by whoever changes the customer; taking the mark back takes a right of its own (C-27)."""
    if customer.wecom_friend and wecom_friend is False and not sight.scope.may(Permission.CUSTOMER_UNPROTECT):
        raise Forbidden("forbidden", permission=Permission.CUSTOMER_UNPROTECT)
    if wecom_friend is not None:
        customer.wecom_friend = wecom_friend


def delete_customer(session: Session, sight: Sight, customer: Customer, expected: int, now: datetime) -> None:
    """Put a locked customer into the recycle bin (A-65, A-70).

    Raises Forbidden delete_own_only, Conflict wecom_friend_protected (C-27), Stale.
    """
    require_deletable(sight, customer)
    if customer.version != expected:
        raise stale(customer)
    customer.delete(now)
    session.flush()
    _audit(session, "customer.deleted", customer, sight.scope.member_id, None, {"version": customer.version})
    record_event(
        session, pb.CustomerDeleted(customers=[state_of(session, customer)], actor_id=str(sight.scope.member_id))
    )


def restore_customer(session: Session, sight: Sight, customer: Customer, now: datetime) -> None:
    """Take a locked customer out of the recycle bin (A-70); one that is not in it stays as it is.

    Raises Forbidden delete_own_only, Conflict merged_into.
    """
    require_restorable(sight, customer)
    if customer.deleted_at is None:
        return
    customer.restore(now)
    session.flush()
    _audit(session, "customer.restored", customer, sight.scope.member_id, None, {"version": customer.version})
    record_event(
        session, pb.CustomerRestored(customers=[state_of(session, customer)], actor_id=str(sight.scope.member_id))
    )


def tell_facts(session: Session, customer: Customer, actor_id: UUID | None, **facts: Any) -> None:
    """Keep what opportunities and orders say of a locked customer (decision 0028), and tell it if any of it is new."""
    if customer.take_facts(**facts):
        session.flush()
        state = state_of(session, customer)
        record_event(session, pb.CustomerUpdated(customers=[state], actor_id=str(actor_id or "")))


def require_assignable(sight: Sight, owner_id: UUID) -> None:
    """Raise Forbidden unless the member may name `owner_id` as owner of a new customer."""
    if owner_id != sight.scope.member_id and not sight.scope.may(Permission.POOL_ASSIGN):
        raise Forbidden("forbidden", permission=Permission.POOL_ASSIGN)


def require_deletable(sight: Sight, customer: Customer) -> None:
    """Raise Forbidden delete_own_only, or Conflict wecom_friend_protected (C-27)."""
    require_own(sight, customer)
    if customer.wecom_friend:
        raise Conflict("wecom_friend_protected")


def require_restorable(sight: Sight, customer: Customer) -> None:
    """Raise Forbidden delete_own_only, or Conflict merged_into: a merge is undone as a whole (decision 0033)."""
    require_own(sight, customer)
    refuse_merged(customer)


def refuse_merged(customer: Customer) -> None:
    """Raise Conflict merged_into for a part of another customer."""
    if customer.merged_into is not None:
        ids = {"customer_id": customer.id, "merged_into": customer.merged_into}
        raise Conflict("merged_into", extra={name: str(id_) for name, id_ in ids.items()}, name=customer.name)


def require_own(sight: Sight, customer: Customer) -> None:
    """Administrators delete and restore everything, others their own records (X-11). Raises Forbidden delete_own_only."""
    if not sight.scope.company and customer.owner_id != sight.scope.member_id:
        raise Forbidden("delete_own_only")


def _wished(
    session: Session, sight: Sight, owner_id: UUID | None, pool_id: UUID | None
) -> tuple[UUID | None, UUID | None, UUID | None, list[FieldError]]:
    if pool_id is not None:
        wrong = [] if pool_id in sight.pool_ids else [FieldError("/pool_id", "pool_not_found")]
        return None, None, pool_id, wrong
    owner_id = owner_id or sight.scope.member_id
    department_id, wrong = _settled_owner(session, sight, owner_id)
    return (None, None, None, wrong) if wrong else (owner_id, department_id, None, wrong)


def owner_problems(session: Session, sight: Sight, owner_id: UUID) -> list[FieldError]:
    """What keeps the member from naming this owner of a new record. Raises Forbidden for another one without pool.assign."""
    return _settled_owner(session, sight, owner_id)[1]


def _settled_owner(session: Session, sight: Sight, owner_id: UUID) -> tuple[UUID | None, list[FieldError]]:
    require_assignable(sight, owner_id)
    # Shared lock: see ownership.projection, where departments of owners are followed.
    owner = session.execute(
        select(members.c.department_id).where(members.c.id == owner_id, members.c.active).with_for_update(read=True)
    ).one_or_none()
    if owner is None:
        return None, [FieldError("/owner_id", "owner_inactive")]
    if not sight.scope.reaches(owner_id, owner.department_id):
        return None, [FieldError("/owner_id", "owner_out_of_reach")]
    return owner.department_id, []


def _add_contact(
    session: Session, customer: Customer, values: Mapping[str, Any], actor_id: UUID, now: datetime
) -> Contact:
    """The primary contact of the form, named after the customer unless it has a name (A-53)."""
    filled = {**dict.fromkeys(CONTACT_FIELDS), **values}
    filled["name"] = filled["name"] or customer.name
    contact = Contact(
        **filled,
        id=new_id(),
        version=1,
        customer_id=customer.id,
        owner_id=customer.owner_id,
        created_by=actor_id,
        created_at=now,
        updated_at=now,
    )
    session.add(contact)
    session.flush()
    session.add(CustomerContact(customer_id=customer.id, contact_id=contact.id, is_primary=True))
    keep_contacts_in_search(session, {contact.id: contact.name})
    filled = {name: value for name, value in contact.values().items() if value is not None}
    record_audit(session, AuditEntry("contact.created", CONTACT, contact.id, actor_id, None, {"version": 1, **filled}))
    return contact


def _settle_contact(
    session: Session,
    customer: Customer,
    contact: Contact | None,
    values: dict[str, Any],
    edit: Edit,
    actor_id: UUID,
    now: datetime,
) -> Contact | None:
    """The primary contact after a change by `actor_id`: removed, made (A-53), changed, or as it was."""
    if edit.removes_contact:
        if contact is not None:
            _remove_contact(session, customer, contact, actor_id, now)
        return None
    if contact is None:
        return _add_contact(session, customer, values, actor_id, now) if is_filled(values) else None
    if "name" in values and not values["name"]:
        values = {**values, "name": customer.name}
    before = contact.change(values, now)
    if before:
        keep_contacts_in_search(session, {contact.id: contact.name})
        after = {"version": contact.version} | {name: values[name] for name in before}
        sides = {"version": contact.version - 1, **before}, after
        record_audit(session, AuditEntry("contact.changed", CONTACT, contact.id, actor_id, *sides))
    return contact


def _remove_contact(session: Session, customer: Customer, contact: Contact, actor_id: UUID, now: datetime) -> None:
    """Off this customer; whom no other customer has goes into the recycle bin, and stays linked for its return (B-38)."""
    links = session.scalars(select(CustomerContact).where(CustomerContact.contact_id == contact.id)).all()
    others = [link.customer_id for link in links if link.customer_id != customer.id]
    for link in links:
        if link.customer_id == customer.id:
            link.is_primary = False
            if others:
                session.delete(link)
    if others:
        contact.change({"customer_id": contact.customer_id if contact.customer_id in others else others[0]}, now)
        action, left = "contact.customer_removed", {"customer_id": str(customer.id)}
    else:
        contact.change({"deleted_at": now}, now)
        action, left = "contact.deleted", {}
    versions = {"version": contact.version}
    record_audit(session, AuditEntry(action, CONTACT, contact.id, actor_id, left or None, versions))


def _flat(customer: Customer, contact: Contact | None, profile: dict[str, Any]) -> dict[str, Any]:
    person = contact.values() if contact else dict.fromkeys(CONTACT_FIELDS)
    own = customer.values() | {"wecom_friend": customer.wecom_friend}
    return Parts(own, person, profile, customer.custom).flat()


def searchable(customer: Customer, reference: Reference) -> Searchable:
    """What can be searched of a customer."""
    address = reference.regions.words(customer.province, customer.city) + (customer.address_detail or "")
    return Searchable(customer.id, customer.name, address, customer.wechat_nickname or "")


def _audit(
    session: Session,
    action: str,
    customer: Customer,
    actor_id: UUID,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    record_audit(session, AuditEntry(action, SUBJECT, customer.id, actor_id, before, after))
