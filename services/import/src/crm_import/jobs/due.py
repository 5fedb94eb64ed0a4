"""Measuring jobs from time to time."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.due import measuring
from chassis.metrics import Fact
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import Status

_jobs = Fact("crm_import_jobs", "Import jobs, ended ones included (work; max)", ["status"])
_rows = Fact("crm_import_rows", "Rows of the jobs that run now: done, and total (work; max)", ["state"])


def measure_jobs(session: Session) -> None:
    """Count the jobs by status, and the rows of the running ones."""
    counted = dict(session.execute(select(ImportJob.status, func.count()).group_by(ImportJob.status)).all())
    _jobs.set_all({(status,): counted.get(status, 0) for status in Status})
    done = ImportJob.created + ImportJob.updated + ImportJob.skipped + ImportJob.failed
    row = session.execute(
        select(func.coalesce(func.sum(done), 0), func.coalesce(func.sum(ImportJob.total), 0)).where(
            ImportJob.status.in_((Status.REHEARSING, Status.RUNNING))
        )
    ).one()
    _rows.set_all({("done",): row[0], ("total",): row[1]})


MEASURE_JOBS = measuring("jobs", measure_jobs)
