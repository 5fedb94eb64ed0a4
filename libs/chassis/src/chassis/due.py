"""Due work: what time alone makes necessary. Rows are taken with SKIP LOCKED, so any number of replicas is safe."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.orm import Session

from chassis import metrics
from chassis.database import Database, try_lock
from chassis.events.consumer import is_transient
from chassis.events.outbox import measure_outbox
from chassis.events.relay import wait
from chassis.logs import get_logger
from chassis.tracing import quietly

if TYPE_CHECKING:
    from chassis.runtime import Runtime

log = get_logger(__name__)


@dataclass(frozen=True)
class DueTask:
    """A function run every `every_seconds` in each worker; it takes its rows with FOR UPDATE SKIP LOCKED.

    It returns True when more is waiting, to be run again at once.
    """

    name: str
    every_seconds: float
    run: "Callable[[Runtime], bool]"


async def run_due(tasks: Sequence[DueTask], runtime: "Runtime", stopping: asyncio.Event) -> None:
    """Run all tasks until `stopping`, each at its own pace."""
    await asyncio.gather(*(_repeat(task, runtime, stopping) for task in tasks))


async def _repeat(task: DueTask, runtime: "Runtime", stopping: asyncio.Event) -> None:
    metrics.due_work_failures.labels(task.name)  # 0 from the start
    while not stopping.is_set():
        more = await _run(task, runtime)
        if not more:
            await wait(stopping, task.every_seconds * random.uniform(0.9, 1.1))


async def _run(task: DueTask, runtime: "Runtime") -> bool:
    """One run. Most find nothing to do, so it is no step of a trace of its own."""
    with quietly():
        try:
            return await asyncio.to_thread(task.run, runtime)
        except Exception as error:
            metrics.due_work_failures.labels(task.name).inc()
            known = is_transient(error)
            log.warning("due_task_failed", task=task.name, error=type(error).__name__, exc_info=not known)
            return False


_EXPIRED = (
    ("outbox", "id", "published_at < now() - interval '3 days'"),
    ("inbox", "(durable, event_id)", "received_at < now() - interval '30 days'"),
    ("idempotency_keys", "(member_id, route, key)", "created_at < now() - interval '24 hours'"),
    ("tickets", "ticket_hash", "expires_at < now()"),
)


def housekeeping(runtime: "Runtime") -> bool:
    """Delete what is kept no longer (design §5, Kept), 5,000 rows of each at a time."""
    with runtime.database.transaction() as session:
        if not try_lock(session, "housekeeping"):
            return False
        full = [_delete(session, *what) for what in _EXPIRED]
        return any(full)


def _delete(session: Session, table: str, key: str, condition: str) -> bool:
    keys = key.strip("()")
    oldest = f"SELECT {keys} FROM {table} WHERE {condition} LIMIT 5000"  # noqa: S608 - our own constants
    deleted = session.execute(text(f"DELETE FROM {table} WHERE {key} IN ({oldest}) RETURNING 1")).all()  # noqa: S608
    return len(deleted) == 5000


def measure_connections(database: Database) -> None:
    """Set the gauge of pool connections."""
    pool = database.engine.pool
    metrics.database_connections.labels("checked_out").set(pool.checkedout())  # type: ignore[attr-defined]
    metrics.database_connections.labels("size").set(pool.size())  # type: ignore[attr-defined]


def measuring(name: str, measure: Callable[[Session], None]) -> DueTask:
    """A task that measures facts (`chassis.metrics.Fact`) in the database, by statements that cost little."""

    def run(runtime: "Runtime") -> bool:
        with runtime.database.reading() as session:
            measure(session)
        return False

    return DueTask(f"measure-{name}", metrics.MEASURE_SECONDS, run)


# Not the relay's task: it would fall silent when its numbers matter most, while NATS is away.
MEASURE_OUTBOX = measuring("outbox", measure_outbox)
HOUSEKEEPING = DueTask("housekeeping", 600, housekeeping)
