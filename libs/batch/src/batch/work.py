"""Working batches: a page of items per transaction, by any number of workers, resumed after any crash.

Nothing but the items' own rows says what is left to do. A page whose transaction did not commit is still pending, so a
killed worker costs nothing and repeats nothing. Rows being worked are skipped by others (SKIP LOCKED), so two workers
share one batch. The batch's own row is written only when it ends: it is no bottleneck.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import exists, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from batch.measure import measure_batches
from batch.model import Batch, Counts, ItemResult, Outcome, Status
from batch.queries import batch_of, counts_of
from batch.tables import batch_items, batches
from chassis.clock import now
from chassis.due import DueTask, measuring
from chassis.errors import Refusal, Unavailable
from chassis.events.consumer import is_transient
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.tracing import current_trace_id, failed, traced

log = get_logger(__name__)


@dataclass(frozen=True)
class BatchWork:
    """How the items of one kind are worked.

    `run` works one page inside its transaction and answers one result per id; it checks again, for each item, that the
    batch's actor may do this and that the item's state allows it. A Refusal it raises for a single item becomes that
    item's reason. `prepare` runs before, with no transaction open, for questions to other services (design §3, confirm
    before taking) and for what `run` needs of the runtime; what it returns is passed on to `run`. `finish` runs exactly once, in the transaction that ends the
    batch, for example to record its closing event. `page` is the most items of a transaction.
    """

    kind: str
    run: Callable[[Session, Batch, Sequence[UUID], Any], Sequence[ItemResult]]
    prepare: Callable[[Runtime, Batch, Sequence[UUID]], Any] | None = None
    finish: Callable[[Session, Batch, Counts], None] | None = None
    page: int = 200


def batch_tasks(works: Sequence[BatchWork], every_seconds: float = 1) -> tuple[DueTask, ...]:
    """The due tasks of a service that has batches: working and measuring them, and deleting results after 30 days."""
    by_kind = {work.kind: work for work in works}
    return (
        DueTask("batches", every_seconds, lambda runtime: work_batches(runtime, by_kind)),
        DueTask("batches-kept", 3600, delete_old),
        measuring("batches", measure_batches),
    )


def work_batches(runtime: Runtime, works: dict[str, BatchWork]) -> bool:
    """Work one page of each open batch, so that a long one delays no other. True when any item was worked."""
    with runtime.database.reading() as session:
        rows = session.execute(
            select(batches).where(batches.c.finished_at.is_(None), batches.c.kind.in_(works)).order_by(batches.c.id)
        ).all()
    return any([_advance(runtime, works[row.kind], batch_of(row)) for row in rows])  # noqa: C419 - each of them


def _advance(runtime: Runtime, work: BatchWork, batch: Batch) -> bool:
    """Work one page, and end the batch if that was the last. A batch that cannot go on now does not hold up others."""
    with traced(f"batch {work.kind}", parent={}) as step:
        try:
            is_cancelled = batch.status is Status.CANCELLING
            worked = _cancel_rest(runtime, batch) if is_cancelled else _work_page(runtime, work, batch)
            _end(runtime, work, batch)
        except Exception as error:
            failed(step, type(error).__name__)
            why = {"code": error.code, **error.parameters} if isinstance(error, Unavailable) else {"exc_info": True}
            log.warning("batch_waits", kind=work.kind, batch_id=str(batch.id), **why)
            return False
    return worked > 0


def _work_page(runtime: Runtime, work: BatchWork, batch: Batch) -> int:
    """Work up to a page of pending items; those that break the page are worked alone. Returns how many were free."""
    with runtime.database.transaction() as session:
        item_ids = _lock_pending(session, batch, work.page)
    if not item_ids:
        return 0
    try:
        _work(runtime, work, batch, item_ids)
    except Exception as error:
        if _passes_by_itself(error):
            raise
        log.info("batch_page_broke", kind=work.kind, batch_id=str(batch.id), error=type(error).__name__)
        for item_id in item_ids:
            _work_alone(runtime, work, batch, item_id)
    return len(item_ids)


def _work(runtime: Runtime, work: BatchWork, batch: Batch, item_ids: Sequence[UUID]) -> None:
    """Work those of the items that are still pending and that nobody else took meanwhile."""
    prepared = work.prepare(runtime, batch, item_ids) if work.prepare else None
    with runtime.database.transaction() as session:
        mine = _lock_pending(session, batch, work.page, among=item_ids)
        if not mine:
            return
        results = work.run(session, batch, mine, prepared)
        if sorted(result.item_id for result in results) != sorted(mine):
            raise ValueError(f"{work.kind}: {len(results)} results are not one for each of {len(mine)} items")
        _record(session, batch, results)


def _work_alone(runtime: Runtime, work: BatchWork, batch: Batch, item_id: UUID) -> None:
    try:
        _work(runtime, work, batch, [item_id])
        return
    except Exception as error:
        if _passes_by_itself(error):
            raise
        result = _result_of(item_id, error)
        if result.outcome is Outcome.FAILED:
            log.exception("batch_item_failed", kind=work.kind, batch_id=str(batch.id))
    with runtime.database.transaction() as session:
        if _lock_pending(session, batch, 1, among=[item_id]):
            _record(session, batch, [result])


def _result_of(item_id: UUID, error: Exception) -> ItemResult:
    if isinstance(error, Refusal):
        return ItemResult.skipped(item_id, error.code, **error.parameters)
    return ItemResult.failed(item_id, "internal_error", trace_id=current_trace_id())


def _lock_pending(session: Session, batch: Batch, limit: int, among: Sequence[UUID] | None = None) -> Sequence[UUID]:
    """Items not yet worked that nobody else is working, in order, locked until the transaction ends."""
    table = batch_items.c
    query = select(table.item_id).where(table.batch_id == batch.id, table.outcome.is_(None))
    if among is not None:
        query = query.where(table.item_id.in_(among))
    return session.scalars(query.order_by(table.position).limit(limit).with_for_update(skip_locked=True)).all()


_RECORD = text(
    "UPDATE batch_items AS item SET outcome = result.outcome, code = result.code, parameters = result.parameters"
    " FROM unnest(CAST(:item_ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:codes AS text[]),"
    " CAST(:parameters AS jsonb[])) AS result (item_id, outcome, code, parameters)"
    " WHERE item.batch_id = :batch_id AND item.item_id = result.item_id"
)


def _record(session: Session, batch: Batch, results: Sequence[ItemResult]) -> None:
    session.execute(
        _RECORD,
        {
            "batch_id": batch.id,
            "item_ids": [result.item_id for result in results],
            "outcomes": [result.outcome.value for result in results],
            "codes": [result.code for result in results],
            "parameters": [Jsonb(dict(result.parameters)) for result in results],
        },
    )


_CANCEL_REST = text(
    "UPDATE batch_items SET outcome = 'skipped', code = 'batch_cancelled' WHERE batch_id = :batch_id AND position IN"
    " (SELECT position FROM batch_items WHERE batch_id = :batch_id AND outcome IS NULL FOR UPDATE SKIP LOCKED)"
    " RETURNING 1"
)


def _cancel_rest(runtime: Runtime, batch: Batch) -> int:
    """Skip what nobody is working; pages under way are finished by whoever works them."""
    with runtime.database.transaction() as session:
        return len(session.execute(_CANCEL_REST, {"batch_id": batch.id}).all())


def _end(runtime: Runtime, work: BatchWork, batch: Batch) -> None:
    """End the batch when no item is left: whoever locks its row first, nobody else."""
    left = exists().where(batch_items.c.batch_id == batch.id, batch_items.c.outcome.is_(None))
    with runtime.database.transaction() as session:
        row = session.execute(
            select(batches)
            .where(batches.c.id == batch.id, batches.c.finished_at.is_(None), ~left)
            .with_for_update(skip_locked=True, of=batches)
        ).one_or_none()
        if row is None:
            return
        counts = counts_of(session, batch.id)
        ended = Status.CANCELLED if row.status == Status.CANCELLING else Status.FINISHED
        changed = session.execute(
            update(batches).where(batches.c.id == batch.id).values(status=ended, finished_at=now()).returning(batches)
        ).one()
        if work.finish is not None:
            work.finish(session, batch_of(changed), counts)
    log.info("batch_ended", kind=work.kind, batch_id=str(batch.id), status=ended.value)


def _passes_by_itself(error: Exception) -> bool:
    """Whether the page may simply be tried again: something is away, or two transactions met."""
    if isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", "")).startswith("40"):
        return True
    return is_transient(error)


_DELETE_OLD = text(
    "DELETE FROM batches WHERE id IN (SELECT id FROM batches WHERE finished_at < now() - interval '30 days'"
    " ORDER BY finished_at LIMIT 20 FOR UPDATE SKIP LOCKED) RETURNING 1"
)


def delete_old(runtime: Runtime) -> bool:
    """Delete batches that ended 30 days ago (design §5, Kept), with their items."""
    with runtime.database.transaction() as session:
        return bool(session.execute(_DELETE_OLD).all())
