"""Undoing releases in the background, a page per transaction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from batch.model import Batch, Counts, ItemResult, Outcome
from batch.work import BatchWork
from chassis import clock
from chassis.database import after_commit
from chassis.errors import Forbidden
from crm_pool.assignments.due import Tell, teller
from crm_pool.assignments.rules import Cause
from crm_pool.releases import commands
from crm_pool.releases.commands import OVER_CAP, Returned


def _work_page(session: Session, batch: Batch, customer_ids: Sequence[UUID], tell: Tell) -> list[ItemResult]:
    try:
        returned = commands.give_back(session, batch, customer_ids, clock.now())
    except Forbidden as refusal:
        return [ItemResult.skipped(id_, refusal.code, **refusal.parameters) for id_ in customer_ids]
    if returned:
        after_commit(session, tell([one.change for one in returned]))
    done = {one.change.assignment.customer_id: _done(one) for one in returned}
    return [done.get(id_) or ItemResult.skipped(id_, "changed_since") for id_ in customer_ids]


def _done(one: Returned) -> ItemResult:
    code = "returned_over_cap" if one.over_cap else ""
    assignment = one.change.assignment
    former = one.change.previous.owner_id if one.change.previous else None
    parameters = {
        "owner_id": str(assignment.owner_id),
        "former_owner_id": str(former) if former else None,
        OVER_CAP: one.over_cap,
    }
    return ItemResult(assignment.customer_id, Outcome.DONE, code, parameters)


def _finish(session: Session, batch: Batch, counts: Counts) -> None:
    commands.end_undo(session, batch, counts, clock.now())


UNDO = BatchWork(Cause.UNDO.value, _work_page, teller, _finish)
