"""Reading customers inside the reader's scope. `Sight` is the only place that says who sees what (design §2.6)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, any_, bindparam, false, or_, select, true
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.rules import Reference
from crm_customer.customers.views import Seen
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import regions
from crm_customer.fields.queries import custom_fields
from crm_customer.ownership.model import Pool
from crm_customer.ownership.queries import visible_pools
from directory.permissions import Permission
from directory.scope import Scope, resolve_scope
from directory.tables import members

Condition = ColumnElement[bool]
NOBODY = UUID(int=0)
# What of the permissions decides about the sight.
_SIGHT_PERMISSIONS = frozenset({Permission.POOL_TO_BE_ASSIGNED, Permission.CUSTOMER_CONTACTS_IN_POOL})


@dataclass(frozen=True)
class Sight:
    """What one member sees: the scope, and the pools within it."""

    scope: Scope
    pool_ids: tuple[UUID, ...]

    @property
    def everything(self) -> bool:
        """Whether no customer is hidden."""
        return self.scope.company and self.scope.may(Permission.POOL_TO_BE_ASSIGNED)

    @property
    def owner_ids(self) -> tuple[UUID, ...]:
        """Whose customers are seen whatever the department: the member's own, and those of colleagues (H-11)."""
        return (self.scope.member_id, *self.scope.colleague_ids)

    @property
    def owned(self) -> Condition:
        """Customers of the member and of the colleagues."""
        return one_of(Customer.owner_id, self.owner_ids, "sight_owners")

    @property
    def in_departments(self) -> Condition:
        """Customers owned in the departments seen."""
        return one_of(Customer.owner_department_id, self.scope.department_ids, "sight_departments")

    @property
    def in_pools(self) -> Condition:
        """Customers in the pools seen."""
        return one_of(Customer.pool_id, self.pool_ids, "sight_pools")

    @property
    def unplaced(self) -> Condition:
        """Customers the member created that pool has not placed yet."""
        creator = bindparam("sight_member", self.scope.member_id, Uuid)
        return and_(Customer.assignment_version == 0, Customer.created_by == creator)

    def condition(self) -> Condition:
        """Whether a customer is visible: mine, my colleagues', my departments', in my pools, or just made by me."""
        if self.everything:
            return true()
        if self.scope.company:
            return or_(Customer.pool_id.is_(None), self.in_pools)
        return or_(self.owned, self.in_departments, self.in_pools, self.unplaced)

    def hides_contact(self, pool_id: UUID | None) -> bool:
        """Whether the contact of a customer in `pool_id` is masked: not read, searched, matched or sorted by."""
        return pool_id is not None and not self.scope.may(Permission.CUSTOMER_CONTACTS_IN_POOL)

    def shows_contact(self) -> Condition:
        """The same as a condition on customers."""
        return true() if not self.hides_contact(NOBODY) else Customer.pool_id.is_(None)

    def anybodys(self) -> "Sight":
        """A sight of the same kind, of nobody: its conditions are the same, and show nothing without `parameters`."""
        scope = replace(
            self.scope,
            member_id=NOBODY,
            department_id=None,
            department_ids=(NOBODY,) * bool(self.scope.department_ids),
            ancestor_ids=(),
            colleague_ids=(),
            role_ids=(),
            permissions=self.scope.permissions & _SIGHT_PERMISSIONS,
        )
        return Sight(scope, (NOBODY,) * bool(self.pool_ids))

    def parameters(self) -> dict[str, Any]:
        """The ids in this sight's conditions."""
        return {
            "sight_member": self.scope.member_id,
            "sight_owners": list(self.owner_ids),
            "sight_departments": list(self.scope.department_ids),
            "sight_pools": list(self.pool_ids),
        }


def one_of(column: ColumnElement[UUID | None] | object, ids: Sequence[UUID], name: str | None = None) -> Condition:
    """`column` is one of `ids`, as one array parameter, called `name` if that is given."""
    if not ids:
        return false()
    return column == any_(bindparam(name, list(ids), ARRAY(Uuid)))


def sight_of(session: Session, member_id: UUID) -> Sight:
    """What an active member sees. Raises Unauthenticated for one who has left."""
    scope = resolve_scope(session, member_id)
    return Sight(scope, visible_pools(session, scope))


def load_reference(session: Session, mobile_pattern: str, scope: Scope | None = None) -> Reference:
    """What values are checked against at this moment; custom fields as the member of `scope` sees them, else none."""
    custom = {} if scope is None else {field.key: field.rule() for field in custom_fields(session, scope)}
    return Reference(load_options(session), regions(), re.compile(mobile_pattern), custom)


def visible_customer(
    session: Session, sight: Sight, customer_id: UUID, *, lock: bool = False, deleted: bool | None = False
) -> Customer:
    """The customer; `lock` it for a change; `deleted` None: in the recycle bin or not.

    Raises NotFound when it does not exist or lies outside the scope: the two are never told apart.
    """
    statement = select(Customer).where(Customer.id == customer_id, sight.condition())
    if deleted is not None:
        statement = statement.where(Customer.deleted_at.is_not(None) if deleted else Customer.deleted_at.is_(None))
    if lock:
        statement = statement.with_for_update(key_share=True)
    customer = session.scalar(statement.execution_options(populate_existing=True))
    if customer is None:
        raise NotFound("not_found")
    return customer


def primary_contact(session: Session, customer_id: UUID, *, lock: bool = False) -> Contact | None:
    """The primary contact, if there is one; `lock` it for a change."""
    linked = CustomerContact.contact_id == Contact.id
    found = select(Contact).join(CustomerContact, linked).where(CustomerContact.customer_id == customer_id)
    if lock:
        found = found.with_for_update(key_share=True, of=Contact).execution_options(populate_existing=True)
    return session.scalar(found.where(CustomerContact.is_primary))


def seen(session: Session, sight: Sight, customer_ids: Sequence[UUID]) -> list[Seen]:
    """The customers with everything a view shows, in the order of `customer_ids`; the scope was applied before."""
    rows = session.execute(_SEEN, {"ids": list(customer_ids)}, execution_options={"populate_existing": True}).all()
    # Where nothing is filled in, nobody asks who may read it.
    filled = any(customer.custom for customer, *_ in rows)
    keys = {field.key for field in custom_fields(session, sight.scope)} if filled else set()
    found = {
        customer.id: Seen(
            customer,
            contact,
            owner,
            pool,
            creator,
            sight.hides_contact(customer.pool_id),
            {key: value for key, value in customer.custom.items() if key in keys},
        )
        for customer, contact, owner, pool, creator in rows
    }
    return [found[id_] for id_ in customer_ids if id_ in found]


def _seen() -> Select[Customer, Contact, str, str, str]:
    owner, creator = members.alias("owner"), members.alias("creator")
    return (
        select(Customer, Contact, owner.c.name, Pool.name, creator.c.name)
        .outerjoin(CustomerContact, and_(CustomerContact.customer_id == Customer.id, CustomerContact.is_primary))
        .outerjoin(Contact, Contact.id == CustomerContact.contact_id)
        .outerjoin(owner, owner.c.id == Customer.owner_id)
        .outerjoin(creator, creator.c.id == Customer.created_by)
        .outerjoin(Pool, Pool.id == Customer.pool_id)
        .where(Customer.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    )


_SEEN = _seen()
