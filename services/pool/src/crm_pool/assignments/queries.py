"""Reading assignments inside the caller's scope, and the counts that limits rest on."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Select, Uuid, cast, column, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from batch.queries import tally
from chassis.auth.actors import Actor
from chassis.database import lock
from chassis.errors import Forbidden, NotFound
from crm_pool.assignments.model import COLUMNS, Assignment, AssignmentRow
from crm_pool.assignments.records import HistoryEntry, LedgerEntry
from crm_pool.assignments.rules import LOSSES
from crm_pool.caps.queries import Caps, counted
from crm_pool.customers.projection import customer_names, protections
from crm_pool.customers.rules import Protection
from crm_pool.database import among, among_ids
from crm_pool.pools.model import Pool
from crm_pool.pools.queries import all_pools
from directory.actors import DirectoryActors
from directory.permissions import Permission
from directory.scope import Scope, is_absent, resolve_scope
from directory.tables import members

EVERY = select(*COLUMNS)
_OF_CUSTOMERS = EVERY.where(among_ids(AssignmentRow.customer_id))


def found_by(session: Session, statement: Select[Any], parameters: Mapping[str, Any] | None = None) -> list[Assignment]:
    """The assignments that a statement made of `EVERY` selects. Nothing but `recording.record` writes what becomes of them."""
    return [Assignment(*row) for row in session.execute(statement, parameters)]


@dataclass(frozen=True)
class Colleague:
    """A member as decisions need them. `assignable`: active and a person; an absence that runs or is planned, UTC."""

    id: UUID
    name: str
    department_id: UUID | None
    assignable: bool
    absent_from: datetime | None
    absent_until: datetime | None

    def is_absent(self, at: datetime) -> bool:
        """Whether the member is away at `at`."""
        return is_absent(self.absent_from, self.absent_until, at)


@dataclass(frozen=True)
class Sight:
    """What the caller sees (design rule 6): `pools` are all pools; `owners`, and what protects them, of the customers
    at hand.
    """

    scope: Scope
    pools: dict[UUID, Pool]
    owners: dict[UUID, Colleague] = field(default_factory=dict)
    protections: dict[UUID, Protection] = field(default_factory=dict)

    def sees(self, assignment: Assignment) -> bool:
        """Mine, my groups', one I work on, owned in my departments, or in a pool that I see; nobody else's locked one."""
        if assignment.owner_id is None:
            return self.sees_pool(assignment.pool_id)
        if self.is_locked(assignment):
            return assignment.owner_id == self.scope.member_id
        works_on_it = self.scope.member_id in self.protections[assignment.customer_id].collaborator_ids
        return works_on_it or assignment.owner_id in self.scope.colleague_ids or self.may_give(assignment)

    def is_locked(self, assignment: Assignment) -> bool:
        """Whether its owner keeps it to themselves; that ends when they leave (decision 0021)."""
        return self.protections[assignment.customer_id].locked and self.owner_works(assignment)

    def owner_works(self, assignment: Assignment) -> bool:
        """Whether its owner is active."""
        owner = self.owners.get(assignment.owner_id) if assignment.owner_id else None
        return owner is not None and owner.assignable

    def may_give(self, assignment: Assignment) -> bool:
        """Whether the caller may take it from its owner: mine, or owned in my departments; colleagues' (H-11), and those
        that one only works on, are not.
        """
        if assignment.owner_id is None:
            return True
        owner = self.owners.get(assignment.owner_id)
        return self.scope.reaches(assignment.owner_id, owner.department_id if owner else None)

    def may_place(self, pool_id: UUID | None) -> bool:
        """Whether the caller may assign and move what lies there: with pool.assign, or as the pool's administrator
        (decision 0025). None: with an owner.
        """
        runs = pool_id in self.pools and self.pools[pool_id].run_by(self.scope)
        return runs or self.scope.may(Permission.POOL_ASSIGN)

    def require_placing(self) -> None:
        """Raises Forbidden for who may assign and move nothing at all."""
        if not any(map(self.may_place, (None, *self.pools))):
            raise placing_forbidden()

    def sees_pool(self, pool_id: UUID | None) -> bool:
        """Whether the pool exists and the caller sees it."""
        return pool_id in self.pools and self.pools[pool_id].seen_by(self.scope)


def placing_forbidden() -> Forbidden:
    """Why somebody may not assign or move a customer."""
    return Forbidden("forbidden", permission=Permission.POOL_ASSIGN)


def sight_of(session: Session, actor_id: UUID) -> Sight:
    """What a member sees, owners still to be looked up. Raises Unauthenticated when the member has left."""
    return Sight(resolve_scope(session, actor_id), all_pools(session))


def about(session: Session, sight: Sight, assignments: Collection[Assignment]) -> Sight:
    """The same sight, for deciding about `assignments`."""
    return replace(
        sight,
        owners=colleagues(session, {one.owner_id for one in assignments if one.owner_id}),
        protections=protections(session, {one.customer_id for one in assignments}),
    )


def visible_assignment(session: Session, actor_id: UUID, customer_id: UUID) -> Assignment:
    """One assignment in the member's scope. Raises NotFound for any other."""
    found = found_by(session, EVERY.where(AssignmentRow.customer_id == customer_id))
    if not found or not about(session, sight_of(session, actor_id), found).sees(found[0]):
        raise NotFound("not_found")
    return found[0]


def working_actor(session: Session, actor_id: UUID) -> Actor:
    """Whoever started a batch, as known now. Raises Forbidden actor_inactive."""
    actor = DirectoryActors().actor(session, actor_id)
    if actor is None or not actor.active:
        raise Forbidden("actor_inactive")
    return actor


def colleagues(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Colleague]:
    """Members by id, those who left included."""
    if not member_ids:
        return {}
    found = session.execute(select(members).where(members.c.id.in_(member_ids)))
    return {
        row.id: Colleague(
            row.id,
            row.name,
            row.department_id,
            row.active and not row.service_account,
            row.absent_from,
            row.absent_until,
        )
        for row in found
    }


def history_page(session: Session, customer_id: UUID, page: int, page_size: int) -> tuple[Sequence[HistoryEntry], int]:
    """A page of the history, newest first, and how many entries there are."""
    of_customer = select(HistoryEntry).where(HistoryEntry.customer_id == customer_id)
    entries = session.scalars(
        of_customer.order_by(HistoryEntry.version.desc()).offset((page - 1) * page_size).limit(page_size)
    ).all()
    total = session.scalars(select(func.count()).select_from(of_customer.subquery())).one()
    return entries, total


def history_after(session: Session, known: Mapping[UUID, int]) -> Sequence[HistoryEntry]:
    """The entries of each customer after the version known, by customer and version."""
    given = func.unnest(literal(list(known), ARRAY(Uuid)), literal(list(known.values()), ARRAY(BigInteger)))
    of = given.table_valued(column("customer_id", Uuid), column("version", BigInteger)).render_derived(name="known")
    found = select(HistoryEntry).join(of, of.c.customer_id == HistoryEntry.customer_id)
    later = found.where(HistoryEntry.version > of.c.version)
    return session.scalars(later.order_by(HistoryEntry.customer_id, HistoryEntry.version)).all()


def assignments_of(session: Session, customer_ids: Collection[UUID]) -> list[Assignment]:
    """Where these customers lie, as far as they have been placed."""
    return found_by(session, _OF_CUSTOMERS, {"ids": list(customer_ids)})


def page_of_assignments(session: Session, after: UUID | None, limit: int) -> Sequence[Assignment]:
    """Assignments in customer-id order, beginning after `after`."""
    statement = EVERY.order_by(AssignmentRow.customer_id).limit(limit)
    return found_by(session, statement.where(AssignmentRow.customer_id > after) if after else statement)


def page_of_owned(
    session: Session, after: UUID | None, limit: int, owner_ids: Collection[UUID] | None = None
) -> Sequence[Assignment]:
    """Assignments with an owner, one of `owner_ids` if given, in customer-id order, beginning after `after`; those of
    deleted customers left out.
    """
    owned = EVERY.where(AssignmentRow.owner_id.is_not(None), ~AssignmentRow.suspended)
    if owner_ids is not None:
        owned = owned.where(among(AssignmentRow.owner_id, owner_ids))
    statement = owned.order_by(AssignmentRow.customer_id).limit(limit)
    return found_by(session, statement.where(AssignmentRow.customer_id > after) if after else statement)


def names_in_sight(session: Session, actor_id: UUID, customer_ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of those of the customers that the member sees."""
    assignments = assignments_of(session, customer_ids)
    sight = about(session, sight_of(session, actor_id), assignments)
    return customer_names(session, {one.customer_id for one in assignments if sight.sees(one)})


def holdings(session: Session, member_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many customers each member owns; those of deleted customers do not count."""
    counted = session.execute(
        select(AssignmentRow.owner_id, func.count())
        .where(among(AssignmentRow.owner_id, member_ids), ~AssignmentRow.suspended)
        .group_by(AssignmentRow.owner_id)
    )
    return dict.fromkeys(member_ids, 0) | {owner_id: count for owner_id, count in counted if owner_id}


def received_so_far(session: Session, batch_id: UUID) -> dict[UUID, int]:
    """How many customers of a running batch each member has got. Until the transaction ends no other page adds to it."""
    lock(session, f"turn:{batch_id}")
    return {id_: count for id_, count in counted_owners(session, batch_id, "owner_id").items() if id_}


def counted_owners(session: Session, batch_id: UUID, name: str) -> Counter[UUID | None]:
    """How many customers of a batch are done, by the owner that `name` says among the parameters of their results."""
    said = tally(session, batch_id, name)
    return Counter({UUID(text) if text else None: customers for text, customers in said.items()})


@dataclass
class Standing:
    """What a claimer's limits are counted from: customers owned that count against the cap, claims made today per pool,
    and when each of the customers at hand was last lost, UTC.
    """

    owned: int = 0
    claims: dict[UUID, int] = field(default_factory=dict)
    losses: dict[UUID, datetime] = field(default_factory=dict)


def standing(session: Session, member_id: UUID, today: date, customer_ids: Collection[UUID], caps: Caps) -> Standing:
    """Where the member stands, in one statement. A loss is by release or recycling (C-43); without a cap nothing owned
    is counted.
    """
    nothing: Any = cast(null(), Uuid).label("id"), cast(null(), DateTime(timezone=True)).label("at")
    owned = counted(caps.of, count_won=caps.count_won).subquery()
    claims = LedgerEntry.member_id == member_id, LedgerEntry.day == today
    lost = (
        among(HistoryEntry.customer_id, customer_ids),
        HistoryEntry.from_owner_id == member_id,
        HistoryEntry.cause.in_([cause.value for cause in LOSSES]),
    )
    parts = union_all(
        select(literal("owned").label("what"), owned.c.customers.label("number"), *nothing),
        select(literal("claims"), func.count(), LedgerEntry.pool_id, nothing[1])
        .where(*claims)
        .group_by(LedgerEntry.pool_id),
        select(literal("lost"), func.count(), HistoryEntry.customer_id, func.max(HistoryEntry.at))
        .where(*lost)
        .group_by(HistoryEntry.customer_id),
    )
    found = Standing()
    for row in session.execute(parts):
        if row.what == "owned":
            found.owned = row.number
        elif row.what == "claims":
            found.claims[row.id] = row.number
        else:
            found.losses[row.id] = row.at
    return found
