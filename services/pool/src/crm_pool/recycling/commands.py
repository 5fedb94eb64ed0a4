"""Taking back what has expired: a run a day, bounded, confirmed where it takes too much, undone as a release (decision 0024).

Lock order: the run, then customers, pools and assignments as everywhere.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import FieldError, NotFound, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.queries import holdings
from crm_pool.assignments.recording import Act, finish_batch
from crm_pool.assignments.rules import Cause
from crm_pool.customers.clients import FactsNow
from crm_pool.customers.projection import keep_facts
from crm_pool.pools.queries import keep_existing
from crm_pool.recycle_rules.queries import unsettled_rules
from crm_pool.recycling import queries
from crm_pool.recycling.model import Run
from crm_pool.recycling.queries import Expired
from crm_pool.recycling.rules import (
    Reason,
    clock_reasons,
    is_too_much_of_company,
    is_too_much_of_owner,
)
from crm_pool.recycling.taking import take
from directory.permissions import Permission
from directory.scope import holders_of, managers_of

PAGE = 1000  # as many as customer answers for at once


@dataclass(frozen=True)
class Page:
    """Up to `PAGE` customers that a run takes next, if they have expired still; none: its walk is through."""

    run_id: UUID
    walk: int
    place: tuple[date, UUID] | None
    expired: Sequence[Expired]

    @property
    def end(self) -> tuple[date, UUID]:
        """Where the next one begins."""
        return self.expired[-1].expires_on, self.expired[-1].customer_id


@dataclass(frozen=True)
class Outcome:
    """How many customers of a page were taken, and how many had not expired."""

    taken: int = 0
    spared: int = 0


def next_page(session: Session, at: datetime) -> Page | None:
    """What the run takes next; today's begins when its time has come. None: nothing is to be done now.

    While a version of a rule is taking effect, runs wait: until every customer has its day by it, it does not recycle.
    """
    if unsettled_rules(session):
        return None
    today, run = queries.day_begun(session, at), queries.last_run(session)
    if today is not None and (run is None or run.day != today):
        run = _begin(session, today, at)
    if run is None or not run.is_running:
        return None
    return Page(run.id, run.walk, run.place, queries.expired_behind(session, run, run.place, PAGE))


def page_after(session: Session, page: Page) -> Page | None:
    """What the run takes next once `page` is taken. None: that was the end of its walk, or it goes on no more."""
    run = queries.run_with(session, page.run_id)
    if run is None or not run.is_running or not page.expired:
        return None
    return Page(run.id, page.walk, page.end, queries.expired_behind(session, run, page.end, PAGE))


def take_page(session: Session, page: Page, facts: FactsNow, at: datetime) -> Outcome | None:
    """Take what of the page has expired still, `facts` being what customer said a moment ago, and give the others their day.

    Left as they are: those that customer does not know or says are deleted, and those that somebody is changing or has
    changed since. A page of none ends the walk. None: another worker was quicker, or the run waits.
    """
    run = queries.run_with(session, page.run_id, lock=True)
    if run is None or not run.is_running or (run.walk, run.place) != (page.walk, page.place):
        return None
    if not page.expired:
        _close_walk(session, run, at)
        run.finish(at)
        return Outcome()
    if unsettled_rules(session) or _is_held_now(session, run, page):
        return None
    keep_facts(session, facts.changed)
    pools = keep_existing(session, queries.target_pools(session))
    known = [one for one in page.expired if one.customer_id not in facts.missing]
    outcome = Outcome(*take(session, run, known, pools, at))
    run.go_on(page.end, taken=outcome.taken, spared=outcome.spared)
    return outcome


def confirm(session: Session, actor_id: UUID, run_id: UUID, owner_ids: Collection[UUID] | None, at: datetime) -> Run:
    """Let a held run take what waits; of the owners held only `owner_ids` if given, the others wait on.

    Raises NotFound, Conflict run_not_held, Invalid for an owner who is not held.
    """
    run = _to_be_decided(session, run_id)
    if owner_ids is not None and not set(owner_ids) <= set(run.held_owner_ids):
        raise invalid(FieldError("/owner_ids", "owner_not_held"))
    if run.waits and run.finished_at is None:
        _close_walk(session, run, at)
    run.confirm(actor_id, owner_ids, at)
    _audit(session, "recycling_run.confirmed", run, actor_id)
    return run


def drop(session: Session, actor_id: UUID, run_id: UUID, at: datetime) -> Run:
    """Refuse what a run has not taken yet, for this day. Raises NotFound, Conflict run_over."""
    run = _to_be_decided(session, run_id)
    if not run.is_over and run.finished_at is None:
        _close_walk(session, run, at)
    run.drop(actor_id, at)
    _audit(session, "recycling_run.dropped", run, actor_id)
    return run


def _begin(session: Session, today: date, at: datetime) -> Run | None:
    """The run of `today`, looked at by the breaker; None: another worker has begun it, or that day has had one."""
    previous = queries.last_run(session, lock=True)
    before = queries.runs_before(session)
    row = {"id": new_id(), "day": today, "state": "running", "started_at": at, "walk": 1}
    new = insert(Run).values(**row, nominated=0, taken=0, spared=0).on_conflict_do_nothing(index_elements=[Run.day])
    begun = session.scalars(new.returning(Run.id)).one_or_none()
    if begun is None:
        return None
    if previous is not None and not previous.is_over:
        if previous.finished_at is None:
            _close_walk(session, previous, at)
        previous.overtake()
    run = session.get_one(Run, begun)
    _look(session, run, clock_reasons(before, at))
    return run


def _look(session: Session, run: Run, reasons: Sequence[Reason]) -> None:
    """The breaker: hold the run for `reasons`, or because of how much it would take, counting what it took already.

    A run that has nothing to take is not held.
    """
    taken = sum(queries.losses_of_walk(session, run).values(), Counter[UUID]())
    expired = queries.expired_by_owner(session, run.day)
    going = expired + taken
    owned = holdings(session, [id_ for id_, customers in going.items() if is_too_much_of_owner(customers, 0)])
    held = {id_ for id_, customers in owned.items() if is_too_much_of_owner(going[id_], customers + taken[id_])}
    held -= set(run.held_owner_ids)
    company = queries.owned_up_to_breaker(session, going.total()) + taken.total()
    why = [*reasons, *([Reason.OWNER_SHARE] if held else [])]
    if is_too_much_of_company(going.total(), company):
        why.append(Reason.COMPANY_SHARE)
    if why and expired:
        run.hold(why, held)
        _tell_held(session, run)
    run.nominated = going.total() - sum(expired[id_] for id_ in run.held_owner_ids)


def _is_held_now(session: Session, run: Run, page: Page) -> bool:
    """Look again when more has expired than the breaker looked at, unless somebody has confirmed the run."""
    if run.decided_at is None and run.taken + run.spared + len(page.expired) > run.nominated:
        _look(session, run, [])
    return not run.is_running or any(one.owner_id in run.held_owner_ids for one in page.expired)


def _tell_held(session: Session, run: Run) -> None:
    receivers = {*holders_of(session, Permission.POOL_MANAGE), *managers_of(session, run.held_owner_ids).values()}
    held = pb.RecyclingHeld(
        run_id=str(run.id),
        day=run.day.isoformat(),
        reasons=run.reasons,
        customers=queries.waiting_by_owner(session, run).total(),
        receiver_ids=sorted(map(str, receivers)),
    )
    record_event(session, held)


def _close_walk(session: Session, run: Run, at: datetime) -> None:
    """What the walk took into each pool is a batch that ends, and a release."""
    for batch_id, lost in queries.losses_of_walk(session, run).items():
        received = Counter[UUID | None]({None: lost.total()})
        finish_batch(session, Act(None, at, batch_id), Cause.RECYCLE, received, Counter[UUID | None](lost), skipped=0)


def _to_be_decided(session: Session, run_id: UUID) -> Run:
    run = queries.run_with(session, run_id, lock=True)
    if run is None:
        raise NotFound("not_found")
    return run


def _audit(session: Session, action: str, run: Run, actor_id: UUID) -> None:
    after = {"state": run.state, "held_owner_ids": list(map(str, run.held_owner_ids))}
    record_audit(session, AuditEntry(action, "recycling_run", run.id, actor_id, None, after))
