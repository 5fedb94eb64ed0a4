"""What time alone makes necessary: work that fell silent is handed out again, old results are forgotten."""

from datetime import timedelta

from sqlalchemy import select

from chassis.clock import now
from chassis.database import try_lock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_import.chunks import commands
from crm_import.chunks.model import Chunk
from crm_import.chunks.rules import ChunkStatus
from crm_import.corrections.commands import forget_corrections
from crm_import.jobs.commands import request_split
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import ENDED, SETTABLE, WAITING_FOR_CHUNKS
from crm_import.rehearsal.commands import forget_plans
from crm_import.results.commands import forget_results
from crm_import.settings import import_settings

_AT_ONCE = 200
_FORGET_AT_ONCE = 20_000
_FORGETTING = (forget_results, forget_plans, forget_corrections)


def republish(runtime: Runtime) -> bool:
    """Hand out again what no worker has touched for long. Doing so needlessly harms nothing."""
    moment = now()
    silent_since = moment - timedelta(seconds=import_settings(runtime).import_silent_seconds)
    with runtime.database.transaction() as session:
        if not try_lock(session, "import-republish"):
            return False
        unsettled = ~ImportJob.is_settled & ImportJob.status.not_in(SETTABLE)
        silent_jobs = select(ImportJob).where(unsettled, ImportJob.touched_at < silent_since)
        jobs = list(session.scalars(silent_jobs.limit(_AT_ONCE).with_for_update(skip_locked=True)))
        for job in jobs:
            job.touched_at = moment
            if job.status in WAITING_FOR_CHUNKS:
                request_split(session, job)
            else:
                commands.advance(session, job, moment)
        silent = Chunk.status == ChunkStatus.QUEUED, Chunk.touched_at < silent_since
        silent_chunks = select(Chunk).join(ImportJob, ImportJob.id == Chunk.job_id).where(*silent, unsettled)
        chunks = list(session.scalars(silent_chunks.limit(_AT_ONCE).with_for_update(of=Chunk, skip_locked=True)))
        commands.publish(session, chunks, moment)
    return len(jobs) == _AT_ONCE or len(chunks) == _AT_ONCE


def expire(runtime: Runtime) -> bool:
    """Delete the files, row results, plans and corrections of one job that nobody has needed for a month, the job itself stays."""
    until = now() - timedelta(days=import_settings(runtime).import_results_days)
    with runtime.database.reading() as session:
        old = select(ImportJob).where(
            ~ImportJob.are_results_expired,
            ImportJob.status.in_(ENDED | SETTABLE),
            ImportJob.touched_at < until,
        )
        job = session.scalar(old.order_by(ImportJob.touched_at).limit(1))
        if job is None:
            return False
        numbers = list(session.scalars(select(Chunk.number).where(Chunk.job_id == job.id)))
    runtime.object_store().delete(job.source_key, *(Chunk.key_of(job.id, number) for number in numbers))
    with runtime.database.transaction() as session:
        forgotten = (forget(session, job.id, _FORGET_AT_ONCE) for forget in _FORGETTING)
        if max(forgotten) < _FORGET_AT_ONCE:
            session.get_one(ImportJob, job.id, with_for_update=True).expire(now())
    return True


REPUBLISH = DueTask("republish-silent-chunks", 60, republish)
EXPIRE = DueTask("expire-results", 3600, expire)
