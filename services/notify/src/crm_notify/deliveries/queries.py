"""Reading the ledger."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Status


def deliveries(
    session: Session, member_id: UUID | None, status: Status | None, page: int, page_size: int
) -> tuple[Sequence[Delivery], int]:
    """One page of the ledger, newest first, and how many there are; of one member or, with None, of all."""
    wanted: list[ColumnElement[bool]] = []
    if member_id is not None:
        wanted.append(Delivery.member_id == member_id)
    if status is not None:
        wanted.append(Delivery.status == status)
    total = session.scalar(select(func.count()).select_from(Delivery).where(*wanted)) or 0
    rows = session.scalars(
        select(Delivery).where(*wanted).order_by(Delivery.id.desc()).limit(page_size).offset((page - 1) * page_size)
    )
    return rows.all(), total


def unsent(session: Session) -> Mapping[Status, int]:
    """How many deliveries have each status but `sent`, which most have: they are not counted."""
    wanted = [status for status in Status if status is not Status.SENT]
    rows = session.execute(
        select(Delivery.status, func.count()).where(Delivery.status.in_(wanted)).group_by(Delivery.status)
    )
    counted = {row[0]: row[1] for row in rows}
    return {status: counted.get(status, 0) for status in wanted}
