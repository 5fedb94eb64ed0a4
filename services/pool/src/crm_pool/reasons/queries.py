"""Reading reasons."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.errors import FieldError, invalid
from crm_pool.pools.model import PoolSettings
from crm_pool.reasons.model import ReleaseReason


def reasons(session: Session, *, inactive: bool) -> Sequence[ReleaseReason]:
    """The reasons in their order, those offered no more only if asked for."""
    statement = select(ReleaseReason).order_by(ReleaseReason.position, ReleaseReason.id)
    return session.scalars(statement if inactive else statement.where(ReleaseReason.active)).all()


def labels_of(session: Session, reason_ids: Collection[UUID], language: str) -> dict[UUID, str]:
    """What the reasons are called in the language."""
    if not reason_ids:
        return {}
    found = session.scalars(select(ReleaseReason).where(ReleaseReason.id.in_(reason_ids)))
    return {reason.id: reason.label(language) for reason in found}


def require_reason(session: Session, reason_id: UUID | None) -> None:
    """Raises Invalid reason_required where a release must name one, unknown_reason for one that is not offered."""
    if reason_id is None:
        missing = session.scalars(select(PoolSettings.reason_required)).one()
        code = "reason_required" if missing else None
    else:
        offered = session.scalar(select(ReleaseReason.id).where(ReleaseReason.id == reason_id, ReleaseReason.active))
        code = None if offered else "unknown_reason"
    if code:
        raise invalid(FieldError("/reason_id", code))


def last_position(session: Session) -> int:
    """The highest position of all, 0 when there are no reasons."""
    return session.scalar(select(func.max(ReleaseReason.position))) or 0
