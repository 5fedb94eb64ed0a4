"""Reading jobs: one's own, or everybody's with import.read_all. Anyone else's job does not exist (404)."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.errors import Forbidden, NotFound
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import Status
from crm_import.kinds.kind import KindName
from directory.permissions import Permission


def require_reader(actor: Actor) -> None:
    """Raise Forbidden unless the actor may import or see everybody's imports."""
    if not (actor.may(Permission.IMPORT_RUN) or actor.may(Permission.IMPORT_READ_ALL)):
        raise Forbidden("forbidden", permission=Permission.IMPORT_RUN)


def readable_job(session: Session, actor: Actor, job_id: UUID) -> ImportJob:
    """The job, if the actor may see it. Raises Forbidden or NotFound."""
    require_reader(actor)
    job = session.get(ImportJob, job_id)
    if job is None or not (job.created_by == actor.id or actor.may(Permission.IMPORT_READ_ALL)):
        raise NotFound("not_found")
    return job


def own_job(session: Session, actor: Actor, job_id: UUID, *, is_locked: bool) -> ImportJob:
    """The actor's own job, locked for a change if so wished. Raises NotFound."""
    job = session.get(ImportJob, job_id, with_for_update=is_locked)
    if job is None or job.created_by != actor.id:
        raise NotFound("not_found")
    return job


def list_jobs(
    session: Session, actor: Actor, status: Status | None, kind: KindName | None, page: int, page_size: int
) -> tuple[list[ImportJob], int]:
    """A page of the jobs that the actor may see, newest first, and how many there are."""
    require_reader(actor)
    wanted = select(ImportJob)
    if not actor.may(Permission.IMPORT_READ_ALL):
        wanted = wanted.where(ImportJob.created_by == actor.id)
    if status is not None:
        wanted = wanted.where(ImportJob.status == status)
    if kind is not None:
        wanted = wanted.where(ImportJob.kind == kind)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = wanted.order_by(ImportJob.id.desc()).offset((page - 1) * page_size).limit(page_size)
    return list(session.scalars(rows)), total
