"""Reading who left, and what they own still."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select, true
from sqlalchemy.orm import Session

from crm_pool.assignments.model import Assignment, AssignmentRow
from crm_pool.assignments.queries import EVERY, found_by
from crm_pool.assignments.records import WAS_RELEASED, HistoryEntry
from crm_pool.customers.projection import is_wecom_friend
from crm_pool.leaving.model import Leaver
from directory.permissions import Permission
from directory.scope import Scope
from directory.tables import members

_OPEN = Leaver.done_at.is_(None)
_IS_FRIEND = is_wecom_friend(AssignmentRow.customer_id)
# Listed at a time.
_UNLISTED = 500


@dataclass(frozen=True)
class Listed:
    """A leaver who owns `customers` still; of these `wecom_friends` stay when the others are handed over."""

    member_id: UUID
    name: str
    department_id: UUID | None
    left_at: datetime
    hand_over_on: date
    customers: int
    wecom_friends: int


def leavers_page(session: Session, scope: Scope, page: int, page_size: int) -> tuple[Sequence[Listed], int]:
    """A page of the leavers in sight who own customers still, the next to be handed over first, and how many there are."""
    listed = _listed(scope).subquery()
    ordered = select(listed).order_by(listed.c.hand_over_on, listed.c.member_id)
    rows = session.execute(ordered.offset((page - 1) * page_size).limit(page_size))
    total = session.scalars(select(func.count()).select_from(listed)).one()
    return [Listed(*row) for row in rows], total


def listed_leaver(session: Session, scope: Scope, member_id: UUID) -> Listed | None:
    """A leaver in sight who owns customers still."""
    row = session.execute(_listed(scope).where(Leaver.member_id == member_id)).one_or_none()
    return Listed(*row) if row else None


def is_in_sight(session: Session, scope: Scope, member_id: UUID) -> bool:
    """Whether the member would be listed for whoever has this scope, if they left."""
    return session.scalar(select(members.c.id).where(members.c.id == member_id, _seen(scope))) is not None


def open_leavers(session: Session, member_ids: Collection[UUID]) -> Sequence[Leaver]:
    """Of the members those whose customers wait to be handed over, locked, in order."""
    waiting = select(Leaver).where(Leaver.member_id.in_(member_ids), _OPEN).order_by(Leaver.member_id)
    return session.scalars(waiting.with_for_update().execution_options(populate_existing=True)).all()


def next_due(session: Session, today: date, of: UUID | None = None) -> Leaver | None:
    """A leaver whose day has come and whom nobody else is handing over, locked: `of` that member, or any, so that none
    holds up the others. While a batch gives their customers to those chosen, the day waits.
    """
    due = (
        select(Leaver)
        .where(_OPEN, Leaver.hand_over_on <= today, Leaver.sharing_batch_id.is_(None))
        .order_by(func.random())
    )
    if of is not None:
        due = due.where(Leaver.member_id == of)
    return session.scalars(due.limit(1).with_for_update(skip_locked=True)).one_or_none()


def some_to_hand_over(session: Session, owner_id: UUID, limit: int) -> Sequence[UUID]:
    """Customers that the member owns, in id order, without WeCom friends."""
    owned = select(AssignmentRow.customer_id).where(
        AssignmentRow.owner_id == owner_id, ~AssignmentRow.suspended, ~_IS_FRIEND
    )
    return session.scalars(owned.order_by(AssignmentRow.customer_id).limit(limit)).all()


def owned_by(session: Session, owner_id: UUID) -> dict[UUID, Assignment]:
    """Everything that the member owns and that is not deleted, in id order: to look at what would become of it."""
    owned = EVERY.where(AssignmentRow.owner_id == owner_id, ~AssignmentRow.suspended)
    return {one.customer_id: one for one in found_by(session, owned.order_by(AssignmentRow.customer_id))}


def wecom_friends_of(session: Session, owner_id: UUID) -> int:
    """How many WeCom friends the member owns."""
    owned = select(func.count()).where(AssignmentRow.owner_id == owner_id, ~AssignmentRow.suspended, _IS_FRIEND)
    return session.scalars(owned).one()


def customers_moved(session: Session, batch_id: UUID) -> int:
    """How many customers a hand-over has taken so far."""
    moved = select(func.count()).select_from(HistoryEntry).where(HistoryEntry.batch_id == batch_id, WAS_RELEASED)
    return session.scalars(moved).one()


def unlisted_owners(session: Session) -> Sequence[UUID]:
    """Some members who are gone, own customers and are on no list: whatever listed nobody is made up for by this.

    WeCom friends alone list nobody: they stay.
    """
    owns = exists().where(AssignmentRow.owner_id == members.c.id, ~AssignmentRow.suspended, ~_IS_FRIEND)
    waits = exists().where(Leaver.member_id == members.c.id, _OPEN)
    return session.scalars(select(members.c.id).where(~members.c.active, owns, ~waits).limit(_UNLISTED)).all()


def known_versions(session: Session, member_ids: Collection[UUID], *, active: bool) -> Mapping[UUID, int]:
    """Of the members those whom the directory knows as active, or as gone, each with the version that says so."""
    found = select(members.c.id, members.c.version).where(members.c.id.in_(member_ids), members.c.active.is_(active))
    return {row.id: row.version for row in session.execute(found)}


def _listed(scope: Scope) -> Select[Any]:
    owning = select(func.count()).where(AssignmentRow.owner_id == Leaver.member_id, ~AssignmentRow.suspended)
    owned, friends = owning.scalar_subquery(), owning.where(_IS_FRIEND).scalar_subquery()
    return (
        select(Leaver.member_id, members.c.name, members.c.department_id, Leaver.left_at, Leaver.hand_over_on)
        .add_columns(owned.label("customers"), friends.label("wecom_friends"))
        .join(members, members.c.id == Leaver.member_id)
        .where(_OPEN, ~members.c.active, _seen(scope), owned > 0)
    )


def _seen(scope: Scope) -> ColumnElement[bool]:
    if scope.company or scope.may(Permission.POOL_MANAGE):
        return true()
    return members.c.department_id.in_(scope.department_ids)
