"""The routes of a service's batches: progress, results, cancel. A member's own, and everybody's for who may see all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from batch import commands
from batch.model import Batch, Counts, ItemResult, Outcome, Status
from batch.queries import counts_of, find_batch, worked_items
from chassis.errors import NotFound
from chassis.http.api import Access, Api, Page, PageQuery, View
from chassis.http.call import Call


class BatchView(View):
    """A batch and how far it has come."""

    id: UUID
    kind: str
    actor_id: UUID
    status: Status
    total: int
    done: int
    skipped: int
    failed: int
    pending: int
    created_at: datetime
    finished_at: datetime | None


class ItemView(View):
    """What became of one item; `message` says why in the caller's language."""

    item_id: UUID
    outcome: Outcome
    code: str
    message: str


class ItemQuery(PageQuery):
    """Which items: those of one outcome, or all that were worked."""

    outcome: Outcome | None = None
    page_size: int = Field(default=50, ge=1, le=200)


def batch_api(prefix: str, see_all: str) -> Api:
    """Routes `<prefix>/batches/…`. `see_all` is the permission that opens other members' batches."""
    api = Api("batches")

    @api.route(
        "GET",
        f"{prefix}/batches/<uuid:batch_id>",
        access=Access.MEMBER,
        summary="Read how far a batch has come",
        reply=BatchView,
    )
    def read_batch(call: Call[None, None], batch_id: UUID) -> BatchView:
        with call.runtime.database.reading() as session:
            return batch_view(session, _visible(session, call, batch_id))

    @api.route(
        "GET",
        f"{prefix}/batches/<uuid:batch_id>/items",
        access=Access.MEMBER,
        summary="List what became of each item of a batch, with the reason",
        query=ItemQuery,
        reply=Page[ItemView],
    )
    def list_batch_items(call: Call[None, ItemQuery], batch_id: UUID) -> Page[ItemView]:
        query = call.query
        with call.runtime.database.reading() as session:
            _visible(session, call, batch_id)
            found = worked_items(session, batch_id, query.outcome, query.page, query.page_size)
            total = _worked(counts_of(session, batch_id), query.outcome)
        return Page(items=_items(call, found), page=query.page, page_size=query.page_size, total=total)

    @api.route(
        "POST",
        f"{prefix}/batches/<uuid:batch_id>:cancel",
        access=Access.MEMBER,
        summary="Cancel a batch; what is done stays done",
        reply=BatchView,
        idempotent=True,
    )
    def cancel_batch(call: Call[None, None], batch_id: UUID) -> BatchView:
        def work(session: Session) -> BatchView:
            _visible(session, call, batch_id)
            return batch_view(session, commands.cancel_batch(session, batch_id, call.actor.id))

        return call.command(work)

    def _visible(session: Session, call: Call[Any, Any], batch_id: UUID) -> Batch:
        found = find_batch(session, batch_id)
        if found.actor_id != call.actor.id and not call.actor.may(see_all):
            raise NotFound("not_found")
        return found

    return api


def batch_view(session: Session, batch: Batch) -> BatchView:
    """The batch and how far it has come, as its routes answer it."""
    counts = counts_of(session, batch.id)
    return BatchView(
        id=batch.id,
        kind=batch.kind,
        actor_id=batch.actor_id,
        status=batch.status,
        total=batch.total,
        done=counts.done,
        skipped=counts.skipped,
        failed=counts.failed,
        pending=counts.pending,
        created_at=batch.created_at,
        finished_at=batch.finished_at,
    )


def _items(call: Call[None, ItemQuery], results: Sequence[ItemResult]) -> list[ItemView]:
    text = call.runtime.messages.text
    return [
        ItemView(
            item_id=result.item_id,
            outcome=result.outcome,
            code=result.code,
            message=text(result.code, call.language, dict(result.parameters)) if result.code else "",
        )
        for result in results
    ]


def _worked(counts: Counts, outcome: Outcome | None) -> int:
    if outcome is None:
        return counts.done + counts.skipped + counts.failed
    return {Outcome.DONE: counts.done, Outcome.SKIPPED: counts.skipped, Outcome.FAILED: counts.failed}[outcome]
