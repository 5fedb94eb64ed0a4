"""A service whose batches count how often each of their items was worked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, Table, Uuid, select, text
from sqlalchemy.orm import Session

from batch.commands import start_batch
from batch.http import batch_api
from batch.model import Batch, ItemResult
from batch.queries import counts_of, find_batch
from batch.tables import metadata as batch_metadata
from batch.work import BatchWork, work_batches
from chassis.database import new_metadata
from chassis.errors import Conflict
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from chassis.service import Service
from chassis.settings import ServiceSettings
from crm.pool.v1.pool_events_pb2 import AssignmentBatchFinished
from directory.actors import DirectoryActors
from directory.permissions import Permission
from directory.tables import metadata as directory_metadata
from tests.support.services import OpenService

own_metadata = new_metadata()
worked = Table("worked", own_metadata, Column("id", Uuid, primary_key=True), Column("times", Integer, nullable=False))

SERVICE = Service(
    name="pool",
    settings=ServiceSettings,
    actors=DirectoryActors(),
    apis=[batch_api("/things", see_all=Permission.AUDIT_READ)],
    migrations=["directory.migrations", "batch.migrations"],
    metadatas=[directory_metadata, batch_metadata],
    messages=["batch"],
)

_WORK = text(
    "INSERT INTO worked (id, times) SELECT unnest(CAST(:ids AS uuid[])), 1"
    " ON CONFLICT (id) DO UPDATE SET times = worked.times + 1"
)


@dataclass
class Batches:
    """Starts and works batches of one kind in an open service. `after_effect` is called in each page's transaction, after
    its effect; `unwilling` items are refused and `broken` ones raise.
    """

    opened: OpenService
    page: int = 10
    unwilling: set[UUID] = field(default_factory=set)
    broken: set[UUID] = field(default_factory=set)
    after_effect: Callable[[int], None] = lambda _: None
    prepare: Callable[..., Any] | None = None
    pages: list[int] = field(default_factory=list)

    def start(self, item_ids: list[UUID]) -> UUID:
        with self.opened.database.transaction() as session:
            return start_batch(session, "count", self.opened.organisation.sales.id, item_ids).id

    def start_many(self, count: int) -> UUID:
        return self.start([new_id() for _ in range(count)])

    def step(self) -> bool:
        """What the due task does once."""
        work = BatchWork("count", self._run, self.prepare, self._finish, self.page)
        return work_batches(self.opened.runtime, {"count": work})

    def finish(self) -> None:
        while self.step():
            pass

    def _run(self, session: Session, _batch: Batch, item_ids: list[UUID], _prepared: Any) -> list[ItemResult]:
        self.pages.append(len(item_ids))
        if self.broken & set(item_ids):
            raise ZeroDivisionError
        if len(item_ids) == 1 and self.unwilling & set(item_ids):
            raise Conflict("batch_over")
        able = [item_id for item_id in item_ids if item_id not in self.unwilling]
        session.execute(_WORK, {"ids": able})
        self.after_effect(len(item_ids))
        skipped = [ItemResult.skipped(item_id, "batch_too_large", limit=1, count=2) for item_id in self.unwilling]
        return [ItemResult.done(item_id) for item_id in able] + [item for item in skipped if item.item_id in item_ids]

    def _finish(self, session: Session, batch: Batch, counts: Any) -> None:
        event = AssignmentBatchFinished(batch_id=str(batch.id), succeeded=counts.done, skipped=counts.skipped)
        record_event(session, event)

    def status(self, batch_id: UUID) -> str:
        with self.opened.database.reading() as session:
            return find_batch(session, batch_id).status.value

    def counts(self, batch_id: UUID) -> tuple[int, int, int, int]:
        """(done, skipped, failed, pending)."""
        with self.opened.database.reading() as session:
            counts = counts_of(session, batch_id)
        return counts.done, counts.skipped, counts.failed, counts.pending

    def times(self) -> list[int]:
        """How often each item that was worked was worked."""
        with self.opened.database.reading() as session:
            return list(session.scalars(select(worked.c.times)))

    def endings(self) -> list[Any]:
        """Closing events."""
        return self.opened.outbox(AssignmentBatchFinished)
