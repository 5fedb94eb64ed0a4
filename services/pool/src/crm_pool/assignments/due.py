"""Acts on all customers that match a filter, a page per transaction, through the same commands as those by id."""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from batch.model import Batch, Counts, ItemResult
from batch.work import BatchWork
from chassis import clock
from chassis.database import after_commit
from chassis.errors import Conflict, Forbidden, NotFound, Refusal
from chassis.runtime import Runtime
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm_pool.assignments.clients import tell_customer
from crm_pool.assignments.deciding import Order, Outcome, Row
from crm_pool.assignments.model import Change
from crm_pool.assignments.queries import counted_owners, working_actor
from crm_pool.assignments.recording import Act, finish_batch
from crm_pool.assignments.verbs import VERBS, Verb, target_of
from crm_pool.customers.clients import facts_now
from crm_pool.customers.projection import keep_facts
from directory.scope import zone_of

Tell = Callable[[Sequence[Change]], Callable[[], None]]


def teller(runtime: Runtime, batch: Batch, _customer_ids: Sequence[UUID]) -> Tell:
    """What a page needs to tell customer at once what became of it (`BatchWork.prepare`)."""
    return partial(tell_customer, runtime, batch.actor_id)


def _prepare(
    verb: Verb, runtime: Runtime, batch: Batch, customer_ids: Sequence[UUID]
) -> tuple[Tell, Sequence[CustomerState]]:
    """Before customers are taken from their owners, their facts are confirmed; while customer is away, the page waits."""
    facts = facts_now(runtime, customer_ids).changed if verb.takes else []
    return teller(runtime, batch, customer_ids), facts


def _work_page(
    verb: Verb,
    session: Session,
    batch: Batch,
    customer_ids: Sequence[UUID],
    prepared: tuple[Tell, Sequence[CustomerState]],
) -> list[ItemResult]:
    """Right and target are checked again for each page, the state of each customer by the command."""
    tell, facts = prepared
    keep_facts(session, facts)
    try:
        _require_right(session, batch.actor_id, verb.permission)
        outcome = verb.act(session, _order(session, batch), customer_ids, target_of(batch.parameters))
    except (Forbidden, Conflict, NotFound) as refusal:
        return [_skipped(customer_id, refusal) for customer_id in customer_ids]
    if outcome.changes:
        after_commit(session, tell(outcome.changes))
    return _results(outcome)


def _require_right(session: Session, actor_id: UUID, permission: str | None) -> None:
    """Raises Forbidden actor_inactive or forbidden; None: the command looks."""
    actor = working_actor(session, actor_id)
    if permission is not None and not actor.may(permission):
        raise Forbidden("forbidden", permission=permission)


def _order(session: Session, batch: Batch) -> Order:
    told = batch.parameters
    return Order(batch.actor_id, clock.now(), zone_of(session), told["in_app"], told["email"], batch.id)


def _results(outcome: Outcome) -> list[ItemResult]:
    changes = {change.assignment.customer_id: change for change in outcome.changes}
    return [_result(row, changes.get(row.customer_id)) for row in outcome.rows]


def _result(row: Row, change: Change | None) -> ItemResult:
    if row.refusal is not None:
        return _skipped(row.customer_id, row.refusal)
    former = change.previous.owner_id if change and change.previous else None
    return ItemResult.done(row.customer_id, owner_id=_text(row.owner_id), former_owner_id=_text(former))


def _skipped(customer_id: UUID, refusal: Refusal) -> ItemResult:
    return ItemResult.skipped(customer_id, refusal.code, **refusal.parameters)


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None


def _finish(verb: Verb, session: Session, batch: Batch, counts: Counts) -> None:
    told = batch.parameters
    act = Act(batch.actor_id, clock.now(), batch.id, told["in_app"], told["email"])
    received, lost = (counted_owners(session, batch.id, name) for name in ("owner_id", "former_owner_id"))
    finish_batch(session, act, verb.cause, received, lost, skipped=counts.skipped + counts.failed)


SELECTIONS = [
    BatchWork(verb.cause.value, partial(_work_page, verb), partial(_prepare, verb), partial(_finish, verb))
    for verb in VERBS
]
