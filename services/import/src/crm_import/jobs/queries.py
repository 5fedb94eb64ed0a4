"""Reading jobs: one's own, or everybody's with import.read_all. Anyone else's job does not exist (404)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
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


def readable_job(session: Session, actor: Actor, job_id: UUID, *, is_locked: bool = False) -> ImportJob:
    """The job, if the actor may see it, locked for a change if so wished. Raises Forbidden or NotFound."""
    require_reader(actor)
    job = session.get(ImportJob, job_id, with_for_update=is_locked)
    if job is None or not (job.created_by == actor.id or actor.may(Permission.IMPORT_READ_ALL)):
        raise NotFound("not_found")
    return job


def own_job(session: Session, actor: Actor, job_id: UUID, *, is_locked: bool) -> ImportJob:
    """The actor's own job, locked for a change if so wished. Raises NotFound."""
    job = session.get(ImportJob, job_id, with_for_update=is_locked)
    if job is None or job.created_by != actor.id:
        raise NotFound("not_found")
    return job


def acting_job(session: Session, actor: Actor, job_id: UUID) -> ImportJob:
    """The job, locked, that the actor started or is undoing. Raises NotFound."""
    job = session.get(ImportJob, job_id, with_for_update=True)
    if job is None or actor.id not in (job.created_by, job.acting_member):
        raise NotFound("not_found")
    return job


@dataclass(frozen=True)
class Wanted:
    """Which jobs; None: any. `since` and `until` (exclusive): when their file was uploaded."""

    status: Status | None = None
    kind: KindName | None = None
    created_by: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """As conditions on jobs."""
        for name in ("status", "kind", "created_by"):
            if (value := getattr(self, name)) is not None:
                yield getattr(ImportJob, name) == value
        if self.since is not None:
            yield ImportJob.created_at >= self.since
        if self.until is not None:
            yield ImportJob.created_at < self.until


def list_jobs(session: Session, actor: Actor, which: Wanted, page: int, page_size: int) -> tuple[list[ImportJob], int]:
    """A page of the jobs that the actor may see, newest first, and how many there are."""
    require_reader(actor)
    wanted = select(ImportJob).where(*which.conditions())
    if not actor.may(Permission.IMPORT_READ_ALL):
        wanted = wanted.where(ImportJob.created_by == actor.id)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = wanted.order_by(ImportJob.id.desc()).offset((page - 1) * page_size).limit(page_size)
    return list(session.scalars(rows)), total
