"""Reading releases in the caller's sight, and what they took."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from crm_pool.assignments.model import COLUMNS, Assignment, AssignmentRow
from crm_pool.assignments.queries import history_after
from crm_pool.assignments.records import WAS_RELEASED, HistoryEntry, Release
from crm_pool.database import among
from directory.permissions import Permission
from directory.scope import Scope
from directory.tables import members


def releases_page(session: Session, scope: Scope, page: int, page_size: int) -> tuple[Sequence[Release], int]:
    """A page of the releases in sight, newest first, and how many there are."""
    seen = _seen(scope)
    newest = select(Release).where(seen).order_by(Release.at.desc(), Release.id.desc())
    found = session.scalars(newest.offset((page - 1) * page_size).limit(page_size)).all()
    return found, session.scalars(select(func.count()).select_from(Release).where(seen)).one()


def release_in_sight(session: Session, scope: Scope, release_id: UUID, *, lock: bool = False) -> Release | None:
    """A release, if it is in sight."""
    statement = select(Release).where(Release.id == release_id, _seen(scope))
    return session.scalars(statement.with_for_update() if lock else statement).one_or_none()


def taken_by(session: Session, release_id: UUID) -> Sequence[UUID]:
    """The customers that a release took, in id order."""
    taken = select(HistoryEntry.customer_id).where(HistoryEntry.batch_id == release_id, WAS_RELEASED)
    return session.scalars(taken.order_by(HistoryEntry.customer_id)).all()


def losses_page(
    session: Session, release_id: UUID, page: int, page_size: int
) -> Sequence[tuple[HistoryEntry, Assignment]]:
    """A page of what a release took, in id order, each with where the customer lies now."""
    taken = (
        select(HistoryEntry, *COLUMNS)
        .join(AssignmentRow, AssignmentRow.customer_id == HistoryEntry.customer_id)
        .where(HistoryEntry.batch_id == release_id, WAS_RELEASED)
        .order_by(HistoryEntry.customer_id)
    )
    rows = session.execute(taken.offset((page - 1) * page_size).limit(page_size))
    return [(row[0], Assignment(*row[1:])) for row in rows]


def losses_by(session: Session, release_id: UUID, customer_ids: Collection[UUID]) -> Mapping[UUID, tuple[int, UUID]]:
    """For some of its customers the version that a release made, and the owner who lost it."""
    found = session.execute(
        select(HistoryEntry.customer_id, HistoryEntry.version, HistoryEntry.from_owner_id).where(
            HistoryEntry.batch_id == release_id, WAS_RELEASED, among(HistoryEntry.customer_id, customer_ids)
        )
    )
    return {row.customer_id: (row.version, row.from_owner_id) for row in found}


def untouched(session: Session, versions: Mapping[UUID, int]) -> set[UUID]:
    """Of the customers those to which nothing has happened since that version; a day that moved is nothing."""
    later = history_after(session, versions)
    return versions.keys() - {entry.customer_id for entry in later}


def _seen(scope: Scope) -> ColumnElement[bool]:
    """All for who manages pools or sees the company; else one's own, and those of owners in departments one sees."""
    if scope.company or scope.may(Permission.POOL_MANAGE):
        return true()
    near = select(members.c.id).where(members.c.department_id.in_(scope.department_ids))
    return (Release.actor_id == scope.member_id) | Release.owner_id.in_(near)
