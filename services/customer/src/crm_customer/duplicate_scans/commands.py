"""Starting and cancelling scans, and saying what groups are. Each function runs in the transaction its edge has opened."""

from collections.abc import Collection
from datetime import datetime
from itertools import combinations
from uuid import UUID

from sqlalchemy import ScalarSelect, Update, delete, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.errors import Conflict
from chassis.identifiers import new_id
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of
from crm_customer.duplicate_scans.model import DistinctPair, DuplicateGroup, DuplicateGroupMember, DuplicateScan
from crm_customer.duplicate_scans.queries import active_scan, scan_of, seen_group, seen_members
from crm_customer.duplicate_scans.rules import ACTIVE, GroupStatus, Status
from crm_customer.versions import record_act

SUBJECT, GROUP = "duplicate_scan", "duplicate_group"


def start_scan(session: Session, actor_id: UUID, now: datetime) -> DuplicateScan:
    """Look for duplicates in the whole base, in the background (G-09). Raises Conflict scan_running."""
    lock(session, "duplicate-scan")
    if active_scan(session) is not None:
        raise Conflict("scan_running")
    customers = session.scalar(select(func.count()).select_from(Customer).where(Customer.deleted_at.is_(None))) or 0
    scan = DuplicateScan(
        id=new_id(),
        version=1,
        status=Status.KEYING.value,
        started_by=actor_id,
        started_at=now,
        updated_at=now,
        cursor="",
        customers=customers,
        total=customers,
        done=0,
        pairs=0,
        groups=0,
    )
    session.add(scan)
    session.flush()
    record_act(session, SUBJECT, "started", scan, actor_id, None, {"customers": customers})
    return scan


def cancel_scan(session: Session, actor_id: UUID, scan_id: UUID, now: datetime) -> DuplicateScan:
    """End a scan before it has groups; those of the one before stay. Raises NotFound, Conflict scan_over."""
    scan = scan_of(session, scan_id, lock=True)
    if scan.status not in ACTIVE:
        raise Conflict("scan_over")
    before = scan.change({"status": Status.CANCELLED.value}, now)
    scan.ended_at = now
    session.flush()
    record_act(session, SUBJECT, "cancelled", scan, actor_id, before, {"status": scan.status})
    return scan


def dismiss_group(session: Session, sight: Sight, group_id: UUID, now: datetime) -> DuplicateGroup:
    """Say that the customers of a group that the member sees are companies of their own: no later scan joins them again.

    Raises NotFound, Conflict group_merged.
    """
    group = _open_or_dismissed(session, sight, group_id)
    if group.status == GroupStatus.OPEN.value:
        ids, actor_id = seen_members(session, sight, group_id), sight.scope.member_id
        pairs = [
            {"first_id": first, "second_id": second, "said_by": actor_id, "said_at": now}
            for first, second in combinations(ids, 2)
        ]
        session.execute(insert(DistinctPair).values(pairs).on_conflict_do_nothing())
        _decide(session, group, GroupStatus.DISMISSED, sight, now)
    return group


def reopen_group(session: Session, sight: Sight, group_id: UUID, now: datetime) -> DuplicateGroup:
    """Take a dismissal back. Raises NotFound, Conflict group_merged."""
    group = _open_or_dismissed(session, sight, group_id)
    if group.status == GroupStatus.DISMISSED.value:
        pairs = list(combinations(seen_members(session, sight, group_id), 2))
        two = tuple_(DistinctPair.first_id, DistinctPair.second_id)
        session.execute(delete(DistinctPair).where(two.in_(pairs)).execution_options(synchronize_session=False))
        _decide(session, group, GroupStatus.OPEN, sight, now)
    return group


def close_merged(session: Session, merged_ids: Collection[UUID], actor_id: UUID, now: datetime) -> None:
    """Of open groups with customers that were merged, those of which one is left at most are merged."""
    closed = _groups_of(merged_ids, GroupStatus.OPEN).where(_left_in_group() <= 1)
    decided = {"status": GroupStatus.MERGED.value, "decided_by": actor_id, "decided_at": now}
    _write(session, closed.values(decided), now)


def open_unmerged(session: Session, unmerged_ids: Collection[UUID], now: datetime) -> None:
    """Of merged groups with customers whose merge was undone, those of which several are left are open again."""
    opened = _groups_of(unmerged_ids, GroupStatus.MERGED).where(_left_in_group() > 1)
    _write(session, opened.values(status=GroupStatus.OPEN.value, decided_by=None, decided_at=None), now)


def _groups_of(customer_ids: Collection[UUID], status: GroupStatus) -> Update:
    member = DuplicateGroupMember
    among = exists().where(member.group_id == DuplicateGroup.id, one_of(member.customer_id, list(customer_ids)))
    return update(DuplicateGroup).where(DuplicateGroup.status == status.value, among)


def _left_in_group() -> ScalarSelect[int]:
    member = DuplicateGroupMember.__table__.alias("other")
    joined = member.join(Customer, Customer.id == member.c.customer_id)
    left = select(func.count()).select_from(joined).where(member.c.group_id == DuplicateGroup.id)
    return left.where(Customer.deleted_at.is_(None)).scalar_subquery()


def _write(session: Session, groups: Update, now: datetime) -> None:
    counted = groups.values(updated_at=now, version=DuplicateGroup.version + 1)
    session.execute(counted.execution_options(synchronize_session=False))


def _open_or_dismissed(session: Session, sight: Sight, group_id: UUID) -> DuplicateGroup:
    group = seen_group(session, sight, group_id, lock=True)
    if group.status == GroupStatus.MERGED.value:
        raise Conflict("group_merged")
    return group


def _decide(session: Session, group: DuplicateGroup, status: GroupStatus, sight: Sight, now: datetime) -> None:
    actor_id = sight.scope.member_id
    before = group.change({"status": status.value}, now)
    group.decided_by, group.decided_at = (None, None) if status is GroupStatus.OPEN else (actor_id, now)
    session.flush()
    act = "reopened" if status is GroupStatus.OPEN else status.value
    record_act(session, GROUP, act, group, actor_id, before, {"status": status.value})
