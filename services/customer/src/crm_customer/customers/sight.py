"""Who sees what: `Sight` is the only place that says it (design §2.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session

from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.ownership.queries import visible_pools
from crm_customer.ownership.rules import HIDDEN_BY_DEFAULT
from directory.permissions import Permission
from directory.scope import Scope, resolve_scope

Condition = ColumnElement[bool]
NOBODY = UUID(int=0)
_BY_DEFAULT = frozenset(HIDDEN_BY_DEFAULT)
# What of the permissions decides about the sight.
_SIGHT_PERMISSIONS = frozenset({Permission.POOL_TO_BE_ASSIGNED, Permission.CUSTOMER_CONTACTS_IN_POOL})


@dataclass(frozen=True)
class Sight:
    """What one member sees: the scope, the pools within it, and what each of these hides before the claim."""

    scope: Scope
    pool_ids: tuple[UUID, ...]
    hidden: tuple[frozenset[str], ...]

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
        # Written out: the indexes of what is unplaced serve no parameter.
        return and_(Customer.assignment_version == literal_column("0"), Customer.created_by == self._member)

    @property
    def shared(self) -> Condition:
        """Customers that the member is a collaborator of (H-13)."""
        return Customer.id == any_(func.array(self.collaborations().scalar_subquery(), type_=ARRAY(Uuid)))

    @property
    def unlocked(self) -> Condition:
        """Customers that no lock of another hides (H-17); the same as `Customer.locked_against` says."""
        unowned = Customer.owner_id.is_(None)
        return or_(Customer.locked_at.is_(None), Customer.owner_left, unowned, Customer.owner_id == self._member)

    @property
    def reach(self) -> Condition:
        """Customers seen otherwise than as a collaborator: mine, my colleagues', my departments', in my pools, or just
        made by me. Locks do not count here.
        """
        if self.everything:
            return true()
        if self.scope.company:
            return or_(Customer.pool_id.is_(None), self.in_pools)
        return or_(self.owned, self.in_departments, self.in_pools, self.unplaced)

    @property
    def _member(self) -> BindParameter[UUID]:
        return bindparam("sight_member", self.scope.member_id, Uuid)

    def collaborations(self, *, writing: bool = False) -> Select[UUID]:
        """Ids of the customers that the member is a collaborator of at this moment; `writing`: may also change."""
        not_ended = or_(Collaborator.until.is_(None), Collaborator.until > func.now())
        found = select(Collaborator.customer_id).where(Collaborator.member_id == self._member, not_ended)
        return found.where(Collaborator.can_write) if writing else found

    def condition(self) -> Condition:
        """Whether a customer is visible: within reach or shared with the member, and not locked by another (H-13)."""
        # Whoever sees the company sees what is shared: no customer in a pool is.
        return and_(self.reach if self.scope.company else or_(self.reach, self.shared), self.unlocked)

    def writable(self) -> Condition:
        """Whether a customer is visible, and that not only as a collaborator who reads (H-14)."""
        writing = self.collaborations(writing=True).scalar_subquery()
        shared = Customer.id == any_(func.array(writing, type_=ARRAY(Uuid)))
        return and_(self.reach if self.scope.company else or_(self.reach, shared), self.unlocked)

    def reaches(self, customer: Customer) -> bool:
        """The same as `reach`, of one customer."""
        if self.scope.company:
            return self.everything or customer.pool_id is None or customer.pool_id in self.pool_ids
        return (
            customer.owner_id in self.owner_ids
            or customer.owner_department_id in self.scope.department_ids
            or customer.pool_id in self.pool_ids
            or (customer.assignment_version == 0 and customer.created_by == self.scope.member_id)
        )

    def must_claim(self, pool_id: UUID | None) -> bool:
        """Whether the member changes a customer in `pool_id` only after claiming it, and sees less of it until then (C-16)."""
        return pool_id is not None and not self.scope.may(Permission.CUSTOMER_CONTACTS_IN_POOL)

    def hidden_in(self, pool_id: UUID | None) -> frozenset[str]:
        """Fields of a customer in `pool_id` that are hidden: neither read, filtered, searched nor matched (0025)."""
        if pool_id is None or not self.must_claim(pool_id):
            return frozenset()
        return self._hidden.get(pool_id, _BY_DEFAULT)

    def hides(self, *fields: str) -> bool:
        """Whether a pool hides one of the fields."""
        return self.must_claim(NOBODY) and any(not one.isdisjoint(fields) for one in (*self.hidden, _BY_DEFAULT))

    def hides_everywhere(self, *fields: str) -> bool:
        """Whether every pool seen hides one of the fields."""
        return self.must_claim(NOBODY) and not any(one.isdisjoint(fields) for one in self.hidden)

    def shows(self, *fields: str) -> Condition:
        """Customers of which none of the fields is hidden; the same as `hidden_in` says."""
        shown = [
            Customer.pool_id == any_(bindparam(_named(name), self._showing(name), ARRAY(Uuid)))
            for name in fields
            if self.hides(name)
        ]
        return or_(Customer.pool_id.is_(None), and_(*shown)) if shown else true()

    @cached_property
    def _hidden(self) -> dict[UUID, frozenset[str]]:
        return dict(zip(self.pool_ids, self.hidden, strict=True))

    def _showing(self, field: str) -> list[UUID]:
        """Pools that show a field."""
        return [pool_id for pool_id, hidden in self._hidden.items() if field not in hidden]

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
        pooled = bool(self.pool_ids)
        return Sight(scope, (NOBODY,) * pooled, (frozenset().union(*self.hidden),) * pooled)

    def parameters(self) -> dict[str, Any]:
        """The ids in this sight's conditions."""
        return {
            "sight_member": self.scope.member_id,
            "sight_owners": list(self.owner_ids),
            "sight_departments": list(self.scope.department_ids),
            "sight_pools": list(self.pool_ids),
        } | {_named(name): self._showing(name) for name in _BY_DEFAULT.union(*self.hidden)}


def _named(field: str) -> str:
    """The parameter that holds the pools which show a field."""
    return f"sight_shows_{field.replace('.', '_')}"


def one_of(column: ColumnElement[UUID | None] | object, ids: Sequence[UUID], name: str | None = None) -> Condition:
    """`column` is one of `ids`, as one array parameter, called `name` if that is given."""
    if not ids:
        return false()
    return column == any_(bindparam(name, list(ids), ARRAY(Uuid)))


def met(record: Any, *conditions: Condition) -> Condition:
    """Whether some other row holds these conditions with the row of `record` just met in a walk: a sub-select with a limit,
    which PostgreSQL asks for each row instead of joining, and collecting, all.
    """
    return select(literal(value=True)).where(*conditions).limit(1).correlate(record).scalar_subquery().is_(other=True)


def sight_of(session: Session, member_id: UUID) -> Sight:
    """What an active member sees. Raises Unauthenticated for one who has left."""
    scope = resolve_scope(session, member_id)
    pools = visible_pools(session, scope)
    return Sight(scope, tuple(pools), tuple(pools.values()))
