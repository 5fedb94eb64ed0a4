"""What happens to chunks. A job's row is locked before those of its chunks, always."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor, ActorSource
from chassis.errors import Conflict
from chassis.events.outbox import record_event
from crm.imports.v1 import imports_events_pb2 as pb
from crm_import.chunks.model import COUNTS, Chunk
from crm_import.chunks.rules import MAX_OUTSTANDING, MAX_TRIES, ChunkStatus, Task
from crm_import.corrections.queries import has_corrections
from crm_import.jobs import commands as jobs
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import SplitPlan, Stage, Status
from crm_import.kinds.kind import Kind
from crm_import.results.commands import mark_retried
from crm_import.results.queries import receivers
from crm_import.results.rules import Only
from crm_import.streams import CHUNK_SUBJECT
from directory.permissions import Permission

_OUTSTANDING = func.count().filter(Chunk.status == ChunkStatus.QUEUED)
# What remains of an import that was stopped is handled all the same: every row gets its result.
_STOP_CODES = {Status.CANCELLED: "import_cancelled", Status.FAILED: "import_stopped"}


def begin_split(session: Session, job_id: UUID, now: datetime) -> SplitPlan | None:
    """The plan of a job that waits to be split; None when there is nothing to do any more. Chunks that would be cut in
    the same way again are handed out at once.
    """
    job = _locked(session, job_id)
    if job is None or not job.begin_splitting(now):
        return None
    if job.total:
        open_chunks(session, job, now)
        return None
    return job.split_plan


def run(session: Session, plan: SplitPlan, rows_of_chunks: Mapping[int, int], now: datetime) -> Sequence[int]:
    """The file is split as planned (chunk number → rows): hand the first chunks to the workers. Repeating it changes
    nothing. Returns the numbers of chunks that an earlier split had made and that are no more.
    """
    job = _locked(session, plan.job_id)
    if job is None or job.status != Status.VALIDATING or job.split_plan != plan:
        return ()
    job.total = sum(rows_of_chunks.values())
    gone = delete(Chunk).where(Chunk.job_id == job.id, Chunk.number > len(rows_of_chunks)).returning(Chunk.number)
    numbers = session.scalars(gone).all()
    rows = [_waiting(job.id, number, count, now) for number, count in rows_of_chunks.items()]
    if rows:
        made = insert(Chunk)
        session.execute(made.on_conflict_do_update(index_elements=["id"], set_={"rows": made.excluded.rows}), rows)
    open_chunks(session, job, now)
    return numbers


def _waiting(job_id: UUID, number: int, rows: int, now: datetime) -> dict[str, Any]:
    counts = dict.fromkeys(("tries", "created", "updated", "skipped", "failed"), 0)
    id_ = Chunk.id_of(job_id, number)
    head = {"id": id_, "job_id": job_id, "number": number, "rows": rows, "status": ChunkStatus.WAITING}
    return {**head, **counts, "touched_at": now}


def open_chunks(session: Session, job: ImportJob, now: datetime) -> None:
    """Let the chunks of the locked job's file wait for their turn in its stage, and hand out the first."""
    counts = ("undone", "left") if job.stage == Stage.UNDO else ("created", "updated", "skipped", "failed")
    fresh = {"status": ChunkStatus.WAITING, "touched_at": now, **dict.fromkeys(("tries", *counts), 0)}
    session.execute(
        update(Chunk)
        .where(Chunk.job_id == job.id, ~Chunk.is_retry)
        .values({getattr(Chunk, name): value for name, value in fresh.items()})
    )
    job.handle_chunks(now)
    outstanding = _recount(session, job, now)
    jobs.tell_progress(session, job)
    advance(session, job, now, outstanding)


def retry(session: Session, actor: Actor, job_id: UUID, only: Only | None, size: int, now: datetime) -> ImportJob:
    """Try rows again in chunks of `size`: those that failed, and those put right that failed or were skipped.

    While that goes on, asking again changes nothing. Raises NotFound, Forbidden, Conflict.
    """
    job = jobs.job_to_start(session, actor, job_id)
    if job.stage == Stage.WRITE and job.is_handled:
        return job
    job.retry(now)
    last = session.scalar(select(func.max(Chunk.number)).where(Chunk.job_id == job.id)) or 0
    rows_of_chunks = mark_retried(session, job.id, only, last + 1, size)
    if not rows_of_chunks:
        raise Conflict("nothing_to_retry")
    # An undo that was cancelled before it began has left chunks that wait for nothing any more.
    session.execute(update(Chunk).where(Chunk.job_id == job.id).values(status=ChunkStatus.DONE))
    for number, former in rows_of_chunks.items():
        head = {**_waiting(job.id, number, sum(former.values()), now), "is_retry": True}
        session.add(Chunk(**head | {outcome: -count for outcome, count in former.items()}))
    session.flush()
    advance(session, job, now, _recount(session, job, now))
    jobs.audit(session, "import.retry", actor.id, job)
    return job


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
    """The task of a chunk that is to be handled in its job's stage, else None. Rights are checked anew for every chunk."""
    job = _locked(session, job_id)
    chunk = session.get(Chunk, chunk_id)
    if job is None or chunk is None or chunk.status != ChunkStatus.QUEUED:
        return None
    if job.is_handled and not _may_go_on(actors.actor(session, job.acting_member), job.traits):
        jobs.fail(session, job, "importer_not_allowed", {}, now)
    stage = Stage(job.stage)
    stop_code = _STOP_CODES.get(Status(job.status)) if stage == Stage.WRITE and not job.is_settled else None
    if not job.is_handled and stop_code is None:
        return None
    chunk.touched_at = now
    return Task(
        job_id=job.id,
        chunk_id=chunk.id,
        stage=stage,
        taken_at=now,
        number=chunk.number,
        is_retry=chunk.is_retry,
        has_corrections=has_corrections(session, job.id),
        key=Chunk.key_of(job.id, chunk.number),
        rows=chunk.rows,
        kind=job.kind,
        actor_id=job.acting_member,
        first=job.first_column,
        mapped=job.mapped,
        typing=job.typing,
        demanded=job.demanded_fields,
        mode=job.mode,
        match=job.effective_match_fields,
        clear_empty=job.clear_empty,
        target_pool_id=job.target_pool_id,
        stop_code=stop_code,
    )


def _may_go_on(actor: Actor | None, kind: Kind) -> bool:
    return actor is not None and actor.active and all(map(actor.may, (Permission.IMPORT_RUN, *kind.permissions)))


def stop(session: Session, task: Task, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
    """Handle no further row of the task's job in its stage; `code` is worded in messages."""
    job, chunk = _taken(session, task)
    if job is not None and chunk is not None:
        jobs.fail(session, job, code, parameters, now)


def count_failure(session: Session, task: Task) -> bool:
    """A try failed for good; True when the chunk's rows are to be given up."""
    chunk = session.get_one(Chunk, task.chunk_id, with_for_update=True)
    return chunk.fail_once()


def finish_chunk(session: Session, task: Task, keep: Callable[[Session], Mapping[str, int]], now: datetime) -> bool:
    """Let `keep` store what came of a chunk, once, and answer the counts of it; then hand out the next, or settle the
    job's stage. False when the chunk is somebody else's by now, or its stage over: then nothing is stored.
    """
    job, chunk = _taken(session, task)
    if job is None or chunk is None:
        return False
    chunk.finish(keep(session), now)
    session.flush()
    advance(session, job, now, _recount(session, job, now))
    return True


def _taken(session: Session, task: Task) -> tuple[ImportJob | None, Chunk | None]:
    """The job and chunk of a task, locked, as long as the chunk is the task's. What is written or undone by now is kept
    even after a cancel; of a rehearsal that is cancelled nothing is.
    """
    job = _locked(session, task.job_id)
    chunk = session.get(Chunk, task.chunk_id, with_for_update=True)
    if job is None or chunk is None or chunk.is_done or (job.stage, chunk.touched_at) != (task.stage, task.taken_at):
        return None, None
    if task.stage == Stage.REHEARSAL and not job.is_handled:
        return None, None
    return job, chunk


def advance(session: Session, job: ImportJob, now: datetime, outstanding: int | None = None) -> None:
    """Hand out chunks of the locked job until enough are `outstanding` (None: count them); settle its stage when none is
    left.
    """
    if not job.is_handled and job.stage != Stage.WRITE:
        return
    if outstanding is None:
        outstanding = session.scalar(select(_OUTSTANDING).where(Chunk.job_id == job.id)) or 0
    waiting = select(Chunk.id).where(Chunk.job_id == job.id, Chunk.status == ChunkStatus.WAITING)
    room = max(MAX_OUTSTANDING[Stage(job.stage)] - outstanding, 0)
    queued = update(Chunk).where(Chunk.id.in_(waiting.order_by(Chunk.number).limit(room)))
    queued = queued.values(status=ChunkStatus.QUEUED, touched_at=now).execution_options(synchronize_session=False)
    next_chunks = session.execute(queued.returning(Chunk.number, Chunk.job_id, Chunk.id)).all()
    _send(session, sorted(next_chunks))
    if not outstanding and not next_chunks:
        jobs.settle(session, job, now, _receivers(session, job))


def _receivers(session: Session, job: ImportJob) -> Mapping[UUID, int]:
    """Who has got customers since the last start of a write."""
    if job.stage != Stage.WRITE:
        return {}
    was_retry = select(Chunk.id).where(Chunk.job_id == job.id, Chunk.is_retry).exists()
    return receivers(session, job.id, retried_alone=bool(session.scalar(select(was_retry))))


def publish(session: Session, chunks: Sequence[Chunk], now: datetime) -> None:
    """Hand chunks to the workers."""
    for chunk in chunks:
        chunk.queue(now)
    session.flush()
    _send(session, chunks)


def _send(session: Session, chunks: Sequence[Any]) -> None:
    messages = [pb.ChunkReady(job_id=str(chunk.job_id), chunk_id=str(chunk.id)) for chunk in chunks]
    record_event(session, *messages, subject=CHUNK_SUBJECT)


def _recount(session: Session, job: ImportJob, now: datetime) -> int:
    """Let the job know the sums over its chunks; returns how many of them are outstanding."""
    sums = (func.coalesce(func.sum(getattr(Chunk, name)), 0) for name in COUNTS)
    *totals, outstanding = session.execute(select(*sums, _OUTSTANDING).where(Chunk.job_id == job.id)).one()
    former = job.percent
    for name, total in zip(COUNTS, totals, strict=True):
        setattr(job, name, int(total))
    job.changed(now)
    if job.percent != former:
        jobs.tell_progress(session, job)
    return int(outstanding)


def _locked(session: Session, job_id: UUID) -> ImportJob | None:
    return session.get(ImportJob, job_id, with_for_update=True)
