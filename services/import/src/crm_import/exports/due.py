"""What time alone makes necessary: exports that fell silent are handed out again, old files are deleted."""

from datetime import timedelta
from itertools import chain

from sqlalchemy import or_, select

from chassis.clock import now
from chassis.database import try_lock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_import.exports import commands
from crm_import.exports.model import ExportJob
from crm_import.exports.rules import UNDER_WAY, Status
from crm_import.settings import import_settings

_AT_ONCE = 100
# After that no worker stores a file any more of an export that has ended.
_STORED = timedelta(hours=1)


def republish(runtime: Runtime) -> bool:
    """Hand out again what no worker has touched for long. Doing so needlessly harms nothing."""
    moment = now()
    silent_since = moment - timedelta(seconds=import_settings(runtime).import_silent_seconds)
    with runtime.database.transaction() as session:
        if not try_lock(session, "export-republish"):
            return False
        silent = select(ExportJob).where(ExportJob.status.in_(UNDER_WAY), ExportJob.touched_at < silent_since)
        jobs = list(session.scalars(silent.limit(_AT_ONCE).with_for_update(skip_locked=True)))
        for job in jobs:
            job.touched_at = moment
            commands.request(session, job)
    return len(jobs) == _AT_ONCE


def delete_expired(runtime: Runtime) -> bool:
    """Delete files that can be fetched no longer, and what workers that died have left of exports without a file; the jobs
    stay.
    """
    moment = now()
    with runtime.database.reading() as session:
        expired = ExportJob.expires_at < moment
        without = ExportJob.status.in_((Status.FAILED, Status.CANCELLED)) & (ExportJob.finished_at < moment - _STORED)
        old = select(ExportJob).where(ExportJob.tries > 0, or_(expired, without))
        keys = {job.id: job.all_keys for job in session.scalars(old.order_by(ExportJob.id).limit(_AT_ONCE))}
    runtime.object_store().delete(*chain.from_iterable(keys.values()))
    with runtime.database.transaction() as session:
        gone = select(ExportJob).where(ExportJob.id.in_(keys)).order_by(ExportJob.id).with_for_update()
        for job in session.scalars(gone):
            job.expire()
    return len(keys) == _AT_ONCE


REPUBLISH_EXPORTS = DueTask("republish-silent-exports", 60, republish)
DELETE_EXPIRED = DueTask("delete-expired-exports", 3600, delete_expired)
