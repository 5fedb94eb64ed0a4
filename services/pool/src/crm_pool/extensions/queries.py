"""Reading extensions in the caller's sight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, func, select, true, update
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_pool.assignments.model import COLUMNS, Assignment, AssignmentRow
from crm_pool.expiry.model import Extension
from crm_pool.pools.model import PoolSettings
from directory.permissions import Permission
from directory.scope import Scope
from directory.tables import members


@dataclass(frozen=True)
class Found:
    """An extension, and where its customer lies now; `lapsed`: its owner has lost it since."""

    extension: Extension
    assignment: Assignment

    @property
    def lapsed(self) -> bool:
        """Whether the time of holding that it is about is over."""
        one = self.extension
        return (self.assignment.owner_id, self.assignment.held_since) != (one.owner_id, one.held_since)


def extensions_page(
    session: Session, scope: Scope, view: str, state: str | None, page: int, page_size: int
) -> tuple[Sequence[Found], int]:
    """A page of the extensions in sight, newest first, and how many there are."""
    wanted = _of_view(scope, view)
    if state is not None:
        wanted = wanted.where(Extension.state == state)
    newest = wanted.order_by(Extension.requested_at.desc(), Extension.id.desc())
    rows = session.execute(newest.offset((page - 1) * page_size).limit(page_size))
    total = session.scalars(select(func.count()).select_from(wanted.subquery())).one()
    return [_found(row) for row in rows], total


def extension_in_sight(session: Session, scope: Scope, extension_id: UUID) -> Found:
    """An extension that the caller asked for, or whose owner is within the caller's reach. Raises NotFound."""
    row = session.execute(_with_place().where(Extension.id == extension_id, _seen(scope))).one_or_none()
    if row is None:
        raise NotFound("not_found")
    return _found(row)


def limits(session: Session) -> tuple[int, int]:
    """How many extensions of a customer an owner may get, and of how many days each at most."""
    row = session.execute(select(PoolSettings.most_extensions, PoolSettings.most_extension_days)).one()
    return row.most_extensions, row.most_extension_days


def states_of(session: Session, held: Assignment) -> list[str]:
    """The states of what has been asked for in this time of holding. What an earlier owner left open is withdrawn."""
    of_customer = Extension.customer_id == held.customer_id
    of_holding = (Extension.owner_id == held.owner_id) & (Extension.held_since == held.held_since)
    left_open = update(Extension).where(of_customer, ~of_holding, Extension.state == "requested")
    session.execute(left_open.values(state="withdrawn", version=Extension.version + 1))
    return list(session.scalars(select(Extension.state).where(of_customer, of_holding)))


def _found(row: Any) -> Found:
    return Found(row[0], Assignment(*row[1:]))


def _of_view(scope: Scope, view: str) -> Select[Any]:
    mine = Extension.owner_id == scope.member_id
    if view == "mine":
        return _with_place().where(mine)
    if view == "all":
        return _with_place().where(_seen(scope))
    held = (AssignmentRow.owner_id == Extension.owner_id) & (AssignmentRow.held_since == Extension.held_since)
    may_decide = _within_reach(scope) if scope.may(Permission.POOL_ASSIGN) else false()
    return _with_place().where(Extension.state == "requested", ~AssignmentRow.suspended, held, ~mine, may_decide)


def _with_place() -> Select[Any, Any]:
    return select(Extension, *COLUMNS).join(AssignmentRow, AssignmentRow.customer_id == Extension.customer_id)


def _seen(scope: Scope) -> ColumnElement[bool]:
    return (Extension.owner_id == scope.member_id) | _within_reach(scope)


def _within_reach(scope: Scope) -> ColumnElement[bool]:
    if scope.company:
        return true()
    near = select(members.c.id).where(members.c.department_id.in_(scope.department_ids))
    return Extension.owner_id.in_(near)
