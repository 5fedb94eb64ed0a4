"""Reading collisions: whoever asked, whoever decides, and whoever decided."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, or_, select, true
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.collaboration.model import Collaborator
from crm_customer.collisions.model import Collision
from crm_customer.collisions.rules import Kind, Standing, Status, may_decide
from crm_customer.collisions.views import CollisionDetail, CollisionQuery, CollisionView, Side, Whose
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of
from crm_customer.customers.views import Named, Owner, named
from crm_customer.ownership.model import Pool
from crm_customer.tasks.queries import people_of
from crm_customer.timeline.queries import entries
from crm_customer.timeline.rules import Asked
from crm_customer.timeline.views import TimelineEntry, entry_view
from directory.permissions import Permission

_MOST_ENTRIES = 20


def standing(session: Session, sight: Sight, customer: Customer, asked_by: UUID) -> Standing:
    """How the member stands to a customer that `asked_by` asked for."""
    me = sight.scope.member_id
    return Standing(
        owns=customer.owner_id == me,
        collaborates=session.get(Collaborator, (customer.id, me)) is not None,
        disposes=_disposes(sight, customer),
        asked=asked_by == me,
        owned=customer.owner_id is not None,
    )


def readable(session: Session, sight: Sight, collision_id: UUID, *, lock: bool = False) -> Collision:
    """The collision, to whoever asked, may decide or decided it; `lock` it for a change. Raises NotFound."""
    found = select(Collision).where(Collision.id == collision_id).execution_options(populate_existing=True)
    collision = session.scalar(found.with_for_update() if lock else found)
    if collision is None or not _reads(session, sight, collision):
        raise NotFound("not_found")
    return collision


def listed(session: Session, sight: Sight, query: CollisionQuery) -> tuple[list[CollisionView], int]:
    """One page, newest first, and how many there are."""
    wanted = [_whose(sight, query.list)]
    if query.status is not None:
        wanted.append(Collision.status == query.status.value)
    found = select(Collision).join(Customer, Customer.id == Collision.customer_id).where(*wanted)
    newest = found.order_by(Collision.asked_at.desc(), Collision.id.desc())
    page = session.scalars(newest.offset((query.page - 1) * query.page_size).limit(query.page_size)).all()
    total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    return collision_views(session, sight, page), total


def collision_views(session: Session, sight: Sight, collisions: Sequence[Collision]) -> list[CollisionView]:
    """The collisions with the names in them."""
    customers = _customers(
        session, [id_ for one in collisions for id_ in (one.customer_id, one.own_customer_id) if id_]
    )
    people = people_of(session, {id_ for one in collisions for id_ in (one.asked_by, one.decided_by) if id_})
    return [_view(session, sight, one, customers, people) for one in collisions]


def collision_detail(session: Session, sight: Sight, collision: Collision, now: datetime) -> CollisionDetail:
    """One collision, with both sides for whoever decides it or did."""
    [view] = collision_views(session, sight, [collision])
    sees_sides = view.may_decide or collision.decided_by == sight.scope.member_id
    ids = [id_ for id_ in (collision.customer_id, collision.own_customer_id) if id_ is not None] if sees_sides else []
    customers = _customers(session, ids)
    sides = [_side(session, customers[id_], now) for id_ in ids if id_ in customers]
    return CollisionDetail(**dict(view), sides=sides)


def open_collisions(session: Session, asked_by: UUID) -> int:
    """How many collisions of a member wait."""
    waiting = (Collision.asked_by == asked_by, Collision.status == Status.OPEN.value)
    return session.scalar(select(func.count()).select_from(Collision).where(*waiting)) or 0


def _reads(session: Session, sight: Sight, collision: Collision) -> bool:
    if sight.scope.member_id in (collision.asked_by, collision.decided_by):
        return True
    customer = session.get(Customer, collision.customer_id)
    return customer is not None and _decides(session, sight, collision, customer)


def _decides(session: Session, sight: Sight, collision: Collision, customer: Customer) -> bool:
    return may_decide(Kind(collision.kind), standing(session, sight, customer, collision.asked_by))


def _disposes(sight: Sight, customer: Customer) -> bool:
    """Whether the member gives away what the customer's owner has (decision 0016); the same as `_disposed`."""
    if customer.owner_id is None or not sight.scope.may(Permission.POOL_ASSIGN):
        return False
    return sight.scope.company or customer.owner_department_id in sight.scope.department_ids


def _disposed(sight: Sight) -> ColumnElement[bool]:
    if not sight.scope.may(Permission.POOL_ASSIGN):
        return false()
    return and_(Customer.owner_id.is_not(None), true() if sight.scope.company else sight.in_departments)


def _whose(sight: Sight, list_: Whose) -> ColumnElement[bool]:
    me = sight.scope.member_id
    if list_ is Whose.MINE:
        return Collision.asked_by == me
    if list_ is Whose.DECIDED:
        return Collision.decided_by == me
    owned, collaborate = Customer.owner_id == me, Collision.kind == Kind.COLLABORATE.value
    decided = or_(and_(collaborate, owned), and_(_disposed(sight), or_(collaborate, Customer.owner_id != me)))
    waits = and_(Collision.status == Status.OPEN.value, Customer.deleted_at.is_(None))
    return and_(waits, Collision.asked_by != me, decided)


def _customers(session: Session, ids: Iterable[UUID]) -> dict[UUID, Customer]:
    found = select(Customer).where(one_of(Customer.id, list(set(ids))))
    return {one.id: one for one in session.scalars(found.execution_options(populate_existing=True))}


def _view(
    session: Session, sight: Sight, one: Collision, customers: dict[UUID, Customer], people: dict[UUID, Owner]
) -> CollisionView:
    customer, own = customers[one.customer_id], customers.get(one.own_customer_id) if one.own_customer_id else None
    is_open = one.status == Status.OPEN.value and customer.deleted_at is None
    columns = ("id", "version", "kind", "status", "outcome", "asked_at", "reason", "decided_at", "note")
    return CollisionView(
        **{name: getattr(one, name) for name in columns},
        customer=Named(id=customer.id, name=customer.name),
        own_customer=named(own.id, own.name) if own else None,
        asked_by=people[one.asked_by],
        decided_by=people[one.decided_by] if one.decided_by else None,
        may_decide=is_open and _decides(session, sight, one, customer),
    )


def _side(session: Session, customer: Customer, now: datetime) -> Side:
    owner = people_of(session, [customer.owner_id])[customer.owner_id] if customer.owner_id else None
    pool = session.get(Pool, customer.pool_id) if customer.pool_id else None
    shown = ("created_at", "last_touch_at", "open_opportunities", "won")
    return Side(
        **{name: getattr(customer, name) for name in shown},
        customer=Named(id=customer.id, name=customer.name),
        owner=owner,
        pool=Named(id=pool.id, name=pool.name) if pool else None,
        timeline=_timeline(session, customer.id, now),
    )


def _timeline(session: Session, customer_id: UUID, now: datetime) -> list[TimelineEntry]:
    return [entry_view(row) for row in entries(session, customer_id, Asked(), now, _MOST_ENTRIES)]
