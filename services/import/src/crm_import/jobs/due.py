"""Measuring jobs from time to time."""

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from chassis.due import measuring
from chassis.metrics import Fact
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import HANDLED_AS, Stage, Status

_jobs = Fact("crm_import_jobs", "Import jobs, ended ones included (work; max)", ["status"])
_rows = Fact("crm_import_rows", "Rows of the jobs that are handled now: done, and total (work; max)", ["state"])


def measure_jobs(session: Session) -> None:
    """Count the jobs by status, and the rows of those whose chunks are handled, for whichever stage."""
    counted = dict(session.execute(select(ImportJob.status, func.count()).group_by(ImportJob.status)).all())
    _jobs.set_all({(status,): counted.get(status, 0) for status in Status})
    written = ImportJob.created + ImportJob.updated
    is_undo = ImportJob.stage == Stage.UNDO
    done = case((is_undo, ImportJob.undone + ImportJob.left), else_=written + ImportJob.skipped + ImportJob.failed)
    total = case((is_undo, written), else_=ImportJob.total)
    sums = select(func.coalesce(func.sum(done), 0), func.coalesce(func.sum(total), 0))
    row = session.execute(sums.where(ImportJob.status.in_(HANDLED_AS.values()))).one()
    _rows.set_all({("done",): row[0], ("total",): row[1]})


MEASURE_JOBS = measuring("jobs", measure_jobs)
