"""Reading exports: one's own. Anyone else's does not exist (404)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_import.exports.model import ExportJob
from crm_import.exports.rules import UNDER_WAY, ExportKind, Status


def own_export(session: Session, member_id: UUID, export_id: UUID, *, is_locked: bool = False) -> ExportJob:
    """The member's own job, locked for a change if so wished. Raises NotFound."""
    job = session.get(ExportJob, export_id, with_for_update=is_locked)
    if job is None or job.created_by != member_id:
        raise NotFound("not_found")
    return job


def list_exports(
    session: Session, member_id: UUID, kind: ExportKind | None, status: Status | None, page: int, page_size: int
) -> tuple[list[ExportJob], int]:
    """A page of the member's jobs, newest first, and how many there are."""
    wanted = select(ExportJob).where(ExportJob.created_by == member_id)
    if kind is not None:
        wanted = wanted.where(ExportJob.kind == kind)
    if status is not None:
        wanted = wanted.where(ExportJob.status == status)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = wanted.order_by(ExportJob.id.desc()).offset((page - 1) * page_size).limit(page_size)
    return list(session.scalars(rows)), total


def under_way(session: Session, member_id: UUID) -> int:
    """How many exports of the member wait or are written."""
    mine = (ExportJob.created_by == member_id, ExportJob.status.in_(UNDER_WAY))
    return session.scalar(select(func.count()).select_from(ExportJob).where(*mine)) or 0


def rows_since(session: Session, member_id: UUID, since: datetime, *, but: UUID | None = None) -> int:
    """How many rows the member has exported, or is exporting, since then, without the job `but`."""
    conditions: list[ColumnElement[bool]] = [
        ExportJob.created_by == member_id,
        ExportJob.created_at >= since,
        ExportJob.status.in_((*UNDER_WAY, Status.FINISHED)),
    ]
    if but is not None:
        conditions.append(ExportJob.id != but)
    return int(session.scalar(select(func.coalesce(func.sum(ExportJob.rows), 0)).where(*conditions)) or 0)
