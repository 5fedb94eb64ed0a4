"""Reading scans and the groups that they found."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of
from crm_customer.customers.views import Named
from crm_customer.duplicate_scans.model import DuplicateGroup, DuplicateGroupMember, DuplicateScan
from crm_customer.duplicate_scans.rules import ACTIVE
from crm_customer.duplicate_scans.views import GroupMember, GroupQuery, GroupView, ScanView
from crm_customer.ownership.model import Pool
from crm_customer.tasks.queries import people_of

_MOST_COUNTED = 10_000


def active_scan(session: Session, *, lock: bool = False) -> DuplicateScan | None:
    """The scan that goes on; `lock` it for a step, None also while another works it."""
    found = select(DuplicateScan).where(DuplicateScan.status.in_(ACTIVE)).order_by(DuplicateScan.id).limit(1)
    if lock:
        found = found.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return session.scalar(found)


def scan_of(session: Session, scan_id: UUID, *, lock: bool = False) -> DuplicateScan:
    """The scan; `lock` it for a change. Raises NotFound."""
    found = select(DuplicateScan).where(DuplicateScan.id == scan_id).execution_options(populate_existing=True)
    scan = session.scalar(found.with_for_update() if lock else found)
    if scan is None:
        raise NotFound("not_found")
    return scan


def scans(session: Session, page: int, page_size: int) -> tuple[list[ScanView], int]:
    """One page, newest first, and how many there are."""
    newest = select(DuplicateScan).order_by(DuplicateScan.started_at.desc(), DuplicateScan.id.desc())
    found = session.scalars(newest.offset((page - 1) * page_size).limit(page_size)).all()
    total = session.scalar(select(func.count()).select_from(DuplicateScan)) or 0
    return scan_views(session, found), total


def scan_views(session: Session, found: Sequence[DuplicateScan]) -> list[ScanView]:
    """Scans with the names in them."""
    people = people_of(session, {one.started_by for one in found})
    columns = ("id", "version", "status", "started_at", "ended_at", "customers", "done", "total", "pairs", "groups")
    return [
        ScanView(**{name: getattr(one, name) for name in columns}, started_by=people[one.started_by]) for one in found
    ]


def groups(session: Session, sight: Sight, query: GroupQuery) -> tuple[list[GroupView], int]:
    """One page of the groups of which the member sees two customers at least, the surest first; and how many there are, at
    most 10,000.
    """
    seen = _seen(sight).where(DuplicateGroup.status == query.status.value)
    page = seen.order_by(DuplicateGroup.score.desc(), DuplicateGroup.id)
    ids = session.scalars(page.offset((query.page - 1) * query.page_size).limit(query.page_size)).all()
    total = session.scalar(select(func.count()).select_from(seen.limit(_MOST_COUNTED).subquery())) or 0
    return group_views(session, sight, ids), total


def seen_group(session: Session, sight: Sight, group_id: UUID, *, lock: bool = False) -> DuplicateGroup:
    """A group of which the member sees two customers at least; `lock` it for a change. Raises NotFound."""
    found = select(DuplicateGroup).where(DuplicateGroup.id == group_id).execution_options(populate_existing=True)
    group = session.scalar(found.with_for_update() if lock else found)
    if group is None or session.scalar(_seen(sight).where(DuplicateGroup.id == group_id)) is None:
        raise NotFound("not_found")
    return group


def seen_members(session: Session, sight: Sight, group_id: UUID) -> Sequence[UUID]:
    """Customers of a group that the member sees, in id order."""
    found = _members(sight).where(DuplicateGroupMember.group_id == group_id)
    return session.scalars(found.with_only_columns(Customer.id).order_by(Customer.id)).all()


def group_views(session: Session, sight: Sight, ids: Sequence[UUID]) -> list[GroupView]:
    """The groups, with what is seen of them, in the order of `ids`."""
    found = {
        group.id: (group, scan_at)
        for group, scan_at in session.execute(
            select(DuplicateGroup, DuplicateScan.started_at)
            .join(DuplicateScan, DuplicateScan.id == DuplicateGroup.scan_id)
            .where(one_of(DuplicateGroup.id, list(ids)))
        )
    }
    members = _members(sight).where(one_of(DuplicateGroupMember.group_id, list(ids)))
    columns = (DuplicateGroupMember, Customer, Pool.name.label("pool_name"))
    rows = session.execute(
        members.with_only_columns(*columns).outerjoin(Pool, Pool.id == Customer.pool_id).order_by(Customer.created_at)
    ).all()
    people = people_of(session, {row.Customer.owner_id for row in rows if row.Customer.owner_id})
    counted = select(DuplicateGroupMember.group_id, func.count().label("size")).group_by(DuplicateGroupMember.group_id)
    of_these = one_of(DuplicateGroupMember.group_id, list(ids))
    sizes = {row.group_id: row.size for row in session.execute(counted.where(of_these))}
    by_group: dict[UUID, list[GroupMember]] = {id_: [] for id_ in ids}
    for row in rows:
        by_group[row.DuplicateGroupMember.group_id].append(_member(row, people))
    return [_view(*found[id_], by_group[id_], sizes[id_]) for id_ in ids]


def _view(group: DuplicateGroup, found_at: Any, members: list[GroupMember], size: int) -> GroupView:
    columns = ("id", "version", "status", "score", "decided_at")
    shown = {name: getattr(group, name) for name in columns}
    return GroupView(**shown, found_at=found_at, members=members, hidden=size - len(members))


def _member(row: Any, people: Any) -> GroupMember:
    customer, member = row.Customer, row.DuplicateGroupMember
    return GroupMember(
        customer=Named(id=customer.id, name=customer.name),
        owner=people[customer.owner_id] if customer.owner_id else None,
        pool=Named(id=customer.pool_id, name=row.pool_name or "") if customer.pool_id else None,
        created_at=customer.created_at,
        last_touch_at=customer.last_touch_at,
        score=member.score,
        reasons=member.reasons,
    )


def _members(sight: Sight) -> Select[Any]:
    joined = select(DuplicateGroupMember).join(Customer, Customer.id == DuplicateGroupMember.customer_id)
    return joined.where(Customer.deleted_at.is_(None), sight.condition())


def _seen(sight: Sight) -> Select[Any]:
    """Ids of groups."""
    joined = select(DuplicateGroup.id).join(DuplicateGroupMember, DuplicateGroupMember.group_id == DuplicateGroup.id)
    there = joined.join(Customer, Customer.id == DuplicateGroupMember.customer_id)
    seen = there.where(Customer.deleted_at.is_(None), sight.condition())
    return seen.group_by(DuplicateGroup.id).having(func.count() > 1)
