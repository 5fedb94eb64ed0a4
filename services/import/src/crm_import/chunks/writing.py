"""The stage that writes: every row gets its one result."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from operator import attrgetter

from sqlalchemy.orm import Session

from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm_import.chunks.clients import write_rows
from crm_import.chunks.queries import rows_of
from crm_import.chunks.rules import Rows, SourceRow, Task, judge, to_judge
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import Mode
from crm_import.rehearsal.queries import decisions_of
from crm_import.rehearsal.rules import Decision
from crm_import.results.commands import store_results
from crm_import.results.queries import outcomes_of_retried
from crm_import.results.rules import Outcome, Problem, Result, Results

log = get_logger(__name__)


def handle(runtime: Runtime, task: Task) -> Results:
    """Write the rows that have nothing wrong with them. Of rows that are stopped being tried again, nothing is new."""
    if task.stop_code and task.is_retry:
        return Results()
    rows = rows_of(runtime, task)
    if task.stop_code:
        return Results([_unwritten(row, task, Outcome.SKIPPED, task.stop_code) for row in rows.each()])
    if task.mode == Mode.ASK:
        with runtime.database.reading() as session:
            task = replace(task, decided=decisions_of(session, task.job_id, rows.numbers))
    return written(runtime, task, rows)


def written(runtime: Runtime, task: Task, rows: Rows) -> Results:
    """What becomes of rows: those with something wrong or to be skipped are not sent. Raises WriterBusy, ChunkRefused."""
    suspects = to_judge(rows, task.mapped, task.demanded, task.typing) | task.decided.keys()
    judged = {row.number: result for row in rows.each(suspects) if (result := _judge(row, task))} if suspects else {}
    to_write = rows.without(judged)
    answer = write_rows(runtime, task, to_write) if to_write.numbers else Results()
    single = sorted([*judged.values(), *answer.single], key=attrgetter("number"))
    return replace(answer, single=single)


def _judge(row: SourceRow, task: Task) -> Result | None:
    decision, record_id = task.decided.get(row.number, (None, None))
    if decision == Decision.SKIP:
        result = row.result(Outcome.SKIPPED, [Problem("", "skipped_as_decided")])
        return replace(result, record_id=str(record_id) if record_id else None)
    return judge(row, task.mapped, task.demanded, task.typing)


def _unwritten(row: SourceRow, task: Task, outcome: Outcome, code: str) -> Result:
    """A row that was not sent, and what else is wrong with it: whoever tries it again must know."""
    judged = judge(row, task.mapped, task.demanded, task.typing)
    return row.result(outcome, [Problem("", code), *(judged.problems if judged else ())])


def give_up(runtime: Runtime, task: Task, stopped: bool) -> Results:
    """Results of rows that could not be written; none when the rows themselves are lost."""
    outcome, code = (Outcome.SKIPPED, "import_stopped") if stopped else (Outcome.FAILED, "chunk_failed")
    try:
        rows = rows_of(runtime, task)
    except Exception:
        log.exception("chunk_lost", job_id=str(task.job_id), chunk_id=str(task.chunk_id))
        return Results()
    return Results([_unwritten(row, task, outcome, code) for row in rows.each()])


def keep(session: Session, task: Task, results: Results, now: datetime) -> Mapping[str, int]:
    """Store the results; rows that are lost count as failed, rows tried again as they end now."""
    session.get_one(ImportJob, task.job_id).name_pools(results.pools())
    store_results(session, task.job_id, results, task.number if task.is_retry else None)
    if task.is_retry:
        return outcomes_of_retried(session, task.job_id, task.number)
    return results.counts() or {Outcome.FAILED: task.rows}
