"""Handling the two kinds of work. A handler returns None when done, or the seconds after which to try again."""

import random
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import Unavailable
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.chunks import commands
from crm_import.chunks.clients import ChunkRefused, WriterBusy
from crm_import.chunks.model import Chunk
from crm_import.chunks.rules import MAX_CHUNK_BYTES, Task
from crm_import.chunks.stages import STAGES
from crm_import.jobs.clients import fetched, reader_limits
from crm_import.jobs.rules import SplitPlan, Stage
from crm_import.reading.process import split_file
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.split import Cut
from crm_import.results.rules import Outcome
from crm_import.settings import import_settings

_RETRY_SECONDS = 5.0
log = get_logger(__name__)
_rows_handled = {
    Stage.REHEARSAL: Counter("crm_import_rehearsed_total", "Rows that were rehearsed (process; sum)", ["outcome"]),
    Stage.WRITE: Counter("crm_import_results_total", "Rows that got their result (process; sum)", ["outcome"]),
    Stage.UNDO: Counter("crm_import_undone_total", "Rows that were undone, or left (process; sum)", ["outcome"]),
}
for _stage, _outcomes in ((Stage.REHEARSAL, Outcome), (Stage.WRITE, Outcome), (Stage.UNDO, ("undone", "left"))):
    for _outcome in _outcomes:
        _rows_handled[_stage].labels(_outcome)


def handle_split(runtime: Runtime, message: pb.SplitRequested) -> float | None:
    """Split a job's file into chunks in the object store and hand out the first."""
    job_id = UUID(message.job_id)
    with runtime.database.transaction() as session:
        plan = commands.begin_split(session, job_id, now())
    if plan is None:
        return None
    try:
        rows_of_chunks = _split(runtime, plan)
    except RefusedFile as refused:
        with runtime.database.transaction() as session:
            commands.fail_split(session, job_id, refused.code, refused.parameters, now())
        return None
    except Unavailable as error:
        return error.retry_after_seconds or _RETRY_SECONDS
    except Exception:
        log.exception("split_failed", job_id=str(job_id))
        with runtime.database.transaction() as session:
            commands.count_split_failure(session, job_id, now())
        return _RETRY_SECONDS
    with runtime.database.transaction() as session:
        gone = commands.run(session, plan, rows_of_chunks, now())
    runtime.object_store().delete(*(Chunk.key_of(job_id, number) for number in gone))
    return None


def _split(runtime: Runtime, plan: SplitPlan) -> dict[int, int]:
    settings = import_settings(runtime)
    cut = Cut(
        header_row=plan.header_row,
        first=plan.first,
        last=plan.last,
        match_columns={name: plan.mapped[name] for name in plan.match},
        within={name: plan.mapped[plan.within[name]] for name in plan.match if name in plan.within},
        mobile=plan.mobile,
        required_columns=[plan.mapped[name] for name in plan.required],
        max_rows=settings.import_max_rows,
        chunk_rows=settings.import_chunk_rows,
        chunk_bytes=MAX_CHUNK_BYTES,
    )
    rows_of_chunks: dict[int, int] = {}

    def keep(number: int, rows: int, content: bytes) -> None:
        runtime.object_store().put(Chunk.key_of(plan.job_id, number), content)
        rows_of_chunks[number] = rows

    with fetched(runtime, plan.source_key, plan.layout.format) as path:
        split_file(path, plan.layout, cut, reader_limits(runtime), keep)
    return rows_of_chunks


def handle_chunk(runtime: Runtime, message: pb.ChunkReady) -> float | None:
    """Handle a chunk in its job's stage; repeating it changes nothing."""
    job_id, chunk_id = UUID(message.job_id), UUID(message.chunk_id)
    with runtime.database.transaction() as session:
        task = commands.take(session, runtime.actors, job_id, chunk_id, now())
    if task is None:
        return None
    stage = STAGES[task.stage]
    try:
        found = stage.handle(runtime, task)
    except WriterBusy as busy:
        # Waiting workers must not come back all at once.
        return busy.retry_after_seconds * random.uniform(1, 1.5)
    except Unavailable as error:
        return error.retry_after_seconds or _RETRY_SECONDS
    except Exception as error:
        log.warning("chunk_try_failed", job_id=str(job_id), chunk_id=str(chunk_id), error=_words(error))
        with runtime.database.transaction() as session:
            is_final = commands.count_failure(session, task)
        if not is_final:
            return _RETRY_SECONDS
        found = stage.give_up(runtime, task, _stop(runtime, task, error))
    _finish(runtime, task, found)
    return None


def _finish(runtime: Runtime, task: Task, found: Any) -> None:
    counts: Mapping[str, int] = {}

    def keep(session: Session) -> Mapping[str, int]:
        nonlocal counts
        counts = STAGES[task.stage].keep(session, task, found, now())
        return counts

    with runtime.database.transaction() as session:
        commands.finish_chunk(session, task, keep, now())
    for outcome, count in counts.items():
        _rows_handled[task.stage].labels(outcome).inc(count)


def _stop(runtime: Runtime, task: Task, error: Exception) -> bool:
    """Whether no chunk of the job will fare better: then the job has failed with this one."""
    if not (isinstance(error, ChunkRefused) and error.failure):
        return False
    with runtime.database.transaction() as session:
        commands.stop(session, task, *error.failure, now())
    return True


def _words(error: Exception) -> str:
    return (
        f"{type(error).__name__} {error}"[:200] if type(error).__module__.startswith("crm_") else type(error).__name__
    )
