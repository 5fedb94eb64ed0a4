"""The stage that rehearses: every row gets its plan, and nothing is written."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from chassis.runtime import Runtime
from crm_import.chunks import writing
from crm_import.chunks.queries import rows_of
from crm_import.chunks.rules import Task
from crm_import.jobs.model import ImportJob
from crm_import.rehearsal.commands import store_plans
from crm_import.rehearsal.queries import given_to_owners
from crm_import.results.rules import Results


def handle(runtime: Runtime, task: Task) -> Results:
    """Ask what would become of the rows, after those of the chunks before."""
    rows = rows_of(runtime, task)
    with runtime.database.reading() as session:
        task = replace(task, rehearsed=given_to_owners(session, task.job_id))
    found = writing.written(runtime, task, rows)
    return Results(
        [replace(result, cells=row.written_cells) for result, row in zip(found.single, rows.each(), strict=True)]
    )


def give_up(runtime: Runtime, task: Task, stopped: bool) -> Results:
    """Rows that cannot be rehearsed would fail."""
    return writing.give_up(runtime, task, stopped)


def keep(session: Session, task: Task, results: Results, now: datetime) -> Mapping[str, int]:
    """Store the plans; the job knows how many rows wait for a decision."""
    job = session.get_one(ImportJob, task.job_id)
    outcomes, undecided = store_plans(session, task.job_id, results.single)
    job.undecided += undecided
    job.name_pools(results.pools())
    return outcomes
