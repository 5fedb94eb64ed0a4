"""Measuring the batches that are not over."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from batch.model import Status
from batch.tables import batch_items, batches
from chassis.metrics import Fact

_batches = Fact("crm_batches", "Batches that are not over (work; max)", ["status"])
_items = Fact("crm_batch_items", "Items of the batches that are not over: done, and total (work; max)", ["state"])


def measure_batches(session: Session) -> None:
    """Count the open batches by status, and their items; costs what is open, not what was ever done."""
    rows = session.execute(
        select(batches.c.status, func.count(), func.sum(batches.c.total))
        .where(batches.c.finished_at.is_(None))
        .group_by(batches.c.status)
    ).all()
    counted = {status: count for status, count, _ in rows}
    _batches.set_all({(status,): counted.get(status, 0) for status in Status if not status.is_over})
    pending = session.scalar(select(func.count()).select_from(batch_items).where(batch_items.c.outcome.is_(None))) or 0
    total = sum(items for _, _, items in rows)
    _items.set_all({("done",): total - pending, ("total",): total})
