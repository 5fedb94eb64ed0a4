"""What happens to chunks. A job's row is locked before those of its chunks, always."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor, ActorSource
from chassis.events.outbox import record_event
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.chunks.model import Chunk
from crm_import.chunks.rules import MAX_OUTSTANDING, MAX_TRIES, ChunkStatus, SplitPlan, Task
from crm_import.jobs import commands as jobs
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import Status
from crm_import.kinds.kind import Kind
from crm_import.reading.tables import Layout
from crm_import.results.commands import store_results
from crm_import.results.rules import Outcome, Result
from crm_import.streams import CHUNK_SUBJECT
from directory.permissions import Permission


def begin_split(session: Session, job_id: UUID, now: datetime) -> SplitPlan | None:
    """The plan of a job that waits to be split; None when there is nothing to do any more."""
    job = _locked(session, job_id)
    if job is None or not job.begin_splitting(now):
        return None
    return SplitPlan(
        job_id=job.id,
        source_key=job.source_key,
        layout=Layout(job.file_format, job.sheet, job.encoding, job.delimiter),
        header_row=job.header_row,
        first=job.columns[0]["index"],
        last=job.columns[-1]["index"],
        mapped=job.mapped,
        match=job.effective_match_fields,
        mobile=job.traits.mobile,
        required=job.required_fields,
    )


def run(session: Session, job_id: UUID, rows_of_chunks: Mapping[int, int], now: datetime) -> None:
    """The file is split (chunk number → rows): hand the first chunks to the workers. Repeating it changes nothing."""
    job = _locked(session, job_id)
    if job is None or not job.run(sum(rows_of_chunks.values()), now):
        return
    empty = {"tries": 0, "created": 0, "updated": 0, "skipped": 0, "failed": 0, "touched_at": now}
    rows = [
        {
            "id": Chunk.id_of(job_id, number),
            "job_id": job_id,
            "number": number,
            "rows": count,
            "status": ChunkStatus.WAITING,
            **empty,
        }
        for number, count in rows_of_chunks.items()
    ]
    if rows:
        session.execute(insert(Chunk).on_conflict_do_nothing(), rows)
    advance(session, job, now)


def fail_split(session: Session, job_id: UUID, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
    """The file cannot be split: the job fails as a whole."""
    job = _locked(session, job_id)
    if job is not None:
        jobs.fail(session, job, code, parameters, now)


def count_split_failure(session: Session, job_id: UUID, now: datetime) -> None:
    """Splitting broke down for no reason that lies in the file; after some tries the job fails."""
    job = _locked(session, job_id)
    if job is not None:
        job.split_tries += 1
        if job.split_tries >= MAX_TRIES:
            jobs.fail(session, job, "split_failed", {}, now)


def take(session: Session, actors: ActorSource, job_id: UUID, chunk_id: UUID, now: datetime) -> Task | None:
    """The task of a chunk whose rows still need results, else None. Rights are checked anew for every chunk."""
    job = _locked(session, job_id)
    chunk = session.get(Chunk, chunk_id)
    if job is None or chunk is None or chunk.is_done:
        return None
    if job.status == Status.RUNNING and not _may_go_on(actors.actor(session, job.created_by), job.traits):
        jobs.fail(session, job, "importer_not_allowed", {}, now)
    chunk.touched_at = now
    stop_codes = {Status.CANCELLED: "import_cancelled", Status.FAILED: "import_stopped"}
    return Task(
        job_id=job.id,
        chunk_id=chunk.id,
        key=Chunk.key_of(job.id, chunk.number),
        rows=chunk.rows,
        kind=job.kind,
        actor_id=job.created_by,
        first=job.columns[0]["index"],
        mapped=job.mapped,
        typing=job.typing,
        demanded=job.demanded_fields,
        mode=job.mode,
        match=job.effective_match_fields,
        clear_empty=job.clear_empty,
        target_pool_id=job.target_pool_id,
        stop_code=stop_codes.get(Status(job.status)),
    )


def _may_go_on(actor: Actor | None, kind: Kind) -> bool:
    return actor is not None and actor.active and all(map(actor.may, (Permission.IMPORT_RUN, *kind.permissions)))


def stop(session: Session, task: Task, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
    """Write no further row of the task's job; `code` is worded in messages."""
    job = _locked(session, task.job_id)
    if job is not None:
        jobs.fail(session, job, code, parameters, now)


def count_failure(session: Session, task: Task) -> bool:
    """A try failed for good; True when the chunk's rows are to be given up."""
    chunk = session.get_one(Chunk, task.chunk_id, with_for_update=True)
    return chunk.fail_once()


def finish_chunk(session: Session, task: Task, results: Sequence[Result], now: datetime) -> None:
    """Store the results of a chunk, once, and hand out the next; the last one settles the job.

    `results` is empty when the rows themselves are lost: then they count as failed.
    """
    job = _locked(session, task.job_id)
    chunk = session.get(Chunk, task.chunk_id, with_for_update=True)
    if job is None or chunk is None or chunk.is_done:
        return
    counts = Counter(result.outcome for result in results)
    if results:
        store_results(session, task.job_id, results)
    else:
        counts[Outcome.FAILED] = task.rows
    chunk.finish(counts, now)
    session.flush()
    _recount(session, job, now)
    advance(session, job, now)


def advance(session: Session, job: ImportJob, now: datetime) -> None:
    """Hand out chunks of the locked job until enough are outstanding; settle the job when none is left."""
    of_job = select(Chunk).where(Chunk.job_id == job.id)
    outstanding = session.scalar(
        select(func.count()).select_from(of_job.where(Chunk.status == ChunkStatus.QUEUED).subquery())
    )
    room = MAX_OUTSTANDING - (outstanding or 0)
    waiting = of_job.where(Chunk.status == ChunkStatus.WAITING).order_by(Chunk.number).limit(max(room, 0))
    next_chunks = list(session.scalars(waiting))
    publish(session, next_chunks, now)
    if not outstanding and not next_chunks:
        jobs.settle(session, job, now)


def publish(session: Session, chunks: Sequence[Chunk], now: datetime) -> None:
    """Hand chunks to the workers."""
    for chunk in chunks:
        chunk.queue(now)
    session.flush()
    messages = [pb.ChunkReady(job_id=str(chunk.job_id), chunk_id=str(chunk.id)) for chunk in chunks]
    record_event(session, *messages, subject=CHUNK_SUBJECT)


def _recount(session: Session, job: ImportJob, now: datetime) -> None:
    sums = session.execute(
        select(func.sum(Chunk.created), func.sum(Chunk.updated), func.sum(Chunk.skipped), func.sum(Chunk.failed)).where(
            Chunk.job_id == job.id
        )
    ).one()
    job.created, job.updated, job.skipped, job.failed = (int(total) for total in sums)
    job.changed(now)


def _locked(session: Session, job_id: UUID) -> ImportJob | None:
    return session.get(ImportJob, job_id, with_for_update=True)
