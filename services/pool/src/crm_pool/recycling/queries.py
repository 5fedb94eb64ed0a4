"""Reading runs, what has expired, and what runs took."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, ColumnElement, Uuid, all_, func, literal, select, tuple_
from sqlalchemy.orm import Session

from crm_pool.assignments.model import Assignment, AssignmentRow
from crm_pool.assignments.queries import EVERY, found_by
from crm_pool.assignments.records import WAS_RELEASED, HistoryEntry, Release
from crm_pool.customers.model import Customer
from crm_pool.database import among
from crm_pool.expiry.model import RecycleRule
from crm_pool.pools.model import Pool, PoolSettings
from crm_pool.recycling.model import Run
from crm_pool.recycling.rules import ONE_IN_OF_COMPANY, RunsBefore, batch_of
from directory.scope import zone_of
from directory.tables import members

# Held by somebody.
OWNED = (AssignmentRow.owner_id.is_not(None), ~AssignmentRow.suspended)
# Whoever left keeps the customers until they are handed over (decision 0015).
_OWNER_WORKS = select(members.c.active).where(members.c.id == AssignmentRow.owner_id).scalar_subquery()

_EXPIRED = select(
    *(AssignmentRow.customer_id, AssignmentRow.version, AssignmentRow.owner_id, AssignmentRow.expires_on),
    func.coalesce(select(Customer.facts_version).where(Customer.id == AssignmentRow.customer_id).scalar_subquery(), 0),
)


@dataclass(frozen=True)
class Expired:
    """A customer with an owner whose last day is over. `facts_version`: that of the facts known, 0: none."""

    customer_id: UUID
    version: int
    owner_id: UUID
    expires_on: date
    facts_version: int


def day_begun(session: Session, at: datetime) -> date | None:
    """The organisation's day at `at`, once the time of day has come at which runs begin; None before."""
    local = at.astimezone(ZoneInfo(zone_of(session)))
    return local.date() if local.time() >= session.scalars(select(PoolSettings.recycle_at)).one() else None


def last_run(session: Session, *, lock: bool = False) -> Run | None:
    """The run that began last, by its number."""
    newest = select(Run).order_by(Run.number.desc()).limit(1).execution_options(populate_existing=True)
    return session.scalars(newest.with_for_update() if lock else newest).one_or_none()


def run_with(session: Session, run_id: UUID, *, lock: bool = False) -> Run | None:
    """A run, locked if it is to be changed."""
    return session.get(Run, run_id, with_for_update=lock or None, populate_existing=True)


def runs_before(session: Session) -> RunsBefore:
    """When the runs so far began."""
    newest = select(Run.started_at).order_by(Run.number.desc()).limit(1)
    finished = newest.where(Run.finished_at.is_not(None)).scalar_subquery()
    row = session.execute(select(newest.scalar_subquery().label("started_at"), finished.label("finished"))).one()
    return RunsBefore(row.started_at, row.finished)


def runs_page(session: Session, page: int, page_size: int) -> tuple[Sequence[Run], int]:
    """A page of the runs, newest first, and how many there are."""
    found = session.scalars(select(Run).order_by(Run.number.desc()).offset((page - 1) * page_size).limit(page_size))
    return found.all(), session.scalars(select(func.count()).select_from(Run)).one()


def expired_behind(session: Session, run: Run, place: tuple[date, UUID] | None, limit: int) -> list[Expired]:
    """The next customers behind `place` that a run would take: without those of owners whose customers wait."""
    found = _EXPIRED.where(*_is_expired(run.day))
    if run.held_owner_ids:
        found = found.where(AssignmentRow.owner_id != all_(literal(run.held_owner_ids, ARRAY(Uuid))))
    if place is not None:
        found = found.where(tuple_(AssignmentRow.expires_on, AssignmentRow.customer_id) > place)
    rows = session.execute(found.order_by(AssignmentRow.expires_on, AssignmentRow.customer_id).limit(limit))
    return [Expired(*row) for row in rows]  # both are set, as the index says


def expired_by_owner(session: Session, day: date) -> Counter[UUID]:
    """How many customers of each owner expired before `day`. Who works is asked once an owner, not once a customer."""
    counted = session.execute(
        select(AssignmentRow.owner_id, func.count())
        .where(*_has_run_out(day))
        .group_by(AssignmentRow.owner_id)
        .having(_OWNER_WORKS)
    )
    return Counter({owner_id: customers for owner_id, customers in counted if owner_id})


def owned_up_to_breaker(session: Session, expired: int) -> int:
    """How many customers have owners, counted no further than where so many expired are no longer too many of them."""
    owned = select(AssignmentRow.customer_id).where(*OWNED).limit(expired * ONE_IN_OF_COMPANY).subquery()
    return session.scalars(select(func.count()).select_from(owned)).one()


def overdue(session: Session, day: date) -> int:
    """How many customers expired before `day` and have their owners still."""
    return expired_by_owner(session, day).total()


def waiting_page(session: Session, run: Run, page: int, page_size: int) -> Sequence[Assignment]:
    """A page of the customers that a run takes once it is confirmed, the longest expired first."""
    found = EVERY.where(*_is_expired(run.day))
    if not run.waits_wholly:
        found = found.where(among(AssignmentRow.owner_id, run.held_owner_ids))
    ordered = found.order_by(AssignmentRow.expires_on, AssignmentRow.customer_id)
    return found_by(session, ordered.offset((page - 1) * page_size).limit(page_size))


def waiting_by_owner(session: Session, run: Run) -> Counter[UUID]:
    """How many customers of each owner a run takes once it is confirmed."""
    if not run.waits:
        return Counter()
    expired = expired_by_owner(session, run.day)
    return expired if run.waits_wholly else Counter({id_: expired[id_] for id_ in run.held_owner_ids})


def losses_of_walk(session: Session, run: Run) -> Mapping[UUID, Counter[UUID]]:
    """Per batch of the walk under way: how many customers each owner lost."""
    counted = session.execute(
        select(HistoryEntry.batch_id, HistoryEntry.from_owner_id, func.count().label("customers"))
        .where(among(HistoryEntry.batch_id, _batches(session, run, [run.walk])), WAS_RELEASED)
        .group_by(HistoryEntry.batch_id, HistoryEntry.from_owner_id)
        .order_by(HistoryEntry.batch_id, HistoryEntry.from_owner_id)
    )
    lost: dict[UUID, Counter[UUID]] = {}
    for row in counted:
        lost.setdefault(row.batch_id, Counter())[row.from_owner_id] += row.customers
    return lost


def releases_of(session: Session, run: Run) -> Sequence[UUID]:
    """The releases that a run made, one a walk and pool."""
    made = select(Release.id).where(among(Release.id, _batches(session, run, range(1, run.walk + 1))))
    return session.scalars(made.order_by(Release.at, Release.id)).all()


def target_pools(session: Session) -> Sequence[UUID]:
    """The pools into which rules in force put customers."""
    targets = select(func.coalesce(RecycleRule.target_pool_id, RecycleRule.pool_id))
    return session.scalars(targets.where(RecycleRule.state == "active")).all()


def _batches(session: Session, run: Run, walks: Iterable[int]) -> list[UUID]:
    """Every batch in which these walks can have put customers into pools, deleted ones included."""
    pool_ids = session.scalars(select(Pool.id)).all()
    return [batch_of(run.id, walk, pool_id) for walk in walks for pool_id in pool_ids]


def _is_expired(day: date) -> tuple[ColumnElement[bool], ...]:
    return *_has_run_out(day), _OWNER_WORKS


def _has_run_out(day: date) -> tuple[ColumnElement[bool], ...]:
    """The same, of those who have left as well."""
    return AssignmentRow.expires_on < day, *OWNED
