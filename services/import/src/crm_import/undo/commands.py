"""Taking back what an import wrote (design §4, decision 0029)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.errors import Forbidden
from crm_import.chunks.commands import open_chunks
from crm_import.jobs.commands import audit
from crm_import.jobs.model import ImportJob
from crm_import.jobs.queries import readable_job


def undo(session: Session, actor: Actor, job_id: UUID, now: datetime) -> ImportJob:
    """Let the workers take back what the job wrote. Asking again while they do changes nothing; rows that were left are
    tried again. For whoever reads the job and may delete what it created and change what it updated; of which records,
    their owner says.

    Raises NotFound, Forbidden, Conflict.
    """
    job = readable_job(session, actor, job_id, is_locked=True)
    kind = job.traits
    needed = [*(kind.to_undo if job.created else ()), *(kind.to_update if job.updated else ())]
    for permission in needed:
        if not actor.may(permission):
            raise Forbidden("forbidden", permission=permission)
    if job.undo(actor.id, now):
        session.flush()
        open_chunks(session, job, now)
        audit(session, "import.undo", actor.id, job)
    return job
