"""Reading batches, their progress and their items."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from batch.model import Batch, Counts, ItemResult, Outcome, Status
from batch.tables import batch_items, batches
from chassis.errors import NotFound


def find_batch(session: Session, batch_id: UUID, *, lock: bool = False) -> Batch:
    """The batch. Raises NotFound."""
    query = select(batches).where(batches.c.id == batch_id)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("not_found")
    return batch_of(row)


def batch_of(row: Row[Any]) -> Batch:
    """A row of `batches` as a Batch."""
    return Batch(
        id=row.id,
        kind=row.kind,
        actor_id=row.actor_id,
        parameters=row.parameters,
        status=Status(row.status),
        total=row.total,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def counts_of(session: Session, batch_id: UUID) -> Counts:
    """How many items came to what so far."""
    rows = session.execute(
        select(batch_items.c.outcome, func.count().label("items"))
        .where(batch_items.c.batch_id == batch_id)
        .group_by(batch_items.c.outcome)
    )
    return Counts(**{row.outcome or "pending": row.items for row in rows})


def tally(session: Session, batch_id: UUID, name: str) -> Counter[str | None]:
    """How many items are done, by the value of `name` among the parameters of their results."""
    table = batch_items.c
    rows = session.execute(
        select(table.parameters[name].astext.label("said"), func.count().label("items"))
        .where(table.batch_id == batch_id, table.outcome == Outcome.DONE)
        .group_by("said")
    )
    return Counter({row.said: row.items for row in rows})


def positions(session: Session, batch_id: UUID, item_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The places of some items in the order in which all were given, from 1 on: the same whenever they are worked."""
    table = batch_items.c
    rows = session.execute(
        select(table.item_id, table.position).where(table.batch_id == batch_id, table.item_id.in_(item_ids))
    )
    return {row.item_id: row.position for row in rows}


def worked_items(
    session: Session, batch_id: UUID, outcome: Outcome | None, page: int, page_size: int
) -> Sequence[ItemResult]:
    """One page of the items already worked, in the order in which they were given; all outcomes when None."""
    table = batch_items.c
    wanted = table.outcome.is_not(None) if outcome is None else table.outcome == outcome
    rows = session.execute(
        select(table.item_id, table.outcome, table.code, table.parameters)
        .where(table.batch_id == batch_id, wanted)
        .order_by(table.position)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return [ItemResult(row.item_id, Outcome(row.outcome), row.code, row.parameters) for row in rows]
